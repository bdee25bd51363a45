"""Layers with members that are known from a table alone wait for their files: no failure, no attempt, no exit code."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from archive import CELL, COARSE, FINE, Archive
from click.testing import CliRunner, Result

from mvmdb.cli import commands

WAITS = f"{FINE}: waits for the files of 1 exposure"


def run(archive: Archive, *words: object) -> Result:
    return CliRunner().invoke(commands, ["--db", archive.address, *map(str, words)])


def import_rows(archive: Archive, *paths: Path) -> None:
    """Import exposures as a table has them, the files being out of reach."""
    from mvmdb.exposures.read import read_exposure

    table = archive.folder / "rows.csv"
    with table.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("obs_id", "instrument_name", "filters", "t_exptime", "s_region", "proposal_id"))
        for path in paths:
            e = read_exposure(path).exposure
            name = f"{e.instrument}/{e.detector}"
            writer.writerow((e.rootname, name, e.filters, e.exptime, e.s_region, e.proposal_id))
    assert run(archive, "import", table).exit_code == 0


@pytest.fixture
def half(archive: Archive) -> Archive:
    """One exposure with a file, and one in its layers that a table named; its file lies elsewhere."""
    archive.expose()
    archive.ingest()
    import_rows(archive, archive.expose("ib6o04twq", east=1, folder=archive.folder / "elsewhere"))
    return archive


def counts(archive: Archive) -> list[tuple[Any, ...]]:
    return archive.rows("SELECT name, n_exposures, n_waiting FROM layer ORDER BY name")


def test_a_layer_of_table_rows_waits_and_nothing_fails(archive: Archive) -> None:
    import_rows(archive, archive.expose(folder=archive.folder / "elsewhere"))
    assert counts(archive) == [(FINE, 1, 1), (COARSE, 1, 1)]
    for command in ("status", "reconcile", "poller"):
        folder = [] if command == "status" else ["-o", archive.products]
        result = run(archive, command, *folder)
        assert (result.exit_code, "failed: " in result.output) == (0, False), result.output
    assert WAITS in run(archive, "status").output
    assert "2 waiting for files" in run(archive, "status").output
    assert "no poller is needed: 2 layers wait for files" in run(archive, "poller", "-o", archive.products).output
    assert archive.rows("SELECT failure FROM layer") == [(None,), (None,)]
    assert archive.product_files() == {}


def test_what_waits_is_told_in_json_and_sql_and_by_explain(half: Archive) -> None:
    status = json.loads(run(half, "status", "--json").output)
    assert (status["stale"], status["waiting"], status["stale_layers"]) == (0, 2, [])
    assert [(line["layer"], line["n_waiting"]) for line in status["waiting_layers"]] == [(FINE, 1), (COARSE, 1)]
    assert half.rows("SELECT layer, n_waiting FROM stale_layer ORDER BY layer") == [(FINE, 1), (COARSE, 1)]
    assert half.rows("SELECT DISTINCT n_exposures, n_waiting FROM coverage") == [(2, 1)]
    assert "It waits for the files of 1 of them: ib6o04tw." in run(half, "explain", FINE).output
    assert "its layers wait for its file" in run(half, "explain", "ib6o04tw").output
    report = json.loads(run(half, "reconcile", "-o", half.products, "--json").output)
    assert (report["drizzled"], report["failed"], report["waiting"]) == (0, 0, 2)


def test_the_layer_is_made_when_the_last_file_comes(half: Archive) -> None:
    assert half.reconcile().waiting == 2
    (file,) = (half.folder / "elsewhere").iterdir()
    half.ingest(file)
    assert counts(half) == [(FINE, 2, 0), (COARSE, 2, 0)]
    report = half.reconcile()
    assert (report.drizzled, report.failed, report.waiting) == (2, 0, 0)
    assert half.reasons() == {}


def test_available_makes_it_of_the_members_that_have_a_file_and_more_make_it_stale(half: Archive) -> None:
    report = half.reconcile(available=True)
    assert (report.drizzled, report.failed, report.waiting) == (2, 0, 0)
    made = half.product_files()
    assert half.rows("SELECT DISTINCT ipppssoo FROM product_member") == [("ib6o04tu",)]
    assert half.reconcile(available=True).layers == []  # it is what the files that are there give
    assert half.reconcile().waiting == 2  # and still not what it should be
    assert half.product_files() == made
    assert half.reasons()[FINE][0] == ("member-added", "ib6o04tw")
    (file,) = (half.folder / "elsewhere").iterdir()
    half.ingest(file)
    assert half.look().stale == 2
    report = half.reconcile()
    assert (len(report.layers), report.failed) == (2, 0)
    assert half.reasons() == {}


def test_available_has_the_recipe_and_skies_of_the_members_that_have_a_file(half: Archive) -> None:
    half.expose("ib6o04tyq", east=0.5)
    half.ingest()
    assert half.reconcile(available=True).failed == 0
    members = half.rows("SELECT ipppssoo, sky IS NOT NULL FROM product_member WHERE product_id = 1 ORDER BY ipppssoo")
    assert [(name, bool(matched)) for name, matched in members] == [("ib6o04tu", True), ("ib6o04ty", True)]
    ((recipe,),) = half.rows("SELECT recipe FROM product WHERE id = 1")
    assert json.loads(recipe)["sky_match"] is True


def test_nothing_available_goes_on_waiting(archive: Archive) -> None:
    import_rows(archive, archive.expose(folder=archive.folder / "elsewhere"))
    report = archive.reconcile(available=True)
    assert (report.layers, report.waiting) == ([], 2)


def test_a_night_makes_what_it_can_beside_what_waits(half: Archive) -> None:
    half.expose("ib6o04tyq", filters="F160W")
    result = run(half, "nightly", half.inbox, "-o", half.products, "--executor", "serial")
    assert result.exit_code == 0, result.output
    assert "2 drizzled" in result.output
    assert "2 waiting for files" in result.output
    poller = half.products / CELL / f"{CELL}_input.out"
    assert [line.split(",")[0][:8] for line in poller.read_text().splitlines()] == ["ib6o04tu", "ib6o04ty"]


def test_padding_a_mosaic_needs_no_file(half: Archive) -> None:
    """A product stays in step with the canvas of its cell though one of its members is known from a table alone."""
    (file,) = (half.folder / "elsewhere").iterdir()
    half.ingest(file)
    half.reconcile()
    with_table = Archive(half.folder, half.address)
    with_table.expose("ib6o04tyq", filters="F160W", east=10)
    with_table.ingest()
    assert half.actions()[FINE] == "recanvas"
    assert half.look().waiting == 0
