"""Where members of different frames overlap, against GEOS: every pair of members, intersected and united."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import shapely

from mvmdb.sky.footprints import Footprints
from mvmdb.sky.layer import ARCMIN2_PER_PIXEL, project_exposures
from mvmdb.sky.mixing import measure_mixed_areas
from mvmdb.sky.tessellation import CELL_SIZE, STEP, plane_to_sky

P, X, Y = 726, 4, 17
LOW = np.array([X - 1, Y - 1]) * STEP + 0.5
CELL = (P * 21 + Y - 1) * 21 + X - 1


def region(x: float, y: float, angle: float = 0.0, width: float = 4000, height: float = 2000) -> str:
    """The outline of a chip about a pixel of the cell."""
    corners = np.array([[-1, -1], [1, -1], [1.1, 1], [-1, 1]]) * [width / 2, height / 2]
    turned = corners @ [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]] + [x, y] + LOW
    return "POLYGON ICRS " + " ".join(f"{v:.9f}" for v in np.column_stack(plane_to_sky(P, *turned.T)).ravel())


def overlap_of_pairs(regions: list[str], members: list[int], frames: list[int]) -> float:
    shapes = project_exposures(P, Footprints.from_regions(regions))
    pairs = [
        shapes[a].intersection(shapes[b])
        for (a, f), (b, g) in combinations(zip(members, frames, strict=True), 2)
        if f != g and min(f, g) >= 0
    ]
    return shapely.union_all(pairs).intersection(shapely.box(*LOW, *(LOW + CELL_SIZE))).area * ARCMIN2_PER_PIXEL


def test_areas_are_those_of_all_pairs_of_members_of_different_frames() -> None:
    rng = np.random.default_rng(5)
    regions = [region(*rng.uniform(-500, 9000, 2), rng.uniform(0, 7)) for _ in range(60)]
    regions[3] = regions[2]  # the same place twice
    regions[4] = f"{region(2000, 2000, 1.0)} {region(6000, 3000, 0.2)}"  # two chips
    sizes = [*rng.integers(1, 12, 150).tolist(), 60]
    members = [[2, 3, 4][:size] if size < 4 else rng.choice(60, size, replace=False).tolist() for size in sizes]
    frames = [rng.integers(-1, 1 + number % 5, len(own)).tolist() for number, own in enumerate(members)]
    found = measure_mixed_areas(
        np.full(len(members), CELL), np.cumsum([0, *map(len, members)]), np.concatenate(members),
        np.concatenate(frames), regions,
    )  # fmt: skip
    expected = [overlap_of_pairs(regions, *one) for one in zip(members, frames, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert np.count_nonzero(expected) > 50
    assert np.count_nonzero(np.array(expected) == 0) > 20


@pytest.mark.parametrize("frames", [[0, 0], [-1, 0], [0, -1], [-1, -1]])
def test_members_of_one_frame_mix_nothing(frames: list[int]) -> None:
    regions = [region(2000, 2000), region(2100, 2000)]
    one = [np.array(values) for values in ([CELL], [0, 2], [0, 1], frames)]
    assert measure_mixed_areas(*one, regions).tolist() == [0.0]


def test_frames_that_only_touch_mix_nothing() -> None:
    regions = [region(2000, 2000), region(6200, 2000, np.pi)]  # they share an edge
    one = [np.array(values) for values in ([CELL], [0, 2], [0, 1], [0, 1])]
    assert measure_mixed_areas(*one, regions).tolist() == [0.0]
