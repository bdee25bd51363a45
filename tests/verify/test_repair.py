"""--repair brings back what has one right answer, and leaves everything else alone."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from archive import CELL, FINE, Archive, call
from mending import mend_rows
from verifying import ROWS, damage, fill

from mvmdb.catalog.open import open_catalog
from mvmdb.jobs.lock import claim_folder
from mvmdb.records import Policy
from mvmdb.verify import run as run_module
from mvmdb.verify.look import Inspected as Verified
from mvmdb.verify.run import verify

pytestmark = pytest.mark.slow

GROUPS = [
    ["pixels", "box", "inactive", "canvas", "members digest", "count", "layer's filter", "product's count",
     "no product member"],
    ["member digest", "no membership", "rank", "cell's center", "no member", "unlinked product", "product's recipe",
     "layer's name"],
    ["kind", "no such camera", "eligible", "no region", "membership elsewhere", "a member more", "recipe",
     "recipe digest", "product's digest", "product's file"],
    ["no row of a file", "pruned", "product's layer", "canvas"],
    ["path of a file", "why it is eligible", "product's proof", "area"],
    ["no path", "product's folder", "recipe digest", "box"],
    ["path", "why it is not withdrawn", "product's state", "cell's center"],
    ["wcs digest", "position", "area", "no canvas", "made digest", "product of another", "dangling member",
     "product's pixels", "no layer"],
]  # fmt: skip
"""Damage by hand that is done at the same time; each must be undone to the last column."""


def statements(names: list[str]) -> list[str]:
    return [ROWS[name][0] for name in names]


def test_rows_changed_by_hand_become_what_they_were(tmp_path: Path) -> None:
    mend_rows(Archive(tmp_path, str(tmp_path / "mvm.db")), map(statements, GROUPS))


def test_rows_changed_by_hand_become_what_they_were_on_postgresql(
    tmp_path: Path, postgres: Any, request: pytest.FixtureRequest
) -> None:
    address = postgres.make_catalog()
    request.addfinalizer(lambda: postgres.drop_database(address))
    mend_rows(Archive(tmp_path, postgres.address(address)), [statements(GROUPS[-1])])


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    fill(archive)
    return archive


def test_files_are_mended_as_far_as_there_is_one_right_answer(archive: Archive) -> None:
    folder = archive.products / CELL
    products = sorted(folder.glob("*.fits"))
    os.truncate(products[0], 2880)
    products[1].unlink()
    products[2].touch()
    (folder / f".{FINE}_drz.fits.17.tmp").write_text("")
    (folder / f"{CELL}_manifest.txt").write_text("abc\n")
    gone = folder / f"{products[2].name.removesuffix('_drz.fits')}_trl.txt"
    edited = next(path for path in archive.products.glob("*/*_trl.txt") if path.parent != folder)
    logs = {path: path.read_text() for path in (gone, edited)}
    gone.unlink()
    edited.write_text("mine")
    (folder / f"{CELL}_input.out").write_text("a,b\n")
    foreign = folder / f"{FINE.replace('f125w', 'f160w')}_drz.fits"
    foreign.write_text("mine")
    (archive.inbox / "ib6o04tuq_flt.fits").touch()
    exposures = {path: path.read_bytes() for path in archive.inbox.glob("*.fits")}

    done = call(archive, "verify", "--repair", "--deep", "--executor", "serial", "--json")
    value = json.loads(done.output)
    left = {problem["kind"] for problem in value["problems"] if not problem["repaired"]}
    assert (done.exit_code, left) == (1, {"exposure-changed", "product-foreign"})
    assert value["repaired"] == len(value["problems"]) - 2 >= 6
    assert "trailer-wrong" in {problem["kind"] for problem in value["problems"]}
    assert {path: path.read_text() for path in logs} == logs
    assert foreign.read_text() == "mine"
    assert {path: path.read_bytes() for path in archive.inbox.glob("*.fits")} == exposures
    assert not list(folder.glob(".*.tmp"))
    again = json.loads(call(archive, "verify", "--json").output)
    assert {problem["kind"] for problem in again["problems"]} == left
    assert again["known_losses"] == 2

    foreign.unlink()
    archive.night()
    assert call(archive, "verify", "--deep", "--executor", "serial").exit_code == 0
    kinds = {kind for (kind,) in archive.rows("SELECT kind FROM event WHERE run_id IS NOT NULL")}
    assert {"repaired", "layer-missing", "layer-damaged"} <= kinds
    assert archive.rows("SELECT command, exit_code FROM run") == [("verify", 1)]


def test_what_stands_in_the_place_of_a_manifest_is_replaced(archive: Archive) -> None:
    manifest = archive.products / CELL / f"{CELL}_manifest.txt"
    before = manifest.read_bytes()
    for plant in (lambda: os.mkfifo(manifest), lambda: manifest.symlink_to("/dev/zero")):
        manifest.unlink()
        plant()
        assert call(archive, "verify", "--repair").exit_code == 0
        assert not manifest.is_symlink()
        assert manifest.read_bytes() == before


def test_repair_waits_for_no_other_run_and_distrusts_an_empty_folder(archive: Archive) -> None:
    with claim_folder(archive.products):
        refused = call(archive, "verify", "--repair")
        assert "another run" in str(refused.exception)
        assert call(archive, "verify").exit_code == 0
    shutil.rmtree(archive.products)
    archive.products.mkdir()
    assert "is its volume mounted?" in str(call(archive, "verify", "--repair").exception)
    assert archive.rows("SELECT DISTINCT state FROM product") == [("intact",)]
    assert call(archive, "verify", "--repair", "--yes").exit_code == 0
    assert archive.rows("SELECT DISTINCT state FROM product") == [("missing",)]


def test_what_another_run_changes_between_two_looks_is_not_reported(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_catalog(archive.address) as engine:
        damage(engine, "UPDATE layer SET n_exposures = n_exposures + 1")
        first_look = run_module.look

        def look(*arguments: Any) -> Any:
            looked = first_look(*arguments)
            assert looked.findings
            monkeypatch.undo()
            damage(engine, "UPDATE layer SET n_exposures = n_exposures - 1")
            return looked

        monkeypatch.setattr(run_module, "look", look)
        assert verify(Verified(engine.begin, Policy(), archive.products)).findings == ()
