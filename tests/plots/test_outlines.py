"""Outlines of projection cells are those of their WCS, and maps of the whole sky cut them where they leave."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from mvmdb.names import N_PROJECTION_CELLS
from mvmdb.plots.bins import bin_sky
from mvmdb.plots.outlines import cut_lines, outline_cells, to_map
from mvmdb.sky.tessellation import PROJECTION_SIZE, projection_cell_wcs


@pytest.mark.parametrize("cell", [0, 5, 726, 1300, 1889, 2634, 2643])
def test_an_outline_is_that_of_the_cell_s_image(cell: int) -> None:
    ra, dec = (column[0] for column in outline_cells(np.array([cell]), 6))
    edge = np.linspace(0.5, PROJECTION_SIZE + 0.5, 7)[:-1]
    low, high = np.full(6, 0.5), np.full(6, PROJECTION_SIZE + 0.5)
    back = PROJECTION_SIZE + 1.0 - edge
    x, y = np.concatenate([edge, high, back, low, [0.5]]), np.concatenate([low, edge, high, back, [0.5]])
    expected = projection_cell_wcs(cell).pixel_to_world(x - 1, y - 1)
    assert SkyCoord(ra, dec, unit="deg").separation(expected).arcsec.max() < 1e-4


def test_right_ascension_grows_to_the_left_of_a_map() -> None:
    assert to_map(np.array([0.0, 15.0, 179.0, 181.0, 345.0])).tolist() == [0.0, -15.0, -179.0, 179.0, 15.0]


def test_all_outlines_are_cut_where_they_leave_the_map() -> None:
    ra, dec = outline_cells(np.arange(N_PROJECTION_CELLS), 8)
    cut = 0
    for longitude, latitude in zip(to_map(ra), dec, strict=True):
        pieces = list(cut_lines(longitude, latitude))
        crossings = len(pieces) - 1
        assert sum(map(len, pieces)) == len(longitude) + 2 * crossings
        for piece in pieces:
            assert np.abs(np.diff(piece[:, 0])).max(initial=0.0) <= 180.0
            assert np.abs(piece[:, 0]).max() <= 180.0
        for one, other in pairwise(pieces):
            assert one[-1, 0] == -other[0, 0]
            assert abs(one[-1, 0]) == 180.0
            assert one[-1, 1] == other[0, 1]
        cut += crossings > 0
    wide = np.ptp(np.where(ra < 180, ra, ra - 360.0), axis=1) > 180  # those that RA 180 runs through
    assert cut == wide.sum()
    assert cut > 40, "one in each ring, at least"


def test_bins_keep_the_time_and_are_bounded() -> None:
    random = np.random.default_rng(5)
    n = 200_000
    ra, dec = random.uniform(0, 360, n), np.rad2deg(np.arcsin(random.uniform(-1, 1, n)))
    ra[:3], dec[:3] = (0.0, 360.0, -1e-14), (90.0, -90.0, 0.0)
    seconds = random.uniform(1, 1000, n)
    bins = bin_sky(ra, dec, seconds, 1.0)
    assert bins.exptime.sum() == pytest.approx(seconds.sum())
    assert 30_000 < len(bins.ra) < 42_000
    assert ((bins.ra >= 0) & (bins.ra < 360) & (np.abs(bins.dec) <= 90)).all()


def test_exposures_of_one_field_are_one_bin_at_their_place() -> None:
    bins = bin_sky(np.array([53.11, 53.13]), np.array([-27.83, -27.81]), np.array([10.0, 30.0]), 1.0)
    assert (bins.ra.tolist(), bins.dec.tolist(), bins.exptime.tolist()) == ([pytest.approx(53.12)], [-27.82], [40.0])
