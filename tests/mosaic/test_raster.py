"""Scan conversion and depth histograms, against shapely and against plain arrays."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from mvmdb.mosaic.raster import Depths, count_depths, fill_mask, polygon_rings, scan_rings

SHAPE = (31, 37)


def covered_by_shapely(shape: shapely.Geometry) -> np.ndarray:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return shapely.contains_xy(shape, x.ravel(), y.ravel()).reshape(SHAPE)


def star(seed: int, holes: bool) -> shapely.Geometry:
    """A star-shaped polygon with irrational vertices, partly off the array."""
    rng = np.random.default_rng(seed)
    angle = np.sort(rng.uniform(0, 2 * np.pi, 12))
    radius = rng.uniform(5, 25, 12)
    x, y = rng.uniform(0, 35, 2)
    polygon = shapely.make_valid(
        shapely.Polygon(np.column_stack([x + radius * np.cos(angle), y + radius * np.sin(angle)]))
    )
    return shapely.difference(polygon, shapely.Point(x, y).buffer(3.0137)) if holes else polygon


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_spans_hold_the_pixels_whose_centres_lie_inside(seed: int, holes: bool) -> None:
    shape = star(seed, holes)
    spans = scan_rings(polygon_rings(shape), SHAPE)
    assert np.array_equal(fill_mask(spans, SHAPE), covered_by_shapely(shape))
    assert spans.size == covered_by_shapely(shape).sum()


def test_polygons_that_share_a_border_share_no_pixel_and_leave_none_out() -> None:
    left, right = shapely.box(0, 0, 10, 20), shapely.box(10, 0, 36, 20)
    masks = [fill_mask(scan_rings(polygon_rings(box), SHAPE), SHAPE).astype(int) for box in (left, right)]
    assert np.array_equal(sum(masks), fill_mask(scan_rings(polygon_rings(left | right), SHAPE), SHAPE).astype(int))


@pytest.mark.parametrize("shape", [shapely.Point(1, 1), shapely.Polygon(), shapely.box(50, 50, 60, 60)])
def test_nothing_on_the_array_gives_no_spans(shape: shapely.Geometry) -> None:
    assert scan_rings(polygon_rings(shape), SHAPE).size == 0


def test_depths_are_those_of_stacked_planes() -> None:
    shapes = [star(seed, seed % 2 == 0) for seed in range(7)]
    exptimes = [100.1, 0.3, 802.934753, 100.1, 12.0, 350.7, 1.5]
    planes = [covered_by_shapely(shape) for shape in shapes]
    count = sum(plane.astype(int) for plane in planes)
    time = sum(plane * exptime for plane, exptime in zip(planes, exptimes, strict=True))
    exposed = count > 0
    spans = [scan_rings(polygon_rings(shape), SHAPE) for shape in shapes]
    depths = count_depths(list(zip(spans, exptimes, strict=True)), SHAPE[1])
    assert depths.pixels.sum() == exposed.sum()
    assert depths.mean_and_median(depths.exposures) == pytest.approx((count[exposed].mean(), np.median(count[exposed])))
    assert depths.mean_and_median(depths.exptime) == pytest.approx((time[exposed].mean(), np.median(time[exposed])))


def test_no_exposures_have_no_depth() -> None:
    depths = count_depths([], 10)
    assert depths.mean_and_median(depths.exposures) == (0.0, 0.0)


def test_median_of_an_even_number_of_pixels_is_between_the_two_in_the_middle() -> None:
    depths = Depths(np.array([1, 4]), np.array([1.0, 4.0]), np.array([3, 3]))
    assert depths.mean_and_median(depths.exposures) == (2.5, 2.5)
