"""Reconcile on real small files: each change has its reasons and its action, and afterwards everything is fresh."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from archive import CELL, COARSE, FINE, Archive, names_to_list
from astropy.io import fits
from fitsfiles import realign, set_pixels

from mvmdb.catalog.exposures.standing import withdraw
from mvmdb.catalog.open import open_catalog
from mvmdb.catalog.settings import read_policy
from mvmdb.jobs.lock import claim_folder
from mvmdb.mosaic.product.read import read_product
from mvmdb.reconcile import run as run_module
from mvmdb.workers.processes import IN_THIS_PROCESS

pytestmark = pytest.mark.slow


@pytest.fixture
def two(archive: Archive) -> Archive:
    """An archive with two overlapping exposures, after its first night."""
    archive.use_hap()
    archive.expose()
    archive.expose("ib6o04twq", east=2)
    report = archive.night()
    assert (report.reconcile.drizzled, report.reconcile.failed) == (2, 0)
    return archive


def test_the_first_night_makes_products_pollers_and_manifest(two: Archive) -> None:
    folder = two.products / CELL
    assert {path.name for path in folder.iterdir()} == {
        f"{FINE}_drz.fits", f"{COARSE}_drz.fits", f"{CELL}_input.out", f"{CELL}_input.planned",
        f"{CELL}_manifest.txt", f"{FINE}_trl.txt", f"{COARSE}_trl.txt",
    }  # fmt: skip
    manifest = (folder / f"{CELL}_manifest.txt").read_text().split()
    assert manifest == names_to_list([f"{FINE}_drz.fits", f"{COARSE}_drz.fits"])
    rows = (folder / f"{CELL}_input.out").read_text().splitlines()
    assert [row.split(",")[8] for row in rows] == ["OLD", "OLD"]
    assert two.reasons() == {}


def test_a_night_with_nothing_new_writes_nothing(two: Archive) -> None:
    def everything() -> dict[str, tuple[int, int]]:
        return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in two.products.rglob("*") if p.is_file()}

    before = everything()
    report = two.night()
    assert report.pollers == []
    assert report.reconcile.layers == []
    after = everything()
    lock = str(two.products / ".mvmdb.lock")
    assert {k: v for k, v in after.items() if k != lock} == {k: v for k, v in before.items() if k != lock}


def test_an_added_exposure_is_added_to_the_present_product(two: Archive) -> None:
    two.expose("ib6o04tzq", east=1, north=2)
    two.ingest()
    assert set(two.actions().values()) == {"add"}
    report = two.reconcile()
    assert (report.added, report.drizzled, report.failed) == (2, 0, 0)
    assert two.reasons() == {}
    members = read_product(two.products / CELL / f"{FINE}_drz.fits", deep=True).members
    assert [member.ipppssoo for member in members] == ["ib6o04tu", "ib6o04tw", "ib6o04tz"]


def test_adding_gives_what_drizzling_from_scratch_with_the_kept_skies_gives(two: Archive) -> None:
    two.expose("ib6o04tzq", east=1, north=2)
    two.night()
    path = two.products / CELL / f"{FINE}_drz.fits"
    added = fits.getdata(path, "SCI")
    report = two.reconcile(full=True)
    assert report.drizzled == 2
    full = fits.getdata(path, "SCI")
    np.testing.assert_allclose(full, added, rtol=2e-6, atol=1e-7)


def test_a_realigned_member_makes_its_layers_stale_and_no_other(two: Archive) -> None:
    two.expose("ib6o05tuq", filters="F140W")
    two.night()
    realign(two.inbox / "ib6o04tuq_flt.fits", dec_arcsec=0.03, wcsname="IDC_w3m18525i-FIT_REL_GAIAeDR3")
    two.ingest()
    reasons = two.reasons()
    assert ("member-realigned", "ib6o04tu") in reasons[FINE]
    assert ("member-realigned", "ib6o04tu") in reasons[COARSE]
    others = {code for name, codes in reasons.items() if "f140w" in name for code, _ in codes}
    assert others <= {"canvas-changed"}
    two.reconcile()
    assert two.reasons() == {}


def test_new_pixels_are_a_recalibration_of_exactly_their_member(two: Archive) -> None:
    set_pixels(two.inbox / "ib6o04twq_flt.fits", np.full((64, 64), 5.0))
    two.ingest()
    assert two.reasons() == {FINE: [("member-recalibrated", "ib6o04tw")], COARSE: [("member-recalibrated", "ib6o04tw")]}
    assert set(two.actions().values()) == {"drizzle"}
    two.reconcile()
    assert two.reasons() == {}


def test_a_deleted_product_is_missing_and_made_again(two: Archive) -> None:
    path = two.products / CELL / f"{FINE}_drz.fits"
    digest = read_product(path).data_digest
    path.unlink()
    assert two.reasons() == {FINE: [("product-missing", None)]}
    two.reconcile()
    assert read_product(path, deep=True).data_digest == digest, "the same members give the same bytes"


def test_a_changed_byte_with_size_and_time_kept_is_found_by_a_deep_look_and_mended(two: Archive) -> None:
    path = two.products / CELL / f"{FINE}_drz.fits"
    status = path.stat()
    with fits.open(path) as hdus:
        position = hdus["SCI"].fileinfo()["datLoc"] + 4321
    with open(path, "r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 8]))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert two.reasons() == {}
    assert two.reasons(deep=True) == {FINE: [("product-damaged", None)]}
    assert two.reasons() == {FINE: [("product-damaged", None)]}, "what was seen is remembered"
    two.reconcile()
    assert two.reasons(deep=True) == {}


def test_a_product_that_was_only_copied_is_still_fresh(two: Archive) -> None:
    path = two.products / CELL / f"{FINE}_drz.fits"
    os.utime(path)
    assert two.reasons() == {}


def test_a_moved_products_folder_stays_fresh(two: Archive, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    two.products.rename(moved)
    with open_catalog(two.address) as engine:
        policy = read_policy_of(two)
        report = run_module.reconcile(engine, moved, policy, run_module.Options(move=True), workers=IN_THIS_PROCESS)
    assert report.layers == []


def read_policy_of(archive: Archive):
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        return read_policy(connection)


def test_a_withdrawn_member_is_removed_and_the_last_one_orphans_the_products(two: Archive) -> None:
    with open_catalog(two.address) as engine, engine.begin() as connection:
        withdraw(connection, ["ib6o04tw"], "", read_policy(connection))
    assert ("member-removed", "ib6o04tw") in two.reasons()[FINE]
    two.reconcile()
    with open_catalog(two.address) as engine, engine.begin() as connection:
        withdraw(connection, ["ib6o04tu"], "", read_policy(connection))
    assert two.reasons() == {FINE: [("orphaned", None)], COARSE: [("orphaned", None)]}
    outlook = two.look()
    assert (outlook.layers, outlook.stale, outlook.orphaned) == (0, 0, 2)
    report = two.reconcile()
    assert report.removed == 2
    assert two.product_files() == {}
    assert two.rows("SELECT count(*) FROM product") == [(0,)]
    assert two.rows("SELECT count(*) FROM product_member") == [(0,)]
    assert two.reasons() == {}


def test_another_filter_that_grows_the_canvas_recanvases_and_says_so(two: Archive) -> None:
    before = fits.getdata(two.products / CELL / f"{FINE}_drz.fits", "SCI")
    two.expose("ib6o05tuq", filters="F140W", east=20)
    report = two.night().reconcile
    assert (report.drizzled, report.recanvased) == (2, 2)
    path = two.products / CELL / f"{FINE}_drz.fits"
    after = fits.getdata(path, "SCI")
    assert after.size > before.size
    rows, columns = np.nonzero(np.isfinite(before))
    shifted = np.argwhere(np.isfinite(after))[0] - np.argwhere(np.isfinite(before))[0]
    assert np.isfinite(after).sum() == len(rows)
    assert np.array_equal(after[rows + shifted[0], columns + shifted[1]], before[rows, columns])
    ((action, reasons),) = two.rows(f"SELECT last_action, last_reasons FROM product WHERE layer = '{FINE}'")
    assert action == "recanvas"
    assert [reason[0] for reason in json.loads(reasons)] == ["canvas-changed"]


def test_all_layers_of_a_cell_share_one_canvas_and_overlay_pixel_by_pixel(two: Archive) -> None:
    two.expose("ib6o05tuq", filters="F140W", east=20, north=-7)
    two.expose("j8oz04kpq", detector="WFC", kind="flc", chips=2, north=9)
    two.night()
    headers = {path.name: fits.getheader(path, "SCI") for path in (two.products / CELL).glob("*_dr[cz].fits")}
    fine = {(h["NAXIS1"], h["NAXIS2"], h["CRPIX1"], h["CRPIX2"]) for n, h in headers.items() if "coarse" not in n}
    coarse = {(h["NAXIS1"], h["NAXIS2"], h["CRPIX1"], h["CRPIX2"]) for n, h in headers.items() if "coarse" in n}
    assert len(headers) == 5
    ((_, _, crpix_fine, _),) = fine
    ((_, _, crpix_coarse, _),) = coarse
    # Coarse pixel c covers fine pixels 3c-1 to 3c+1 of the cell: centres of coarse pixels fall on centres of fine ones.
    offset = 3 * crpix_coarse - crpix_fine
    assert offset == pytest.approx(round(offset), abs=1e-6)
    ((x_min, x_max),) = two.rows(f"SELECT x_min, x_max FROM skycell WHERE name = '{CELL}'")
    first = (x_min + 1) // 3
    assert offset == pytest.approx((x_min - 1) - 3 * (first - 1), abs=1e-6)
    assert {size[0] for size in fine} == {x_max - x_min + 1}
    assert {size[0] for size in coarse} == {(x_max + 1) // 3 - first + 1}


def test_an_flc_takes_the_place_of_an_flt_and_its_product(archive: Archive) -> None:
    archive.expose("j8oz04kpq", detector="WFC", kind="flt")
    archive.night()
    assert [name[-8:] for name in archive.product_files()] == ["drz.fits"]
    archive.expose("j8oz04kpq", detector="WFC", kind="flc")
    archive.night()
    assert [name[-8:] for name in archive.product_files()] == ["drc.fits"]
    assert archive.reasons() == {}


def test_a_file_that_vanished_fails_its_layers_which_stay_stale_with_the_cause(two: Archive) -> None:
    path = two.expose("ib6o04tzq", east=1)
    two.ingest()
    kept = path.read_bytes(), path.stat()
    path.unlink()
    before = two.product_files()
    report = two.reconcile()
    assert report.failed == 2
    assert "ib6o04tz" in report.layers[0].error
    assert two.product_files() == before
    codes = [code for code, _ in two.reasons()[FINE]]
    assert "last-run-failed" in codes
    path.write_bytes(kept[0])
    os.utime(path, ns=(kept[1].st_atime_ns, kept[1].st_mtime_ns))
    assert two.reconcile().added == 2
    assert two.reasons() == {}


def test_a_file_changed_behind_the_catalogs_back_is_not_drizzled(two: Archive) -> None:
    path = two.expose("ib6o04tzq", east=1)
    two.ingest()
    realign(path, dec_arcsec=0.5)
    report = two.reconcile()
    assert report.failed == 2
    two.night()
    assert two.reasons() == {}


def test_an_empty_exposure_becomes_ineligible_and_its_layers_are_made_without_it(two: Archive) -> None:
    two.expose("ib6o04tzq", east=1, science=np.zeros((64, 64)))
    report = two.night()
    assert list(report.reconcile.refused) == ["ib6o04tz"]
    assert "has a finite value other than 0" in report.reconcile.refused["ib6o04tz"]
    assert report.reconcile.failed == 0
    row = two.exposure("ib6o04tz")
    assert (row.eligible, row.ineligible_rule) == (False, "empty")
    assert two.reasons() == {}
    assert two.night().reconcile.layers == []


def test_a_product_that_was_renamed_but_not_recorded_is_recognised(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.expose()

    def die(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module, "record_product", die)
    with pytest.raises(KeyboardInterrupt):
        archive.night()
    monkeypatch.undo()
    before = archive.product_files()
    assert len(before) == 1
    report = archive.reconcile()
    assert [Path(outcome.product).name for outcome in report.layers] == [
        name for name in (f"{COARSE}_drz.fits", f"{FINE}_drz.fits") if name not in before
    ]
    assert {name: archive.product_files()[name] for name in before} == before
    assert archive.reasons() == {}


def test_leftovers_of_a_killed_run_are_swept(two: Archive) -> None:
    left = two.products / CELL / f".{FINE}_drz.fits.12345.tmp"
    left.write_bytes(b"half")
    two.expose("ib6o04tzq", east=1)
    two.night()
    assert not left.exists()


def test_a_catalog_made_anew_finds_every_product_fresh(two: Archive) -> None:
    set_pixels(two.inbox / "ib6o04twq_flt.fits", np.full((64, 64), 5.0))
    two.night()  # this product knows the member by the digest of its pixels, a new catalog by a token
    two.expose("ib6o05tuq", filters="F140W")
    two.night()
    before = two.product_files()
    sql = "SELECT layer, recipe_digest, data_digest, n_members FROM product ORDER BY layer"
    products = two.rows(sql)
    two.lose_catalog()
    two.use_hap()
    report = two.night()
    assert report.reconcile.layers == []
    assert two.product_files() == before
    assert two.rows(sql) == products


def test_full_rebuilds_everything_with_the_same_skies_and_resky_solves_them_anew(two: Archive) -> None:
    skies = two.rows("SELECT ipppssoo, sky FROM product_member ORDER BY 1, 2")
    assert two.reconcile(full=True).drizzled == 2
    assert two.rows("SELECT ipppssoo, sky FROM product_member ORDER BY 1, 2") == skies
    assert two.reconcile(resky=True).drizzled == 2
    assert two.reasons() == {}


def test_only_the_sky_cells_asked_for_are_touched(archive: Archive) -> None:
    archive.expose()
    archive.expose("ib6o04twq", ra=139.088, dec=-13.997)
    archive.ingest()
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        from mvmdb.catalog.ask.cells import resolve_cells

        cells = resolve_cells(connection, ["p1000x11y11"])
    assert archive.reconcile(cells=cells).drizzled == 2
    assert {name.split("_")[1] for name in archive.product_files()} == {"skycell-p1000x11y11"}
    assert set(archive.reasons()) == {FINE, COARSE}
    assert archive.reasons(cells=cells) == {}


def test_a_busy_folder_is_left_alone(two: Archive) -> None:
    from mvmdb.errors import BusyError

    two.expose("ib6o04tzq", east=1)
    before = two.product_files()
    with claim_folder(two.products), pytest.raises(BusyError):
        two.night()
    assert two.product_files() == before


def test_exposures_are_never_changed(two: Archive) -> None:
    def state() -> dict[str, tuple[bytes, int]]:
        return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in two.inbox.iterdir()}

    before = state()
    two.reconcile(full=True)
    assert state() == before
