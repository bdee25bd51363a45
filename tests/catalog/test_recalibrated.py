"""A zero point that changes while the pixels stay: it is noticed, told, and written without drizzling.

What is said here of one night holds in all four places that tell of stale layers (`agreed_reasons`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from archive import CELL, CENTER, COARSE, FINE, Archive, call
from astropy.io import fits
from databases import ON_SQLITE
from fitsfiles import set_pixels
from staleness import agreed_reasons

from mvmdb.catalog.configure import initialise
from mvmdb.catalog.open import open_catalog
from mvmdb.mosaic.product.read import read_product

PHOTFLAM = 2.2483417e-20
SMALL = {"shape": (32, 32)}
NAMES = ("ib6o04tu", "ib6o04tw", "ib6o04tz")
"""Of tests in which no query is new."""
RECALIBRATED = {layer: [("member-recalibrated", name) for name in NAMES] for layer in (FINE, COARSE)}


def recalibrate(archive: Archive, factor: float, *names: str, keyword: str = "PHOTFLAM") -> None:
    for name in names or NAMES:
        with fits.open(archive.inbox / f"{name}q_flt.fits", mode="update") as hdus:
            hdus[0].header[keyword] *= factor


def pixels_of(archive: Archive, layer: str = FINE) -> bytes:
    with fits.open(archive.products / CELL / f"{layer}_drz.fits") as hdus:
        return b"".join(hdus[name].data.tobytes() for name in ("SCI", "WHT"))


def header_of(archive: Archive, layer: str = FINE) -> fits.Header:
    return fits.getheader(archive.products / CELL / f"{layer}_drz.fits", "SCI")


def start(archive: Archive, method: str = "hap") -> None:
    """A night with three exposures of one filter."""
    initialise(archive.address, method=method)  # type: ignore[arg-type]
    for number, name in enumerate(NAMES):
        archive.expose(f"{name}q", east=number, **SMALL)
    assert archive.night().reconcile.failed == 0
    assert agreed_reasons(archive) == {}


@pytest.mark.parametrize("method", ["hap", "mvmdb"])
def test_a_new_zero_point_is_noticed_and_written_without_drizzling(archive: Archive, method: str) -> None:
    start(archive, method)
    pixels = pixels_of(archive)
    recalibrate(archive, 1.03)
    assert archive.ingest().changed == 3
    assert agreed_reasons(archive) == RECALIBRATED
    assert archive.actions() == {FINE: "rescale", COARSE: "rescale"}
    status = call(archive, "status").output
    change = f"PHOTFLAM {PHOTFLAM} -> {1.03 * PHOTFLAM}"
    assert f"rescale: member-recalibrated (ib6o04tu, ib6o04tw, ib6o04tz: {change})" in status
    report = archive.night().reconcile
    assert (report.rescaled, report.drizzled, report.added, report.failed) == (2, 0, 0, 0)
    assert header_of(archive)["PHOTFLAM"] == header_of(archive, COARSE)["PHOTFLAM"] == 1.03 * PHOTFLAM
    assert pixels_of(archive) == pixels
    assert agreed_reasons(archive) == {}
    assert change in call(archive, "explain", FINE).output
    events = archive.rows("SELECT kind, detail FROM event WHERE kind IN ('exposure-changed', 'layer-rescaled')")
    assert sorted(kind for kind, _ in events) == ["exposure-changed"] * 3 + ["layer-rescaled"] * 2
    assert {detail for kind, detail in events if kind == "exposure-changed"} == {change}


@ON_SQLITE
@pytest.mark.parametrize("keyword", ["PHOTPLAM", "PHOTZPT"])
def test_other_keywords_of_the_calibration_count_too(archive: Archive, keyword: str) -> None:
    start(archive)
    recalibrate(archive, 1.0001, "ib6o04tu", keyword=keyword)
    archive.ingest()
    assert agreed_reasons(archive) == {layer: [("member-recalibrated", "ib6o04tu")] for layer in (FINE, COARSE)}
    archive.night()
    before = {"PHOTPLAM": 12486.06, "PHOTZPT": -21.1}[keyword]
    assert header_of(archive)[keyword] == before * 1.0001


@ON_SQLITE
def test_one_member_of_another_zero_point_is_drizzled_only_where_members_are_scaled(archive: Archive) -> None:
    start(archive)
    recalibrate(archive, 1.03, "ib6o04tw")
    archive.ingest()
    assert archive.actions() == {FINE: "rescale", COARSE: "rescale"}
    archive.night()
    assert archive.rows("SELECT DISTINCT photscale FROM product_member") == [(1.0,)]
    initialise(archive.address, method="mvmdb")
    assert archive.night().reconcile.drizzled == 2
    recalibrate(archive, 1 / 1.03, "ib6o04tw")
    archive.ingest()
    assert archive.actions() == {FINE: "drizzle", COARSE: "drizzle"}
    assert "by other factors than before" in archive.look().plan.layers[0].drizzle_because


@ON_SQLITE
@pytest.mark.parametrize("method", ["hap", "mvmdb"])
def test_members_that_come_with_a_new_zero_point_are_added(archive: Archive, method: str) -> None:
    start(archive, method)
    recalibrate(archive, 1.03)
    archive.expose("ib6o04taq", east=1, primary={"PHOTFLAM": 1.05 * PHOTFLAM}, **SMALL)
    archive.ingest()
    assert archive.actions() == {FINE: "add", COARSE: "add"}
    report = archive.night().reconcile
    assert (report.added + report.drizzled, report.failed) == (2, 0)
    assert method == "mvmdb" or report.added == 2, "the new member moves no sky of the others"
    assert header_of(archive)["PHOTFLAM"] == 1.05 * PHOTFLAM, "that of the first member"
    scales = archive.rows("SELECT DISTINCT ipppssoo, photscale FROM product_member ORDER BY ipppssoo")
    scale = 1.0 if method == "hap" else 1.03 / 1.05
    assert [row[1] for row in scales] == pytest.approx([1.0, scale, scale, scale])
    assert agreed_reasons(archive) == {}


@ON_SQLITE
def test_a_grown_canvas_is_rescaled_too(archive: Archive) -> None:
    start(archive)
    recalibrate(archive, 1.03)
    archive.expose("ib6o04tzq".replace("tz", "ta"), east=5, filters="F140W", **SMALL)
    archive.ingest()
    assert {action for name, action in archive.actions().items() if "f125w" in name} == {"rescale"}
    report = archive.night().reconcile
    assert (report.rescaled, report.drizzled, report.failed) == (2, 2, 0)
    assert header_of(archive)["PHOTFLAM"] == 1.03 * PHOTFLAM
    assert agreed_reasons(archive) == {}


@ON_SQLITE
def test_new_pixels_with_a_new_zero_point_are_drizzled(archive: Archive) -> None:
    start(archive)
    recalibrate(archive, 1.03, "ib6o04tu")
    set_pixels(archive.inbox / "ib6o04tuq_flt.fits", np.full((32, 32), 2.0))
    archive.ingest()
    assert archive.actions() == {FINE: "drizzle", COARSE: "drizzle"}
    (event,) = archive.rows("SELECT detail FROM event WHERE kind = 'exposure-changed'")
    assert event == (f"other pixels, PHOTFLAM {PHOTFLAM} -> {1.03 * PHOTFLAM}",)


@ON_SQLITE
def test_a_zero_point_that_changes_back_needs_no_drizzle(archive: Archive) -> None:
    start(archive)
    for factor in (1.03, 1 / 1.03):
        recalibrate(archive, factor)
        archive.ingest()
    assert set(archive.actions().values()) <= {"rescale"}
    report = archive.night().reconcile
    assert (report.drizzled, report.failed) == (0, 0)
    assert agreed_reasons(archive) == {}


@ON_SQLITE
def test_a_withdrawn_exposure_stays_out_whatever_its_zero_point(archive: Archive) -> None:
    start(archive)
    assert call(archive, "withdraw", "ib6o04tw", "--why", "guide star lost").exit_code == 0
    archive.night()
    recalibrate(archive, 1.03, "ib6o04tw")
    archive.ingest()
    assert archive.exposure("ib6o04tw").withdrawn_why == "guide star lost"
    assert agreed_reasons(archive) == {}


def test_a_lost_catalog_finds_products_fresh_and_notices_what_changed_since(archive: Archive) -> None:
    start(archive)
    recalibrate(archive, 1.03)
    archive.night()
    archive.lose_catalog()
    archive.use_hap()
    archive.ingest()
    archive.night()
    assert agreed_reasons(archive) == {}
    assert archive.rows("SELECT count(*) FROM event WHERE kind LIKE 'layer-%' AND kind <> 'layer-found'") == [(0,)]
    archive.lose_catalog()
    archive.use_hap()
    recalibrate(archive, 1.03, "ib6o04tz")
    archive.ingest()
    archive.look()
    assert agreed_reasons(archive) == {layer: [("member-recalibrated", "ib6o04tz")] for layer in (FINE, COARSE)}


def forget_photometry(archive: Archive) -> None:
    """Leave the catalog as an upgrade of an earlier one does."""
    columns = "photometry = NULL, photflam = NULL"
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE exposure SET {columns}, photmode = NULL")
        connection.exec_driver_sql(f"UPDATE product_member SET {columns}, photscale = NULL")


@ON_SQLITE
def test_an_upgraded_catalog_has_nothing_stale_until_a_zero_point_changes(archive: Archive) -> None:
    start(archive)
    forget_photometry(archive)
    for name in NAMES:
        Path(archive.inbox / f"{name}q_flt.fits").touch()
    assert archive.ingest().changed == 3
    assert archive.exposure("ib6o04tu").photflam == PHOTFLAM
    assert agreed_reasons(archive) == {}
    recalibrate(archive, 1.03)
    archive.ingest()
    assert agreed_reasons(archive) == RECALIBRATED
    assert archive.night().reconcile.rescaled == 2
    assert header_of(archive)["PHOTFLAM"] == 1.03 * PHOTFLAM


def test_the_view_lists_layers_whose_members_differ(archive: Archive) -> None:
    start(archive)
    assert archive.rows("SELECT * FROM photometry") == []
    archive.expose("ib6o04taq", east=1, primary={"PHOTFLAM": 1.04 * PHOTFLAM}, **SMALL)
    archive.expose("ib6o04tbq", east=1, primary={"PHOTFLAM": None}, **SMALL)
    archive.night()
    named = "layer, skycell, n_exposures, n_without, photscale_min, photscale_max"
    rows = archive.rows(f"SELECT {named} FROM photometry ORDER BY layer")
    assert rows == [(layer, CELL, 5, 1, 1.0, 1.0) for layer in (FINE, COARSE)]
    assert archive.rows("SELECT DISTINCT difference_percent FROM photometry")[0][0] == pytest.approx(4.0)
    assert "not scaled to each other by the method hap" in call(archive, "explain", FINE).output
    initialise(archive.address, method="mvmdb")
    archive.night()
    (scales,) = archive.rows(f"SELECT photscale_min, photscale_max FROM photometry WHERE layer = '{FINE}'")
    assert scales == pytest.approx((1 / 1.04, 1.0))
    said = call(archive, "explain", FINE).output
    assert "differs by 4%" in said
    assert "they are scaled to that of ib6o04ta" in said
    assert "scaled: ib6o04tu by 0.961538, ib6o04tw by 0.961538, ib6o04tz by 0.961538." in said
    assert "No PHOTFLAM have ib6o04tb" in said


@ON_SQLITE
def test_an_upgraded_catalog_learns_the_photometry_of_what_is_made(archive: Archive) -> None:
    start(archive)
    forget_photometry(archive)
    assert archive.reconcile(full=True).drizzled == 2
    assert archive.exposure("ib6o04tu").photflam == PHOTFLAM
    assert archive.rows("SELECT count(*) FROM exposure WHERE photometry IS NULL OR photmode IS NULL") == [(0,)]
    assert agreed_reasons(archive) == {}
    recalibrate(archive, 1.03)
    archive.ingest()
    assert agreed_reasons(archive) == RECALIBRATED


@ON_SQLITE
def test_a_full_rebuild_with_kept_skies_gives_what_nights_gave(archive: Archive) -> None:
    start(archive, "mvmdb")
    archive.expose("ib6o04taq", east=1, primary={"PHOTFLAM": 1.04 * PHOTFLAM}, **SMALL)
    archive.night()
    path = archive.products / CELL / f"{FINE}_drz.fits"
    with fits.open(path) as hdus:
        science = np.array(hdus["SCI"].data)
    skies = {member.ipppssoo: member.sky for member in read_product(path).members}
    assert archive.reconcile(full=True).drizzled == 2
    np.testing.assert_allclose(fits.getdata(path, "SCI"), science, rtol=1e-5, atol=1e-5)
    assert {member.ipppssoo: member.sky for member in read_product(path).members} == pytest.approx(skies, abs=1e-9)


@ON_SQLITE
def test_mosaics_without_a_record_are_scaled_too(archive: Archive, tmp_path: Path) -> None:
    start(archive, "mvmdb")
    recalibrate(archive, 1.05, "ib6o04tw")
    archive.night()
    archive.reconcile(resky=True)
    poller = archive.products / CELL / f"{CELL}_input.out"
    poller.write_text(poller.read_text().replace("OLD", "NEW"))
    options = ["--executor", "serial", "-o", str(tmp_path / "other")]
    done = call(archive, "process", str(poller), "--method", "mvmdb", *options)
    assert done.exit_code == 0, done.output
    position = ["--at", str(CENTER[0]), str(CENTER[1]), "--size", "0.05", "--filter", "f125w", "--yes"]
    done = call(archive, "mosaic", *position, *options)
    assert done.exit_code == 0, done.output
    paths = sorted((tmp_path / "other").glob("*/*_drz.fits"))
    assert len(paths) == 4
    for path in paths:
        assert [member.photscale for member in read_product(path).members] == pytest.approx([1.0, 1.05, 1.0])
    (same,) = [path for path in paths if path.name == f"{FINE}_drz.fits"]
    recorded = fits.getdata(archive.products / CELL / same.name, "SCI")
    np.testing.assert_allclose(fits.getdata(same, "SCI"), recorded, rtol=1e-5, atol=1e-5)
