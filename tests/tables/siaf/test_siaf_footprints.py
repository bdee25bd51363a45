"""Footprints from pointing and aperture: against pysiaf, and against the WCS of real exposures."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from shapely import LineString, Point, Polygon

from mvmdb.errors import InputError
from mvmdb.exposures.fits.chipwcs import build_wcs
from mvmdb.exposures.fits.file import scan_file
from mvmdb.exposures.fits.layout import read_chip_wcs, require_sci
from mvmdb.exposures.read import read_exposure
from mvmdb.instruments import INSTRUMENTS, find_detector
from mvmdb.sky.region import parse_region
from mvmdb.sky.sphere import project, sky_to_vector, tangent_frame
from mvmdb.tables.read import read_batches
from mvmdb.tables.siaf.apertures_file import load_apertures, place_on_sky
from mvmdb.tables.siaf.footprints import find_pointing


@pytest.fixture(scope="module")
def pysiaf() -> Iterator[Any]:
    """The package, which may not contact a server while it is imported."""
    import requests

    def refuse(*arguments: object, **options: object) -> None:
        raise OSError("tests use no network")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests, "get", refuse)
        import pysiaf

        yield pysiaf


def separation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Arcsec between positions (..., 2) in degrees."""
    a, b = np.broadcast_arrays(a, b)
    chord = sky_to_vector(a[..., 0], a[..., 1]) - sky_to_vector(b[..., 0], b[..., 1])
    return np.asarray(np.rad2deg(np.sqrt((chord**2).sum(axis=0))) * 3600.0)


def test_apertures_are_those_of_pysiaf(pysiaf: Any) -> None:
    apertures = load_apertures()
    expected = {name: a for name, a in pysiaf.Siaf("HST").apertures.items() if a.AperShape == "QUAD"}
    assert apertures.keys() == expected.keys()
    assert len(apertures) > 600
    for name, aperture in expected.items():
        assert apertures[name].reference.tolist() == [aperture.V2Ref, aperture.V3Ref]
        np.testing.assert_allclose(apertures[name].corners.T, aperture.corners("tel"), rtol=0, atol=1e-9)


def test_every_aperture_that_a_name_means_is_in_the_file() -> None:
    known = load_apertures()
    names = [detector.apertures for instrument in INSTRUMENTS.values() for detector in instrument.detectors]
    meant = {name for each in names for part in (each.full, each.subarrays, each.with_filter) for name in part.values()}
    meant |= {chip for each in names for chip in each.chips}
    assert len(meant) > 90
    assert meant <= known.keys()


@pytest.mark.parametrize("name", ["IIR", "JWFC1", "JHRC", "UWF3"])
def test_the_sky_is_that_of_pysiaf_for_the_same_attitude(name: str, pysiaf: Any) -> None:
    from pysiaf.utils import rotations

    aperture = load_apertures()[name]
    rng = np.random.default_rng(8)
    for _ in range(40):
        ra, dec = rng.uniform(0, 360), np.rad2deg(np.arcsin(rng.uniform(-0.9999, 0.9999)))
        attitude = rotations.attitude(*aperture.reference, ra, dec, rng.uniform(0, 360))
        pa_v3 = rotations.posangle(attitude, 0.0, 0.0)
        expected = np.array([rotations.pointing(attitude, *corner) for corner in aperture.corners])
        corners = place_on_sky(aperture.reference, aperture.corners, np.array([ra]), np.array([dec]), np.array([pa_v3]))
        assert corners.shape == (1, 4, 2)
        assert separation(corners[0], expected).max() < 1e-5


def test_many_pointings_are_placed_as_one_by_one() -> None:
    aperture = load_apertures()["JWFC2"]
    ra, dec, angle = np.array([0.001, 120.0, 250.0]), np.array([-89.95, 0.0, 89.95]), np.array([0.0, 123.0, 350.0])
    together = place_on_sky(aperture.reference, aperture.corners, ra, dec, angle)
    for number in range(3):
        only = slice(number, number + 1)
        alone = place_on_sky(aperture.reference, aperture.corners, ra[only], dec[only], angle[only])
        np.testing.assert_allclose(together[only], alone, rtol=0, atol=1e-12)


@pytest.mark.shared
def test_the_archives_file_is_read_as_the_one_of_pysiaf(shared: Path) -> None:
    archive = load_apertures(str(shared / "data" / "archive_list" / "hst_siaf.dat.gz"))
    np.testing.assert_array_equal(archive["IIR"].corners, load_apertures()["IIR"].corners)


@pytest.mark.shared
def test_footprints_of_the_ers_exposures_are_those_of_their_wcs(ers_folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "pointings.csv"
    paths = sorted(ers_folder.glob("*_flt.fits"))
    with table.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("rootname", "instrument", "filter", "exptime", "aperture", "pa_v3", "ra_aper", "dec_aper"))
        for path in paths:
            primary, sci = fits.getheader(path), fits.getheader(path, 1)
            keywords = ("ROOTNAME", "INSTRUME", "FILTER", "EXPTIME", "APERTURE", "PA_V3")
            writer.writerow([*(primary[k] for k in keywords), sci["RA_APER"], sci["DEC_APER"]])
    (batch,) = read_batches(table)
    assert batch.columns["ipppssoo"] == [path.name[:8] for path in paths]
    assert len(paths) == 20
    corner_miss, edge_miss = [], []
    for path, text in zip(paths, batch.columns["s_region"], strict=True):
        (outline,) = parse_region(read_exposure(path).exposure.s_region)
        (quad,) = parse_region(str(text))
        corner_miss.append(max(separation(outline, corner).min() for corner in quad))
        edge_miss.append(greatest_distance(outline, quad))
    assert max(corner_miss) < 0.1  # arcsec
    assert max(edge_miss) < 0.3


def greatest_distance(outline: np.ndarray, quad: np.ndarray) -> float:
    """How far an outline leaves the sides of a quadrangle, arcsec."""
    frame = tangent_frame(*quad.mean(axis=0))
    plane = [np.rad2deg(np.column_stack(project(frame, sky_to_vector(*p.T)))) * 3600 for p in (outline, quad)]
    sides: LineString = Polygon(plane[1]).exterior
    return max(sides.distance(Point(point)) for point in plane[0])


@pytest.mark.shared
def test_pa_v3_is_the_angle_at_the_v1_axis(shared: Path, tmp_path: Path) -> None:
    """A real ACS exposure at dec -72, where the angle at the aperture itself would put corners 0.6 arcsec off."""
    path = tmp_path / "j9irw1rqq_flt.fits"
    path.write_bytes(gzip.decompress((shared / "data" / "headers" / "2chipB.fits.gz").read_bytes()))
    file = scan_file(path)
    first, second = require_sci(file)
    with path.open("rb") as stream:
        systems = [build_wcs(read_chip_wcs(file, chip, stream)) for chip in (first, second)]
    x, y = [0.5, 4096.5, 4096.5, 0.5], [0.5, 0.5, 2048.5, 2048.5]
    expected = np.concatenate([np.column_stack(wcs.all_pix2world(x, y, 1)) for wcs in systems])
    known = load_apertures()
    pointing = find_pointing(str(file.primary["APERTURE"]), find_detector("acs", "wfc"), "F606W;CLEAR2L", known)
    position = [np.array([float(str(first.header[key]))]) for key in ("RA_APER", "DEC_APER")]
    found = pointing.footprints(known, *position, np.array([float(str(file.primary["PA_V3"]))]))
    assert found.shape == (1, 2, 4, 2)
    miss = [separation(corner, expected).min() for corner in found.reshape(-1, 2)]
    assert max(miss) < 0.12


def test_a_grism_means_another_reference_point() -> None:
    known = load_apertures()
    image, grism = (find_pointing("IR", find_detector("wfc3", "ir"), filters, known) for filters in ("F140W", "G141"))
    assert (image.reference, grism.reference) == ("IIR", "IIRGRSM141")
    assert find_pointing("GRISM256", find_detector("wfc3", "ir"), "F140W", known).reference == "IIR256GRF"


def test_full_frames_read_all_chips_whichever_aperture_was_pointed() -> None:
    known = load_apertures()
    assert find_pointing("WFC1", find_detector("acs", "wfc"), "F606W", known).chips == ("JWFC1FIX", "JWFC2FIX")
    assert len(find_pointing("PC1-FIX", find_detector("wfpc2", "pc"), "F606W", known).chips) == 4
    assert find_pointing("UVIS2-C512C-SUB", find_detector("wfc3", "uvis"), "F606W", known).chips == ("IUV2CC_512",)


def test_the_first_known_of_several_apertures_counts_and_names_of_the_file_are_known() -> None:
    known = load_apertures()
    assert find_pointing("NONE; IRSUB512, IR", find_detector("wfc3", "ir"), "F140W", known).reference == "IIRS512"
    assert find_pointing("iuvisqa", find_detector("wfc3", "uvis"), "F606W", known).chips == ("IUVISQA",)


def test_an_unknown_aperture_is_refused_with_what_is_known() -> None:
    with pytest.raises(ValueError, match=r"found aperture 'MOON'; expected IR, IR-FIX"):
        find_pointing("MOON", find_detector("wfc3", "ir"), "F140W", load_apertures())


def test_a_file_that_is_no_aperture_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "siaf.dat").write_text("nothing here")
    with pytest.raises(InputError, match="has no apertures; expected the archive's HST SIAF"):
        load_apertures(str(tmp_path / "siaf.dat"))
    with pytest.raises(InputError, match="check the path"):
        load_apertures(str(tmp_path / "missing.dat"))
