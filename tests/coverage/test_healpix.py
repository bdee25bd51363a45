"""HEALPix maps: their sums are the exact ones, full pixels are exact, and other programs read them."""

from __future__ import annotations

import healpy
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from mocpy import MOC
from skypoints import ARCMIN2, field

from mvmdb.coverage.healpix import map_depths
from mvmdb.coverage.healpix_file import write_healpix
from mvmdb.coverage.measure import measure_depths
from mvmdb.errors import UsageError
from mvmdb.sky.footprints import Footprints


def areas(depth):
    return 4 * np.pi / (12 * 4.0**depth.order) * ARCMIN2


@pytest.mark.parametrize("place", ["pole", "RA 0", "plain"])
@pytest.mark.parametrize("nside", [1, 512, 16384])
def test_the_sum_over_pixels_is_the_exact_one(place, nside):
    _, footprints, exptime = field(place, 6)
    exact = measure_depths(footprints, exptime, np.zeros(6, int), 1)
    depth = map_depths(footprints, exptime, nside)
    assert (areas(depth) * depth.exptime).sum() == pytest.approx(exact.area[0] * exact.mean_exptime[0], rel=2e-5)
    assert (areas(depth) * depth.n_exposures).sum() == pytest.approx(exact.area[0] * exact.mean_exposures[0], rel=2e-5)
    flat = depth.flat()
    assert set(flat.order) == {nside.bit_length() - 1}
    assert len(np.unique(flat.pixel)) == len(flat.pixel)
    assert (areas(flat) * flat.exptime).sum() == pytest.approx((areas(depth) * depth.exptime).sum(), rel=1e-12)


def test_pixels_are_divided_only_where_depth_changes_and_full_ones_are_exact():
    polygons, footprints, exptime = field("plain", 1)
    depth = map_depths(footprints, exptime, 1 << 16)
    full = depth.n_exposures == 1.0
    assert np.unique(depth.order[full]).size > 3
    assert set(depth.exptime[full]) == {exptime[0]}
    assert set(depth.order[~full]) == {16}
    judged = MOC.new_empty(16)
    for polygon in polygons[0]:
        judged = judged.union(MOC.from_polygon_skycoord(SkyCoord(*polygon.T, unit="deg"), max_depth=16))
    assert areas(depth).sum() == pytest.approx(judged.sky_fraction * 4 * np.pi * ARCMIN2, rel=1e-2)


def test_healpy_reads_the_map_and_astropy_and_mocpy_the_multi_order_one(tmp_path):
    _, footprints, exptime = field("RA 0", 5)
    depth = map_depths(footprints, exptime, 256)
    write_healpix(tmp_path / "flat.fits", depth)
    seconds, number = healpy.read_map(tmp_path / "flat.fits", field=(0, 1), nest=True, partial=True)
    assert len(seconds) == healpy.nside2npix(256)
    flat = depth.flat()
    assert seconds[flat.pixel] == pytest.approx(flat.exptime)
    assert number[flat.pixel] == pytest.approx(flat.n_exposures)
    assert (seconds > 0).sum() == len(flat.pixel)
    fine = map_depths(footprints, exptime, 8192)
    write_healpix(tmp_path / "multi.fits", fine, multiorder=True)
    with fits.open(tmp_path / "multi.fits", checksum=True) as files:
        table, header = files[1].data, files[1].header
        uniq = np.array(table["UNIQ"])
        assert (header["ORDERING"], header["MOCORDER"], header["PIXTYPE"], header["COORDSYS"]) == (
            "NUNIQ", 13, "HEALPIX", "C",
        )  # fmt: skip
        order = (np.log2(uniq // 4) / 2).astype(int)
        assert np.array_equal(order, fine.order)
        assert np.array_equal(uniq - 4 ** (order + 1), fine.pixel)
        weight = (4 * np.pi / (12 * 4.0**order) * table["EXPTIME"]).sum()
    moc = MOC.from_healpix_cells(fine.pixel.astype(np.uint64), fine.order.astype(np.uint8), max_depth=13)
    assert moc.sky_fraction * 4 * np.pi * ARCMIN2 == pytest.approx(areas(fine).sum())
    assert weight * ARCMIN2 == pytest.approx((areas(fine) * fine.exptime).sum())


@pytest.mark.parametrize("nside", [0, -1, 100, 1 << 25])
def test_other_nsides_are_refused(nside):
    _, footprints, exptime = field("plain", 1)
    with pytest.raises(UsageError, match="power of 2"):
        map_depths(footprints, exptime, nside)


@pytest.mark.parametrize("nside", [512, 16384])
def test_what_exposures_add_is_the_map_with_them_less_the_map_without(tmp_path, nside):
    polygons, footprints, exptime = field("plain", 6)
    adding = np.arange(6) >= 4
    depth = map_depths(footprints, exptime, nside, adding)
    others = map_depths(Footprints.from_polygons(polygons[:4]), exptime[:4], nside)
    own = map_depths(Footprints.from_polygons(polygons[4:]), exptime[4:], nside)
    write_healpix(tmp_path / "added.fits", depth)
    with fits.open(tmp_path / "added.fits") as file:
        table = {name: np.array(file[1].data[name]) for name in file[1].columns.names}
    assert set(table["PIXEL"]) == set(own.flat().pixel)
    without = dict(zip(others.flat().pixel.tolist(), others.flat().exptime.tolist(), strict=True))
    before = np.array([without.get(pixel, 0.0) for pixel in table["PIXEL"].tolist()])
    assert table["EXPTIME"] - table["EXPTIME_ADDED"] == pytest.approx(before, abs=1e-6 * exptime.sum())
    theirs = dict(zip(own.flat().pixel.tolist(), own.flat().n_exposures.tolist(), strict=True))
    assert table["N_EXPOSURES_ADDED"] == pytest.approx([theirs[pixel] for pixel in table["PIXEL"].tolist()])
