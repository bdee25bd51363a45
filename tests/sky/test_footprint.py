"""Outlines of chips: against dense evaluation of the same WCS, with distortion that bends the edges."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS, DistortionLookupTable
from sky import judge

from mvmdb.errors import ExposureError, InputError
from mvmdb.sky.footprint import chip_outline, footprint_center
from mvmdb.sky.footprints import Footprints
from mvmdb.sky.region import format_region, parse_region


def make_wcs(ra=150.0, dec=2.0, scale=0.05, sip=3e-6, roll=20.0, parity=1):
    """A WCS like that of ACS/WFC: `sip` is the quadratic term, 12 pixels of bow over 4096 pixels when it is 3e-6."""
    header = fits.Header()
    angle = np.deg2rad(roll)
    header.update(
        CTYPE1="RA---TAN-SIP", CTYPE2="DEC--TAN-SIP", CRVAL1=ra, CRVAL2=dec, CRPIX1=2048.0, CRPIX2=1024.0,
        CD1_1=-parity * np.cos(angle) * scale / 3600, CD1_2=np.sin(angle) * scale / 3600,
        CD2_1=parity * np.sin(angle) * scale / 3600, CD2_2=np.cos(angle) * scale / 3600,
        A_ORDER=2, B_ORDER=2, A_2_0=sip, A_0_2=-sip / 2, B_1_1=sip, B_2_0=-sip,
    )  # fmt: skip
    return WCS(header)


def offsets(points, ra, dec):
    """Positions (n, 2) in arcsec on the plane that touches the sky at (ra, dec)."""
    a, d = np.deg2rad(points.T)
    a0, d0 = np.deg2rad([ra, dec])
    cos_c = np.sin(d0) * np.sin(d) + np.cos(d0) * np.cos(d) * np.cos(a - a0)
    xi = np.cos(d) * np.sin(a - a0) / cos_c
    eta = (np.cos(d0) * np.sin(d) - np.sin(d0) * np.cos(d) * np.cos(a - a0)) / cos_c
    return np.column_stack([xi, eta]) * np.rad2deg(3600)


def distance_to_outline(points, outline):
    """The distance of each point (n, 2) from the closed polyline (m, 2), both in one plane."""
    start, end = outline, np.roll(outline, -1, axis=0)
    along = end - start
    t = np.clip(((points[:, None] - start) * along).sum(axis=2) / (along**2).sum(axis=1), 0, 1)
    return np.linalg.norm(points[:, None] - (start + t[..., None] * along), axis=2).min(axis=1)


def walk_edges(wcs, naxis1, naxis2, n=1000):
    t = np.linspace(0, 1, n)
    x = np.concatenate([t, np.ones(n), t, np.zeros(n)]) * naxis1 + 0.5
    y = np.concatenate([np.zeros(n), t, np.ones(n), t]) * naxis2 + 0.5
    return np.column_stack(wcs.all_pix2world(x, y, 1))


@pytest.mark.parametrize("tolerance", [0.0005, 0.004, 0.1])
@pytest.mark.parametrize("position", [(150.0, 2.0), (0.001, -30.0), (40.0, 89.99), (200.0, -89.999)])
def test_outline_stays_within_the_tolerance_of_the_edge(position, tolerance):
    wcs = make_wcs(*position)
    outline = offsets(chip_outline(wcs, 4096, 2048, tolerance), *position)
    edge = offsets(walk_edges(wcs, 4096, 2048), *position)
    assert distance_to_outline(edge, outline).max() < tolerance
    corners_only = outline[:: len(outline) // 4]
    assert distance_to_outline(edge, corners_only).max() > 0.1  # the edges are bent enough to make this a test


def test_edges_that_are_straight_keep_only_their_corners():
    outline = chip_outline(make_wcs(sip=0.0), 4096, 2048)
    wcs = make_wcs(sip=0.0)
    corners = wcs.all_pix2world([[0.5, 0.5], [4096.5, 0.5], [4096.5, 2048.5], [0.5, 2048.5]], 1)
    assert len(outline) == 4
    np.testing.assert_allclose(sorted(map(tuple, outline)), sorted(map(tuple, corners)), rtol=1e-14)


def test_more_bent_edges_get_more_vertices():
    sizes = [len(chip_outline(make_wcs(sip=sip), 4096, 2048)) for sip in (0.0, 1e-7, 1e-6, 1e-5)]
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize("parity", [1, -1])
def test_outline_is_in_normal_form_whatever_the_parity(parity):
    outline = chip_outline(make_wcs(parity=parity), 4096, 2048)
    xi, eta = offsets(outline, 150.0, 2.0).T
    # East is to the left: counter-clockwise on the sky.
    assert (xi * np.roll(eta, -1) - np.roll(xi, -1) * eta).sum() < 0
    (parsed,) = parse_region(format_region([outline]))
    np.testing.assert_allclose(parsed, outline, atol=5.1e-10)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "naxis", "arcsec2"),
    [
        ("sample_ipppssoot_flc.fits", (4096, 2051), 162**2 / 2),  # WFC3/UVIS, two chips
        ("sample_svm_flc.fits", (4096, 2051), 162**2 / 2),
        ("2chipA.fits.gz", (4096, 2048), 202**2 / 2),  # ACS/WFC with NPOL and D2IM tables, two chips
        ("sample_ipppssoot_flt.fits", (1014, 1014), 136 * 123),  # WFC3/IR
        ("sample_svm_flt.fits", (1014, 1014), 136 * 123),
        ("j8bt06nyq_sip_flt.fits", (1024, 1024), 29 * 26),  # ACS/HRC
    ],
)
@pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning")
def test_outlines_of_real_headers_follow_their_full_wcs(shared, name, naxis, arcsec2):
    with fits.open(shared / "data" / "headers" / name) as hdus:
        chips = [hdu for hdu in hdus if hdu.name == "SCI"]
        assert chips
        for chip in chips:
            wcs = WCS(chip.header, hdus)
            outline = chip_outline(wcs, *naxis)
            position = footprint_center([outline])
            plane = offsets(outline, *position)
            assert distance_to_outline(offsets(walk_edges(wcs, *naxis, 300), *position), plane).max() < 0.005
            x, y = plane.T
            area = abs((x * np.roll(y, -1) - np.roll(x, -1) * y).sum()) / 2
            assert area == pytest.approx(arcsec2, rel=0.05)  # the fields of the instrument handbooks


@pytest.mark.parametrize("table", ["cpdis1", "det2im1"])
def test_lookup_tables_move_the_outline(table):
    """A table that shifts every column by half a pixel moves the footprint by half a pixel, for NPOL and for D2IM."""
    wcs = make_wcs(sip=0.0, roll=0.0)
    plain = chip_outline(wcs, 4096, 2048)
    setattr(wcs, table, DistortionLookupTable(np.full((33, 65), 0.5, dtype=np.float32), (1, 1), (1, 1), (64, 64)))
    moved = chip_outline(wcs, 4096, 2048)
    shift = offsets(np.array([footprint_center([moved])]), *footprint_center([plain]))
    np.testing.assert_allclose(shift, [[-0.5 * 0.05, 0.0]], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"CRVAL1": np.nan}, "no-wcs"),
        ({"CD1_1": 0.0, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 0.0}, "no-wcs"),
        ({"CTYPE1": "LINEAR", "CTYPE2": "LINEAR"}, "no-wcs"),
        ({"CD1_1": 0.05, "CD2_2": 0.05}, "no-wcs"),
    ],
)
def test_wcs_that_gives_no_footprint_is_an_exposure_error(change, code):
    wcs = make_wcs(sip=0.0)
    cd = wcs.wcs.cd.copy()
    for key, value in change.items():
        if key.startswith("CD"):
            cd[int(key[2]) - 1, int(key[4]) - 1] = value
        elif key.startswith("CTYPE"):
            wcs.wcs.ctype = [value, value]
        else:
            wcs.wcs.crval = [value, 2.0]
    wcs.wcs.cd = cd
    with pytest.raises(ExposureError) as caught:
        chip_outline(wcs, 4096, 2048)
    assert caught.value.code == code


def test_chip_without_pixels_is_an_exposure_error():
    with pytest.raises(ExposureError, match="0 x 2048"):
        chip_outline(make_wcs(), 0, 2048)


@pytest.mark.parametrize("position", [(0.0, 0.0), (359.99, 50.0), (123.0, 89.9)])
def test_center_of_a_square_is_its_middle_also_across_ra_0_and_at_the_pole(position):
    ra, dec = footprint_center([judge.draw_square(*position, 0.5, 33.0)])
    np.testing.assert_allclose(offsets(np.array([[ra, dec]]), *position), [[0.0, 0.0]], atol=1e-6)


@pytest.mark.parametrize("damaged", ["POLYGON ICRS 1 x", "POLYGON ICRS 1 2 3", f"POLYGON ICRS 1 x {'1 2 ' * 40}"])
def test_a_region_that_was_changed_by_hand_is_shown_with_a_remedy(damaged: str) -> None:
    with pytest.raises(
        InputError, match=r"found the region '(POLYGON ICRS 1 .*)'; expected .* verify --repair"
    ) as found:
        Footprints.from_regions(["POLYGON ICRS 10 0 11 0 11 1 10 1", "", damaged])
    assert damaged[:60] in str(found.value)
    assert len(str(found.value)) < 300
