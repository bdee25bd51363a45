"""Ingest: what is registered, skipped, chosen, quarantined and recomputed, on real files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from archive import CELL, COARSE, FINE, Archive
from fitsfiles import realign, set_keywords, set_pixels, write_exposure
from monitors import NotingMonitor

from mvmdb.catalog.exposures import ingest as ingest_module
from mvmdb.catalog.exposures import read_files as reading_module
from mvmdb.catalog.exposures.ingest import ingest_files
from mvmdb.catalog.open import open_catalog
from mvmdb.exposures.find import find_exposures
from mvmdb.photometry import identify_calibrated
from mvmdb.workers.processes import IN_THIS_PROCESS


def test_a_new_exposure_is_registered_with_its_cells_and_layers(archive: Archive) -> None:
    archive.expose()
    report = archive.ingest()
    assert (report.found, report.new, report.unchanged, report.ineligible, report.memberships) == (1, 1, 0, 0, 1)
    assert archive.rows("SELECT name FROM skycell") == [(CELL,)]
    assert archive.rows("SELECT name, n_exposures, scale FROM layer ORDER BY name") == [
        (FINE, 1, "fine"),
        (COARSE, 1, "coarse"),
    ]
    row = archive.exposure("ib6o04tu")
    assert (row.filter, row.proposal_id, row.program, row.visit, row.eligible) == ("f125w", 11359, "B6O", "04", True)
    assert row.pixels.startswith("t:")
    assert row.pixel_digest is None


def test_an_unchanged_file_is_not_opened_again(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.expose()
    archive.ingest()

    def refuse(task: object) -> None:
        raise AssertionError("a file was read")

    monkeypatch.setattr(reading_module, "read_task", refuse)
    report = archive.ingest()
    assert (report.new, report.changed, report.unchanged) == (0, 0, 1)


def test_ingesting_twice_changes_no_row(archive: Archive) -> None:
    archive.expose()
    archive.expose("ib6o04twq", east=3)
    tables = ("exposure", "dataset", "membership", "layer", "layer_member", "skycell")
    archive.ingest()
    before = [archive.rows(f"SELECT * FROM {table}") for table in tables]
    for path in archive.inbox.iterdir():
        os.utime(path)  # new times: the files are read again, and say the same
    assert archive.ingest().changed == 2
    after = [archive.rows(f"SELECT * FROM {table}") for table in tables]
    drop = {"dataset": {"mtime_ns"}, "exposure": {"changed_at", "pixel_digest"}}
    for table, old, new in zip(tables, before, after, strict=True):
        if table not in drop:
            assert old == new
    sql = "SELECT ipppssoo, pixels, wcs_digest, s_region, path FROM exposure ORDER BY id"
    assert len(archive.rows(sql)) == 2


def test_order_of_ingest_does_not_matter(archive: Archive, tmp_path: Path) -> None:
    one, two = archive.expose(), archive.expose("ib6o04twq", east=4)
    other = Archive(tmp_path, str(tmp_path / "other.db"))
    archive.ingest(one)
    archive.ingest(two)
    other.ingest(two)
    other.ingest(one)
    sql = "SELECT name, recipe_digest, area_arcmin2, mean_exposures FROM layer ORDER BY name"
    assert archive.rows(sql) == other.rows(sql)


def test_flc_and_flt_of_one_exposure_are_counted_once_and_the_flc_is_active(archive: Archive) -> None:
    archive.expose("j8oz04kpq", detector="WFC", kind="flt")
    archive.ingest()
    assert archive.exposure("j8oz04kp").kind == "flt"
    archive.expose("j8oz04kpq", detector="WFC", kind="flc")
    report = archive.ingest()
    assert report.new == 1
    assert archive.exposure("j8oz04kp").kind == "flc"
    assert archive.rows("SELECT n_exposures, kind FROM layer") == [(1, "flc")]
    assert archive.rows("SELECT kind, active FROM dataset ORDER BY kind") == [("flc", 1), ("flt", 0)]


def test_the_better_solution_of_pipeline_and_svm_copies_is_active_in_either_order(archive: Archive) -> None:
    svm_name = "hst_11359_04_wfc3_ir_f125w_ib6o04tu_flt.fits"
    better = {"wcsname": "IDC_w3m18525i-FIT_SVM_GAIAeDR3", "filename": svm_name}
    archive.expose()
    archive.ingest()
    archive.expose(**better)
    report = archive.ingest()
    assert archive.exposure("ib6o04tu").filename == svm_name
    assert archive.exposure("ib6o04tu").astrometric_catalog == "GAIAeDR3"
    assert archive.rows("SELECT count(*) FROM exposure") == [(1,)]
    assert report.passive == {}
    (archive.inbox / svm_name).touch()
    os.utime(archive.inbox / "ib6o04tuq_flt.fits")
    report = archive.ingest()
    assert report.passive == {str(archive.inbox / "ib6o04tuq_flt.fits"): str(archive.inbox / svm_name)}
    assert archive.exposure("ib6o04tu").filename == svm_name


def test_two_files_of_one_name_in_different_folders_are_one_exposure_and_both_are_told_of(archive: Archive) -> None:
    first = archive.expose(folder=archive.inbox / "a")
    second = archive.expose(folder=archive.inbox / "b", proctime=57700.0)
    report = archive.ingest()
    assert (report.found, report.new) == (2, 2)
    assert report.passive == {str(first): str(second)}
    assert archive.exposure("ib6o04tu").path == str(second)
    assert archive.rows("SELECT n_exposures FROM layer") == [(1,), (1,)]


def test_when_the_active_file_gets_worse_another_takes_over(archive: Archive) -> None:
    pipeline = archive.expose()
    svm = archive.expose(
        wcsname="IDC_w3m18525i-FIT_SVM_GAIAeDR3", filename="hst_11359_04_wfc3_ir_f125w_ib6o04tu_flt.fits"
    )
    archive.ingest()
    realign(svm, wcsname="OPUS")
    archive.ingest(svm)
    assert archive.exposure("ib6o04tu").path == str(pipeline)


def test_a_passive_copy_that_is_gone_does_not_take_over(archive: Archive) -> None:
    pipeline = archive.expose()
    svm = archive.expose(
        wcsname="IDC_w3m18525i-FIT_SVM_GAIAeDR3", filename="hst_11359_04_wfc3_ir_f125w_ib6o04tu_flt.fits"
    )
    archive.ingest()
    pipeline.unlink()
    realign(svm, wcsname="OPUS")
    archive.ingest(svm)
    assert archive.exposure("ib6o04tu").path == str(svm)
    assert archive.rows("SELECT count(*) FROM dataset") == [(1,)]


def test_a_new_wcs_recomputes_membership_and_may_move_an_exposure_out_of_its_cell(archive: Archive) -> None:
    path = archive.expose()
    archive.ingest()
    before = archive.exposure("ib6o04tu")
    realign(path, ra_arcsec=900, wcsname="IDC_w3m18525i-FIT_REL_GAIAeDR3")
    report = archive.ingest()
    after = archive.exposure("ib6o04tu")
    assert report.changed == 1
    assert after.wcs_digest != before.wcs_digest
    assert after.pixels == before.pixels
    cells = archive.rows("SELECT s.name FROM membership m JOIN skycell s ON s.id = m.skycell_id")
    assert cells
    assert (CELL,) not in cells
    assert archive.rows(f"SELECT count(*) FROM layer WHERE name = '{FINE}'") == [(0,)]
    assert archive.rows(f"SELECT x_min FROM skycell WHERE name = '{CELL}'") == [(None,)]


def test_new_pixels_under_the_same_headers_are_noticed_once_their_digest_was_known(archive: Archive) -> None:
    path = archive.expose()
    archive.night()
    known = archive.exposure("ib6o04tu")
    assert known.pixel_digest.startswith("d:")
    set_pixels(path, np.full((64, 64), 3.0))
    archive.ingest()
    changed = archive.exposure("ib6o04tu")
    assert changed.pixel_digest != known.pixel_digest
    assert changed.pixels == identify_calibrated(changed.pixel_digest, changed.photometry)


def test_a_rewritten_file_with_the_same_pixels_keeps_their_identity(archive: Archive) -> None:
    path = archive.expose()
    archive.night()
    known = archive.exposure("ib6o04tu")
    set_keywords(path, 0, {"TARGNAME": "ANOTHER", "CAL_VER": "4.0"})
    archive.ingest()
    assert archive.exposure("ib6o04tu").pixels == known.pixels
    assert archive.exposure("ib6o04tu").target == "ANOTHER"
    assert archive.reasons() == {}


def test_ineligible_exposures_are_in_the_catalog_with_the_reason_and_in_no_layer(archive: Archive) -> None:
    archive.expose(filters="G141", primary={"OBSTYPE": "SPECTROSCOPIC"})
    report = archive.ingest()
    assert (report.new, report.ineligible) == (1, 1)
    row = archive.exposure("ib6o04tu")
    assert not row.eligible
    assert "spectroscopic element" in row.ineligible_rule
    assert "G141" in row.ineligible_reason
    assert archive.rows("SELECT count(*) FROM membership") == [(1,)]
    assert archive.rows("SELECT count(*) FROM layer") == [(0,)]


def test_bad_files_are_quarantined_with_reasons_and_the_others_go_in(archive: Archive) -> None:
    good = archive.expose("ib6o04twq")
    (archive.inbox / "ib6o04t1q_flt.fits").write_text("no FITS file at all")
    cut = archive.expose("ib6o04t2q")
    cut.write_bytes(cut.read_bytes()[:-5000])
    shutil.copy(good, archive.inbox / "ib6o04t3q_flt.fits")  # its ROOTNAME says something else
    archive.expose("ib6o04t4q", primary={"ROOTNAME": "../../etc"})
    report = archive.ingest()
    assert (report.new, report.quarantined) == (1, 4)
    assert sorted(Path(problem.path).name[7] for problem in report.problems) == ["1", "2", "3", "4"]
    assert archive.rows("SELECT count(*) FROM quarantine") == [(4,)]
    assert archive.rows("SELECT ipppssoo FROM exposure") == [("ib6o04tw",)]


def test_a_quarantined_file_that_is_mended_leaves_quarantine(archive: Archive) -> None:
    path = archive.inbox / "ib6o04tuq_flt.fits"
    path.write_text("half a file")
    assert archive.ingest().quarantined == 1
    assert archive.ingest().quarantined == 1, "still bad, still told of"
    archive.expose()
    assert archive.ingest().new == 1
    assert archive.rows("SELECT count(*) FROM quarantine") == [(0,)]


def test_exposures_without_solution_are_ineligible_not_lost(archive: Archive) -> None:
    archive.expose("ib6o04t1q", sci={"WCSNAME": None})
    path = archive.expose("ib6o04t2q")
    raw = path.read_bytes()
    card = next(raw[i : i + 80] for i in range(0, len(raw), 80) if raw[i : i + 8] == b"CRVAL1  ")
    path.write_bytes(raw.replace(card, b"CRVAL1  =                  NaN".ljust(80)))
    report = archive.ingest()
    assert (report.new, report.ineligible, report.quarantined) == (2, 2, 0)
    rules = archive.rows("SELECT ipppssoo, ineligible_rule FROM exposure ORDER BY ipppssoo")
    assert rules == [("ib6o04t1", "no solution"), ("ib6o04t2", "no solution")]


def test_a_known_file_that_breaks_keeps_its_exposure(archive: Archive) -> None:
    path = archive.expose()
    archive.ingest()
    path.write_bytes(path.read_bytes()[:4000])
    assert archive.ingest().quarantined == 1
    assert archive.rows("SELECT count(*) FROM layer") == [(2,)]


def test_a_file_replaced_by_another_exposure_gives_up_the_first(archive: Archive) -> None:
    path = archive.expose(filename="one.fits")
    archive.ingest(path)
    path.unlink()
    archive.expose("ib6o04twq", filename="one.fits", east=2)
    archive.ingest(path)
    rows = archive.rows("SELECT e.ipppssoo, d.path FROM exposure e JOIN dataset d ON d.exposure_id = e.id")
    assert rows == [("ib6o04tw", str(path))]


def test_a_batch_that_fails_leaves_nothing_and_the_next_run_completes(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.expose()
    archive.expose("ib6o04twq")

    def fail(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ingest_module, "write_quarantine", fail)
    with pytest.raises(KeyboardInterrupt):
        archive.ingest()
    assert archive.rows("SELECT count(*) FROM exposure") == [(0,)]
    assert archive.rows("SELECT count(*) FROM layer") == [(0,)]
    monkeypatch.undo()
    assert archive.ingest().new == 2


def test_progress_counts_every_file(archive: Archive) -> None:
    archive.expose()
    archive.ingest()
    archive.expose("ib6o04twq")
    monitor = NotingMonitor()
    with open_catalog(archive.address) as engine:
        paths = find_exposures([archive.inbox]).paths
        ingest_files(engine, paths, workers=IN_THIS_PROCESS, monitor=monitor)
    assert monitor.announced == [2]
    assert sum(monitor.read) == 2


def test_inputs_are_never_changed(archive: Archive) -> None:
    path = write_exposure(archive.inbox)
    path.chmod(0o444)
    before = path.read_bytes()
    archive.ingest()
    assert path.read_bytes() == before
