"""Outlines that cross or touch themselves are told from those that do not, and their hull holds their corners."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import pytest
from sky.judge import rotate_out

from mvmdb.sky.area import measure_area
from mvmdb.sky.crossing import cross_themselves, find_hull
from mvmdb.sky.region import MOST_VERTICES, format_region, parse_crossing_region, parse_region

SQUARE = "POLYGON ICRS 10 20 10.1 20 10.1 20.1 10 20.1"
BOW_TIE = "POLYGON ICRS 10 20 10.1 20 10 20.1 10.1 20.1"


def test_two_corners_in_the_wrong_order_do_not_cost_half_of_the_area() -> None:
    (square,), _ = parse_crossing_region(SQUARE)
    (hull,), crossing = parse_crossing_region(BOW_TIE)
    assert crossing == 1
    assert {tuple(vertex) for vertex in hull.tolist()} == {tuple(vertex) for vertex in square.tolist()}
    assert measure_area(BOW_TIE) == pytest.approx(measure_area(SQUARE), rel=1e-12)


@pytest.mark.parametrize("dec", [0.0, 89.95, -89.95, 45.0])
@pytest.mark.parametrize("ra", [0.0, 10.0, 359.99])
def test_every_outline_is_judged_in_its_own_plane(ra: float, dec: float) -> None:
    x, y = np.array([-0.1, 0.1, 0.1, 0.0, -0.1]), np.array([-0.1, -0.1, 0.1, -0.05, 0.1])  # a notched square
    notched = rotate_out(ra, dec, x, y, 30.0)
    assert not cross_themselves(notched[None])[0]
    assert cross_themselves(notched[[0, 2, 1, 3, 4]][None])[0]
    hull = find_hull(notched)
    assert len(hull) == 4
    assert not (hull[:, None] == notched[3]).all(axis=2).any()


@pytest.mark.parametrize(
    ("text", "crossing"),
    [
        (SQUARE, 0),
        ("POLYGON 10 20 10.1 20 10.05 20.02 10.1 20.1", 0),
        ("POLYGON 10 20 10.1 20 10.1 20.1 10 20.1 10.1 20", 1),  # a spike along one side
        (f"{SQUARE} {BOW_TIE} {BOW_TIE}", 2),
        ("CIRCLE 10 20 0.1", 0),
    ],
)
def test_polygons_that_cross_or_touch_themselves_are_counted(text: str, crossing: int) -> None:
    polygons, found = parse_crossing_region(text)
    assert found == crossing
    assert parse_crossing_region(format_region(polygons))[1] == 0


def test_a_tangle_of_as_many_vertices_as_may_be_takes_no_time() -> None:
    rng = np.random.default_rng(1)
    vertices = np.array([10.0, 20.0]) + rng.uniform(0, 0.1, (MOST_VERTICES, 2))
    started = perf_counter()
    (hull,) = parse_region(format_region([vertices]))
    assert perf_counter() - started < 2.0
    assert len(hull) < 100
