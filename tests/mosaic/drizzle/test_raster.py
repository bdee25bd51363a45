"""Scan conversion, against shapely."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from polygons import covered, star

from mvmdb.mosaic.drizzle.raster import fill_mask, polygon_rings, scan_rings

SHAPE = (31, 37)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_spans_hold_the_pixels_whose_centres_lie_inside(seed: int, holes: bool) -> None:
    shape = star(seed, holes)
    spans = scan_rings(polygon_rings(shape), SHAPE)
    assert np.array_equal(fill_mask(spans, SHAPE), covered(shape, SHAPE))
    assert spans.size == covered(shape, SHAPE).sum()


def test_polygons_that_share_a_border_share_no_pixel_and_leave_none_out() -> None:
    left, right = shapely.box(0, 0, 10, 20), shapely.box(10, 0, 36, 20)
    masks = [fill_mask(scan_rings(polygon_rings(box), SHAPE), SHAPE).astype(int) for box in (left, right)]
    assert np.array_equal(sum(masks), fill_mask(scan_rings(polygon_rings(left | right), SHAPE), SHAPE).astype(int))


@pytest.mark.parametrize("shape", [shapely.Point(1, 1), shapely.Polygon(), shapely.box(50, 50, 60, 60)])
def test_nothing_on_the_array_gives_no_spans(shape: shapely.Geometry) -> None:
    assert scan_rings(polygon_rings(shape), SHAPE).size == 0
