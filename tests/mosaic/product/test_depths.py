"""Depths by edges alone, against planes that are stacked and counted."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from polygons import covered, star

from mvmdb.mosaic.drizzle.raster import polygon_rings
from mvmdb.mosaic.product import depths as module
from mvmdb.mosaic.product.depths import Depths, Histogram, count_depths

SHAPE = (31, 37)
EXPTIMES = [100.1, 0.3, 802.934753, 100.1, 12.0, 350.7, 1.5]


def count(shapes: list[shapely.Geometry], exptimes: list[float], size: tuple[int, int] = SHAPE) -> Depths:
    rings = [polygon_rings(shapely.normalize(shape)) for shape in shapes]
    return count_depths(list(zip(rings, exptimes, strict=True)), size)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 300, 1 << 15]))
def test_depths_are_those_of_stacked_planes(seed: int, crossings: int) -> None:
    shapes = [star(seed + number, number % 2 == 0) for number in range(7)]
    planes = [covered(shape, SHAPE) for shape in shapes]
    held = sum(plane.astype(int) for plane in planes)
    seconds = sum(plane * exptime for plane, exptime in zip(planes, EXPTIMES, strict=True))
    exposed = held > 0
    with pytest.MonkeyPatch.context() as patch:  # one row, some rows or all rows at once
        patch.setattr(module, "CROSSINGS_AT_ONCE", crossings)
        found = count(shapes, EXPTIMES)
    assert found.pixels == exposed.sum()
    values, pixels = np.unique(held[exposed], return_counts=True)
    assert (found.exposures.values.tolist(), found.exposures.pixels.tolist()) == (values.tolist(), pixels.tolist())
    expected = (seconds[exposed].mean(), np.median(seconds[exposed])) if exposed.any() else (0.0, 0.0)
    assert found.seconds.mean_and_median() == pytest.approx(expected)
    assert found.seconds.pixels.sum() == found.pixels


def test_every_row_of_a_large_canvas_counts_where_footprints_are_many() -> None:
    found = count([shapely.box(-1, -1, 20, 7000)] * 60 + [shapely.box(-1, 4321.5, 20, 4322.5)], [1.0] * 61, (6500, 20))
    assert found.pixels == 6500 * 20
    assert (found.exposures.values.tolist(), found.exposures.pixels.tolist()) == ([60, 61], [6499 * 20, 20])


@pytest.mark.parametrize(
    "shapes", [[], [shapely.Polygon()], [shapely.box(50, 50, 60, 60)], [shapely.box(-9, -9, -1, -1)]]
)
def test_nothing_on_the_array_has_no_depth(shapes: list[shapely.Geometry]) -> None:
    found = count(shapes, [1.0] * len(shapes))
    assert found.pixels == 0
    assert found.exposures.mean_and_median() == found.seconds.mean_and_median() == (0.0, 0.0)


def test_median_of_an_even_number_of_pixels_is_between_the_two_in_the_middle() -> None:
    assert Histogram(np.array([1.0, 4.0]), np.array([3, 3])).mean_and_median() == (2.5, 2.5)
