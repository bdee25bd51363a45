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
@given(st.integers(0, 10**6), st.sampled_from([1, 40, 1 << 18]), st.sampled_from([0, 10, 10**6]))
def test_depths_are_those_of_stacked_planes(seed: int, bins: int, sorting: int) -> None:
    shapes = [star(seed + number, number % 2 == 0) for number in range(7)]
    planes = [covered(shape, SHAPE) for shape in shapes]
    held = sum(plane.astype(int) for plane in planes)
    seconds = sum(plane * exptime for plane, exptime in zip(planes, EXPTIMES, strict=True))
    exposed = held > 0
    with pytest.MonkeyPatch.context() as patch:  # few or many rows at once, and both ways to put places in order
        patch.setattr(module, "BINS_AT_ONCE", bins)
        patch.setattr(module, "SORTING", sorting)
        found = count(shapes, EXPTIMES)
    assert found.pixels == exposed.sum()
    values, pixels = np.unique(held[exposed], return_counts=True)
    assert (found.exposures.values.tolist(), found.exposures.pixels.tolist()) == (values.tolist(), pixels.tolist())
    expected = (seconds[exposed].mean(), np.median(seconds[exposed])) if exposed.any() else (0.0, 0.0)
    assert found.seconds.mean_and_median() == pytest.approx(expected)
    assert found.seconds.pixels.sum() == found.pixels


def test_some_rows_stand_for_all_where_footprints_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    size = (700, 800)
    shapes, exptimes = [], []
    for number in range(40):
        x, y = 400 + rng.uniform(-90, 90), 350 + rng.uniform(-90, 90)
        box = shapely.affinity.rotate(shapely.box(x - 190, y - 170, x + 190, y + 170), 33.0)
        shapes.append(box)
        exptimes.append(EXPTIMES[number % 7])
    whole = count(shapes, exptimes, size)
    looked_at = []
    count_rows = module._count_rows

    def counted(edges: object, rows: range, columns: int) -> object:
        looked_at.append(len(rows))
        return count_rows(edges, rows, columns)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_count_rows", counted)
    monkeypatch.setattr(module, "CROSSINGS", 10000)
    monkeypatch.setattr(module, "ROWS", 100)
    some = count(shapes, exptimes, size)
    assert 0 < sum(looked_at) < 700 / 5
    assert some.pixels == pytest.approx(whole.pixels, rel=1e-3)
    for mine, theirs in ((some.exposures, whole.exposures), (some.seconds, whole.seconds)):
        assert mine.mean_and_median() == pytest.approx(theirs.mean_and_median(), rel=2e-3)


@pytest.mark.parametrize(
    "shapes", [[], [shapely.Polygon()], [shapely.box(50, 50, 60, 60)], [shapely.box(-9, -9, -1, -1)]]
)
def test_nothing_on_the_array_has_no_depth(shapes: list[shapely.Geometry]) -> None:
    found = count(shapes, [1.0] * len(shapes))
    assert found.pixels == 0
    assert found.exposures.mean_and_median() == found.seconds.mean_and_median() == (0.0, 0.0)


def test_median_of_an_even_number_of_pixels_is_between_the_two_in_the_middle() -> None:
    assert Histogram(np.array([1.0, 4.0]), np.array([3, 3])).mean_and_median() == (2.5, 2.5)


def test_no_more_pixels_are_exposed_than_there_are_where_some_rows_stand_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CROSSINGS", 10)
    monkeypatch.setattr(module, "ROWS", 100)
    found = count([shapely.box(-1, -1, 800, 800)] * 5, [100.0] * 5, (703, 600))
    assert found.pixels == 703 * 600
    assert found.exposures.mean_and_median() == (5.0, 5.0)
