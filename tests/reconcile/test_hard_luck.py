"""Nights that go wrong: kills, vanished files, other people's mosaics, two commands at once. Nothing is lost."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
from archive import CELL, COARSE, FINE, Archive, names_to_list
from astropy.io import fits
from databases import ON_SQLITE
from fitsfiles import realign, set_keywords, write_exposure

from mvmdb.catalog.ask.describe import describe
from mvmdb.catalog.open import open_catalog
from mvmdb.errors import BusyError, InputError
from mvmdb.jobs.lock import claim_folder
from mvmdb.monitor import Monitor
from mvmdb.mosaic.product.read import read_product
from mvmdb.nightly import run_night
from mvmdb.pollers.files import read_poller
from mvmdb.process import process_poller
from mvmdb.reconcile import run as run_module
from mvmdb.reconcile.layer_jobs import Options
from mvmdb.reconcile.run import reconcile
from mvmdb.records import Plan, Policy
from mvmdb.workers.processes import IN_THIS_PROCESS

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("extension", "keyword", "value"), [(0, "EXPTIME", 99.0), (1, "BUNIT", "ELECTRONS"), (1, "IDCSCALE", 0.14)]
)
def test_a_keyword_that_scales_the_pixels_is_a_recalibration(
    two: Archive, extension: int, keyword: str, value: object
) -> None:
    set_keywords(two.inbox / "ib6o04tuq_flt.fits", extension, {keyword: value})
    two.ingest()
    assert two.reasons()[FINE] == [("member-recalibrated", "ib6o04tu")]
    two.reconcile()
    assert two.reasons() == {}
    if keyword == "EXPTIME":
        assert two.rows(f"SELECT exptime FROM layer WHERE name = '{FINE}'") == [(pytest.approx(99.0 + 802.934753),)]


def test_an_exposure_that_comes_between_plan_and_job_is_in_the_product_and_in_its_digest(archive: Archive) -> None:
    archive.expose()
    archive.ingest()
    second = archive.expose("ib6o04twq", east=2)

    class Meanwhile(Monitor):
        def plan_known(self, n_layers: int, plan: Plan | None = None) -> None:
            archive.ingest(second)

    with open_catalog(archive.address) as engine:
        reconcile(engine, archive.products, Policy(), Options(), workers=IN_THIS_PROCESS, monitor=Meanwhile())
    expected = dict(archive.rows("SELECT name, recipe_digest FROM layer"))
    for layer in (FINE, COARSE):
        record = read_product(archive.products / CELL / f"{layer}_drz.fits", deep=True)
        assert len(record.members) == 2
        assert record.recipe_digest == expected[layer]
    assert archive.reasons() == {}


def test_an_empty_exposure_that_held_the_canvas_open_leaves_nothing_stale(archive: Archive, tmp_path: Path) -> None:
    archive.expose()
    archive.expose("ib6o05tuq", filters="F140W")
    archive.expose("ib6o05twq", filters="F140W", east=20, science=np.zeros((64, 64)))
    report = archive.night()
    assert (list(report.reconcile.refused), report.reconcile.failed) == (["ib6o05tw"], 0)
    assert archive.reasons() == {}
    poller = archive.products / CELL / f"{CELL}_input.planned"
    process_poller(poller, tmp_path / "out", Policy(), workers=IN_THIS_PROCESS)
    canvases = {read_product(path).canvas for path in (tmp_path / "out" / CELL).glob("*.fits")}
    assert canvases == {read_product(archive.products / CELL / f"{FINE}_drz.fits").canvas}


@ON_SQLITE
def test_somebody_elses_file_is_not_written_over(archive: Archive) -> None:
    archive.expose()
    path = archive.products / CELL / f"{FINE}_drz.fits"
    path.parent.mkdir(parents=True)
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.ones((5, 5)), name="SCI")]).writeto(path)
    dear = path.read_bytes()
    report = archive.night().reconcile
    assert (report.drizzled, report.failed) == (1, 1)
    assert path.read_bytes() == dear
    path.unlink()
    assert archive.night().reconcile.failed == 0


@ON_SQLITE
def test_a_path_that_no_poller_can_hold_costs_its_cells_poller_only(archive: Archive) -> None:
    archive.expose(folder=archive.inbox / "a,b")
    archive.expose("ib6o04twq", ra=139.088, dec=-13.997)
    report = archive.night()
    assert [problem.split(":")[0] for problem in report.poller_problems] == [CELL]
    assert [Path(path).parent.name for path in report.pollers] == ["skycell-p1000x11y11"]
    assert (report.reconcile.drizzled, report.reconcile.failed) == (4, 0)


@ON_SQLITE
def test_two_exposures_under_one_file_name_are_both_in_the_mosaic_and_in_the_poller(archive: Archive) -> None:
    archive.expose(folder=archive.inbox / "a", filename="image_flt.fits")
    archive.expose("ib6o04twq", folder=archive.inbox / "b", filename="image_flt.fits", east=2)
    report = archive.night()
    assert report.poller_problems == []
    assert len(read_poller(report.pollers[0]).rows) == 2
    assert archive.rows("SELECT DISTINCT n_exposures FROM layer") == [(2,)]


@ON_SQLITE
def test_files_with_impossible_names_or_numbers_are_told_of_and_the_others_go_in(archive: Archive) -> None:
    good = archive.expose()
    shutil.copy(good, os.fsencode(archive.inbox) + b"/ib6o04\xff1q_flt.fits")
    archive.expose("ib6o04t2q", primary={"PROPOSID": 99999999999999999999})
    archive.expose("ib6o04t3q", dq=np.zeros((32, 32)))
    archive.expose("ib6o04t4q", primary={"EXPTIME": 1e40})
    report = archive.ingest()
    assert (report.new, report.quarantined) == (1, 4)
    reasons = " ".join(problem.reason for problem in report.problems)
    assert all(word in reasons for word in ("UTF-8", "PROPOSID", "(32, 32)", "EXPTIME"))


@ON_SQLITE
def test_a_product_that_comes_between_plan_and_job_is_no_strangers(archive: Archive) -> None:
    archive.expose()
    archive.night()
    made = {path: path.read_bytes() for path in archive.products.glob("*/*.fits")}
    archive.lose_catalog()
    for path in made:
        path.unlink()
    archive.ingest()

    class Meanwhile(Monitor):
        def plan_known(self, n_layers: int, plan: Plan | None = None) -> None:
            for path, content in made.items():
                path.write_bytes(content)

    with open_catalog(archive.address) as engine:
        report = reconcile(engine, archive.products, Policy(), Options(), workers=IN_THIS_PROCESS, monitor=Meanwhile())
    assert (report.drizzled, report.failed) == (2, 0)
    assert archive.reasons(deep=True) == {}


def kill_before_the_record(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """A night that is killed when a product is in place, and not yet recorded."""

    def die(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "record_product", die)
        with pytest.raises(KeyboardInterrupt):
            archive.night()


def test_a_kill_before_the_record_leaves_a_manifest_and_a_product_that_is_recognised(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.expose("j8oz04kpq", detector="WFC", kind="flt")
    archive.night()
    archive.expose("j8oz04kpq", detector="WFC", kind="flc")
    kill_before_the_record(archive, monkeypatch)
    made = archive.product_files()
    assert [name[-8:] for name in made] == ["drc.fits"]
    report = archive.night()
    assert report.reconcile.layers == []
    assert archive.product_files() == made
    manifest = archive.products / CELL / f"{CELL}_manifest.txt"
    assert manifest.read_text().split() == names_to_list(made)


@ON_SQLITE
def test_a_superseded_product_that_a_kill_left_behind_is_swept(archive: Archive) -> None:
    archive.expose("j8oz04kpq", detector="WFC", kind="flt")
    archive.night()
    (old,) = (archive.products / CELL).glob("*_drz.fits")
    kept = old.read_bytes()
    archive.expose("j8oz04kpq", detector="WFC", kind="flc")
    archive.night()
    old.write_bytes(kept)
    archive.night()
    assert [name[-8:] for name in archive.product_files()] == ["drc.fits"]
    manifest = archive.products / CELL / f"{CELL}_manifest.txt"
    assert manifest.read_text().split() == names_to_list(archive.product_files())


def test_a_copy_takes_the_place_of_an_active_file_that_is_gone(two: Archive, tmp_path: Path) -> None:
    copy = write_exposure(two.inbox, filename="hst_11359_04_wfc3_ir_f125w_ib6o04tu_flt.fits", ra=52.68, dec=-26.0)
    os.utime(copy, (1e9, 1e9))
    two.ingest()
    active = Path(two.exposure("ib6o04tu").path)
    other = copy if active != copy else two.inbox / "ib6o04tuq_flt.fits"
    active.unlink()
    two.expose("ib6o04tzq", east=1)
    two.ingest(two.inbox / "ib6o04tzq_flt.fits")
    report = two.reconcile(full=True)
    assert report.failed == 0
    assert two.exposure("ib6o04tu").path == str(other)
    assert two.reasons() == {}


def test_touching_a_product_keeps_its_history(two: Archive) -> None:
    sql = f"SELECT last_action, last_reasons, data_digest FROM product WHERE layer = '{FINE}'"
    before = two.rows(sql)
    os.utime(two.products / CELL / f"{FINE}_drz.fits")
    assert two.reasons() == {}
    assert two.rows(sql) == before


@ON_SQLITE
def test_a_changed_card_of_a_product_is_damage(two: Archive) -> None:
    path = two.products / CELL / f"{FINE}_drz.fits"
    status = path.stat()
    raw = path.read_bytes()
    card = next(raw[i : i + 80] for i in range(0, 28800, 80) if raw[i : i + 8] == b"NDRIZIM ")
    path.write_bytes(raw.replace(card, card.replace(b"2", b"7", 1), 1))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert two.reasons(deep=True)[FINE] == [("product-damaged", None)]


@ON_SQLITE
def test_a_member_that_sorts_first_gives_its_photometry_when_it_is_added(two: Archive) -> None:
    two.expose("ib6o04taq", east=1, primary={"PHOTFLAM": 7e-20}, sci={"PHOTFLAM": 7e-20})
    two.night()
    path = two.products / CELL / f"{FINE}_drz.fits"
    added = fits.getheader(path)["PHOTFLAM"]
    two.reconcile(full=True)
    assert added == fits.getheader(path)["PHOTFLAM"] == 7e-20


@ON_SQLITE
def test_s_region_of_a_product_is_counter_clockwise_as_seen_on_the_sky(two: Archive) -> None:
    words = fits.getheader(two.products / CELL / f"{FINE}_drz.fits", "SCI")["S_REGION"].split()[2:]
    ra, dec = np.array(words, dtype=float).reshape(-1, 2).T
    east = -ra  # seen from inside, east is to the left
    assert np.sum(east * np.roll(dec, -1) - np.roll(east, -1) * dec) > 0


@ON_SQLITE
def test_a_folder_in_the_place_of_a_product_costs_its_layer_only(two: Archive) -> None:
    path = two.products / CELL / f"{FINE}_drz.fits"
    path.unlink()
    path.mkdir()
    report = two.night().reconcile
    assert (report.failed, report.problems) == (1, [])
    path.rmdir()
    assert two.night().reconcile.drizzled == 1


@ON_SQLITE
def test_a_file_in_the_place_of_a_cells_folder_costs_that_cell_only(archive: Archive) -> None:
    archive.expose()
    archive.expose("ib6o04twq", ra=139.088, dec=-13.997)
    archive.products.mkdir()
    (archive.products / CELL).write_text("in the way")
    report = archive.night()
    assert (report.reconcile.drizzled, report.reconcile.failed) == (2, 2)
    assert len(report.poller_problems) == 1
    archive.look()
    (archive.products / CELL).unlink()
    assert archive.night().reconcile.drizzled == 2


@ON_SQLITE
def test_the_poller_of_a_cell_that_lost_its_layers_goes_with_them(two: Archive) -> None:
    two.environ = {"MVM_ONLY_CTE": "on"}
    two.expose("j8oz04kpq", detector="WFC", kind="flt", ra=139.088, dec=-13.997)
    two.environ = {}
    two.night()
    poller = two.products / "skycell-p1000x11y11" / "skycell-p1000x11y11_input.out"
    assert poller.exists()
    two.environ = {"MVM_ONLY_CTE": "on"}
    two.night()
    assert not poller.exists()


def test_an_unusable_products_folder_is_not_recorded(two: Archive, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with open_catalog(two.address) as engine, pytest.raises(InputError):
        run_night(engine, [], tmp_path / "file" / "products", Policy())
    assert two.rows("SELECT value FROM archive WHERE key = 'products'") == [(str(two.products),)]


@ON_SQLITE
def test_rows_of_several_cells_and_of_two_files_of_an_exposure_are_all_heeded(two: Archive, tmp_path: Path) -> None:
    path = two.inbox / "ib6o04tuq_flt.fits"
    row = f"ib6o04tuq_flt.fits,11359,B6O,04,802.9,F125W,IR,{CELL},{{}},{path}\n"
    elsewhere = row.replace(CELL, "skycell-p1000x11y11")
    poller = tmp_path / "poller.out"
    poller.write_text(row.format("NEW") + elsewhere.format("NEW"))
    report = process_poller(poller, tmp_path / "a", Policy(), workers=IN_THIS_PROCESS)
    assert report.drizzled == 2
    assert report.refused == {"ib6o04tu": "it does not overlap skycell-p1000x11y11"}
    poller.write_text(elsewhere.format("NEW"))
    with pytest.raises(InputError, match="does not overlap"):
        process_poller(poller, tmp_path / "b", Policy(), workers=IN_THIS_PROCESS)
    copy = two.expose(filename="hst_11359_04_wfc3_ir_f125w_ib6o04tu_flt.fits", folder=tmp_path / "copies")
    poller.write_text(row.format("NEW") + row.replace(str(path), str(copy)).format("OLD"))
    assert process_poller(poller, tmp_path / "c", Policy(), workers=IN_THIS_PROCESS).drizzled == 2


@ON_SQLITE
def test_one_broken_file_of_a_poller_is_told_of_and_the_rest_goes_on(two: Archive, tmp_path: Path) -> None:
    cut = two.inbox / "ib6o04twq_flt.fits"
    cut.write_bytes(cut.read_bytes()[:20000])
    report = process_poller(
        two.products / CELL / f"{CELL}_input.planned", tmp_path / "out", Policy(), workers=IN_THIS_PROCESS
    )
    assert (report.drizzled, list(report.refused)) == (2, ["ib6o04twq_flt.fits"])


def test_a_kind_that_changes_with_the_same_bytes_is_stale_in_diff_and_view(two: Archive) -> None:
    path = two.inbox / "ib6o04tuq_flt.fits"
    path.rename(two.inbox / "ib6o04tuq_flc.fits")
    two.ingest()
    reasons = two.reasons()
    assert ("member-recalibrated", "ib6o04tu") in reasons[FINE]
    assert {row[0] for row in two.rows("SELECT layer FROM stale_layer")} == set(reasons)
    two.reconcile()
    assert two.reasons() == {}
    realign(two.inbox / "ib6o04tuq_flc.fits", dec_arcsec=0.01)
    two.night()
    assert two.reasons() == {}


@ON_SQLITE
def test_leftovers_of_a_cell_without_work_are_swept(two: Archive) -> None:
    left = two.products / CELL / f".{FINE}_drz.fits.{socket.gethostname()}.12345.tmp"
    left.write_bytes(b"half")
    os.utime(left, (1e9, 1e9))
    assert two.night().reconcile.layers == []
    assert not left.exists()


def test_two_folders_of_one_catalog_are_not_worked_on_at_once(two: Archive, tmp_path: Path) -> None:
    before = two.product_files()
    with open_catalog(two.address) as engine, claim_folder(two.products), pytest.raises(BusyError, match="on "):
        reconcile(engine, tmp_path / "other", Policy(), Options(), workers=IN_THIS_PROCESS)
    assert two.product_files() == before
    assert two.rows("SELECT value FROM archive WHERE key = 'products'") == [(str(two.products),)]


def test_explain_knows_what_a_killed_run_did(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.expose("j8oz04kpq", detector="WFC", kind="flc")
    kill_before_the_record(archive, monkeypatch)
    archive.look()
    ((layer,),) = archive.rows("SELECT layer FROM product")
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        lines = describe(connection, layer, Policy()).lines
    assert any("drizzle" in line and "by a run that was killed, because: product-missing" in line for line in lines)
