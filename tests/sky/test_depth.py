"""Area, depth and groups of a layer, against counting points."""

from __future__ import annotations

from collections import namedtuple

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from mvmdb.sky.depth import areas_within, groups_of, join_chips
from mvmdb.sky.layer import find_groups

Depth = namedtuple("Depth", "area total mean")


def join(polygons_xy):
    polygons = [polygon for chips in polygons_xy for polygon in chips]
    start = np.cumsum([0, *(len(polygon) for polygon in polygons)])
    owner = np.repeat(np.arange(len(polygons_xy)), [len(chips) for chips in polygons_xy])
    return join_chips(np.concatenate([np.empty((0, 2)), *polygons]), start, owner, len(polygons_xy))


def measure_depth(polygons_xy, box):
    exposures = join(polygons_xy)
    shapes = np.append(exposures, shapely.union_all(exposures))
    *areas, area = areas_within(shapes, np.tile(np.array(box[:2], dtype=float), (len(shapes), 1)), box[2] - box[0])
    return Depth(area, sum(areas), sum(areas) / area if area else 0.0)


def connect(polygons_xy):
    exposures = join(polygons_xy)
    return groups_of(exposures, shapely.union_all(exposures))


def rectangle(x, y, width=10.0, height=10.0):
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], dtype=float)


def test_depth_is_the_mean_number_of_exposures_over_the_covered_area():
    depth = measure_depth([[rectangle(0, 0)], [rectangle(5, 0)]], (0, 0, 100, 100))
    assert (depth.area, depth.total) == (150.0, 200.0)
    assert depth.mean == pytest.approx(4 / 3)


def test_only_what_lies_in_the_box_counts():
    depth = measure_depth([[rectangle(-5, -5)], [rectangle(200, 0)]], (0, 0, 100, 100))
    assert (depth.area, depth.total, depth.mean) == (25.0, 25.0, 1.0)


def test_two_chips_of_one_exposure_never_make_depth_two():
    depth = measure_depth([[rectangle(0, 0), rectangle(5, 0), rectangle(40, 0)]], (0, 0, 100, 100))
    assert (depth.area, depth.total, depth.mean) == (250.0, 250.0, 1.0)


def test_nothing_in_the_box_has_depth_0():
    assert measure_depth([], (0, 0, 1, 1)).mean == 0.0
    assert measure_depth([[rectangle(50, 50)]], (0, 0, 1, 1)).mean == 0.0


def test_outline_that_crosses_itself_counts_both_lobes():
    bow_tie = np.array([[0, 0], [10, 10], [10, 0], [0, 10]], dtype=float)
    assert measure_depth([[bow_tie]], (0, 0, 100, 100)).area == pytest.approx(50.0)
    assert connect([[bow_tie], [rectangle(0, 4, 1, 1)], [rectangle(4.5, 0, 1, 1)]]).tolist() == [0, 0, 1]


def test_an_edge_connects_and_a_corner_does_not():
    assert connect([[rectangle(0, 0)], [rectangle(10, 0)], [rectangle(20, 10)]]).tolist() == [0, 0, 1]


def test_connection_passes_through_chips_of_one_exposure():
    far_apart = [rectangle(0, 0), rectangle(1000, 0)]
    assert connect([[rectangle(5, 5)], [rectangle(500, 0)], far_apart, [rectangle(995, 5)]]).tolist() == [0, 1, 0, 0]


def test_no_exposures_have_no_groups():
    assert connect([]).tolist() == []


RECTANGLES = st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(1, 9), st.integers(1, 9))
EDGES = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))  # pixels in common, or side by side
EXPOSURES = st.lists(st.lists(RECTANGLES, min_size=1, max_size=2), min_size=1, max_size=12)


@settings(deadline=None)
@given(EXPOSURES)
def test_depth_and_groups_agree_with_counting_pixels(exposures):
    masks = np.zeros((len(exposures), 40, 40), dtype=bool)
    for mask, chips in zip(masks, exposures, strict=True):
        for x, y, width, height in chips:
            mask[y : y + height, x : x + width] = True
    polygons = [[rectangle(*chip) for chip in chips] for chips in exposures]
    depth = measure_depth(polygons, (3, 3, 25, 25))
    inside = masks[:, 3:25, 3:25]
    assert depth.area == pytest.approx(inside.any(axis=0).sum())
    assert depth.total == pytest.approx(inside.sum())

    group = list(range(len(exposures)))
    for i in range(len(exposures)):
        for j in range(i):
            if any((np.roll(masks[i], shift, (0, 1)) & masks[j]).any() for shift in EDGES):
                group = [min(group[i], group[j]) if g in (group[i], group[j]) else g for g in group]
    assert connect(polygons).tolist() == [sorted(set(group)).index(g) for g in group]


def test_a_region_that_cannot_be_read_is_a_group_by_itself() -> None:
    square = "POLYGON ICRS 53.0 -27.0 53.01 -27.0 53.01 -26.99 53.0 -26.99"
    moved = "POLYGON ICRS 53.005 -27.0 53.015 -27.0 53.015 -26.99 53.005 -26.99"
    cell = 726  # the projection cell of the ERS field
    assert find_groups(cell, {"a": square, "b": moved}) == {"a": "a", "b": "a"}
    for damaged in ("POLYGON ICRS 1 2 3", "POLYGON ICRS one two", ""):
        assert find_groups(cell, {"a": square, "b": damaged, "c": moved}) == {"a": "a", "b": "b", "c": "a"}
        assert find_groups(cell, {"b": damaged}) == {"b": "b"}
