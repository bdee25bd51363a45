"""Memberships that drizzlepac 3.11 misses: that they are real, by astropy and shapely; why; and that mvmdb has them.

That drizzlepac does miss them is shown by `conformance/sky/known_misses.py`, which needs drizzlepac.
"""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from astropy.io import fits
from astropy.wcs import WCS
from exactness.cases import CASES
from exactness.planes import N_BAND, RING_DEC_MAX, RING_DEC_MIN, SIZE, STEP, sky_to_plane

import mvmdb

PROJECTION_SIDE = 450287
CLEARLY = 100_000  # fine pixels^2; the whole of the smallest exposure here has 460,000


def outline(path):
    """(ra, dec) of 400 points around the detector, through its distortion."""
    with fits.open(path) as hdus:
        header = hdus["SCI"].header
        t, one = np.arange(100) / 100, np.ones(100)
        x = 0.5 + header["NAXIS1"] * np.concatenate([t, one, 1 - t, 0 * t])
        y = 0.5 + header["NAXIS2"] * np.concatenate([0 * t, t, one, 1 - t])
        return WCS(header).all_pix2world(x, y, 1)


def footprint_in_plane(case, path):
    """The outline in the fine pixels of the case's projection cell."""
    ra, dec = outline(path)
    x, y = sky_to_plane(np.array([case.cell[0]]), ra[None], dec[None])
    return shapely.Polygon(np.column_stack([x[0], y[0]]))


def square_of(cell):
    left, bottom = ((number - 1) * STEP + 0.5 for number in cell[1:])
    return shapely.box(left, bottom, left + SIZE, bottom + SIZE)


def ring_of(case):
    return int(np.searchsorted(np.cumsum(N_BAND), case.cell[0], side="right"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.cause}-{case.skycell}")
def test_cell_that_drizzlepac_misses_is_overlapped_and_found(case, tmp_path):
    path = case.write(tmp_path)
    assert footprint_in_plane(case, path).intersection(square_of(case.cell)).area > CLEARLY
    assert case.skycell in mvmdb.get_sky_cells([str(path)])


@pytest.mark.parametrize("case", [case for case in CASES if case.cause == "ring edge"], ids=lambda case: case.skycell)
def test_footprint_straddles_a_limit_of_the_cells_ring(case, tmp_path):
    _, dec = outline(case.write(tmp_path))
    ring = ring_of(case)
    assert any(dec.min() < limit < dec.max() for limit in (RING_DEC_MIN[ring], RING_DEC_MAX[ring]))


@pytest.mark.parametrize("case", [case for case in CASES if case.cause == "RA seam"], ids=lambda case: case.skycell)
def test_cell_is_the_last_of_its_ring_and_the_nearest_is_the_first(case, tmp_path):
    ra, dec = outline(case.write(tmp_path))
    ring = ring_of(case)
    assert case.cell[0] == N_BAND[: ring + 1].sum() - 1
    assert set(np.rint(ra * N_BAND[ring] / 360) % N_BAND[ring]) == {0}
    assert RING_DEC_MIN[ring] < dec.min()  # no ring edge hides behind it
    assert dec.max() < RING_DEC_MAX[ring]


@pytest.mark.parametrize("case", [case for case in CASES if case.cause == "outer strip"], ids=lambda case: case.skycell)
def test_cell_is_overlapped_outside_of_its_projection_cell_alone(case, tmp_path):
    path = case.write(tmp_path)
    low, high = 0.5, PROJECTION_SIDE + 0.5
    footprint, (_, dec), ring = footprint_in_plane(case, path), outline(path), ring_of(case)
    assert footprint.intersection(shapely.box(low, low, high, high)).area == 0
    assert RING_DEC_MIN[ring] < dec.min()
    assert dec.max() < RING_DEC_MAX[ring]


def test_there_are_three_cases_of_each_cause():
    causes = [case.cause for case in CASES]
    assert {cause: causes.count(cause) for cause in causes} == {"ring edge": 3, "RA seam": 3, "outer strip": 3}
