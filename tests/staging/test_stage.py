"""Folders for drizzlepac: which files, under which names, in which order, and what a second run does."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from archive import CELL, FINE, Archive, call
from click.testing import Result

from mvmdb.catalog.ask.members import LayerExposure
from mvmdb.errors import InputError, UsageError
from mvmdb.pollers.files import read_poller
from mvmdb.process import process_poller
from mvmdb.records import Action, Plan, PlannedLayer, Policy
from mvmdb.staging.plan import StagedCell, StagedFile, plan_cells, staged_name
from mvmdb.staging.stage import stage
from mvmdb.workers.processes import IN_THIS_PROCESS

IR_OLD = "hst_11359_04_wfc3_ir_f125w_ib6o04tu_flt.fits"
WFC_NEW = "hst_11359_04_acs_wfc_f814w_j8oz04kp_flc.fits"


@pytest.fixture
def half(tmp_path: Path) -> Archive:
    """A sky cell with a fresh layer, whose row is OLD, and a stale one, whose row is NEW."""
    (tmp_path / "inbox").mkdir()
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.expose()
    archive.night()
    archive.expose("j8oz04kpq", detector="WFC", kind="flc", chips=2, primary={"PROPOSID": 11359})
    archive.ingest()
    return archive


def staged(archive: Archive, *words: str) -> Result:
    return call(archive, "stage", CELL, "-o", str(archive.folder / "mvm"), *words)


def value_of(result: Result) -> Any:
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return json.loads(result.stdout)


def folder_of(archive: Archive) -> Path:
    return archive.folder / "mvm" / CELL


def listing(archive: Archive) -> list[str]:
    return sorted(path.name for path in folder_of(archive).iterdir())


def test_the_files_of_all_rows_are_there_under_the_names_of_the_poller(half: Archive) -> None:
    before = {path: path.read_bytes() for path in half.inbox.iterdir()}
    result = staged(half)
    assert result.exit_code == 0, result.output
    assert listing(half) == sorted([IR_OLD, WFC_NEW, f"{CELL}_input.out"])
    poller = read_poller(folder_of(half) / f"{CELL}_input.out")
    assert poller.form == "full"
    assert {row.filename: row.flag for row in poller.rows} == {IR_OLD: "OLD", WFC_NEW: "NEW"}
    assert all(row.pathname == row.filename for row in poller.rows)
    assert (folder_of(half) / IR_OLD).read_bytes() == before[half.inbox / "ib6o04tuq_flt.fits"]
    for path in folder_of(half).glob("*.fits"):
        path.write_bytes(b"drizzlepac was here")
    assert {path: path.read_bytes() for path in half.inbox.iterdir()} == before


def test_process_makes_the_stale_layer_from_what_was_staged(half: Archive, tmp_path: Path) -> None:
    staged(half)
    report = process_poller(folder_of(half) / f"{CELL}_input.out", tmp_path / "out", Policy(), workers=IN_THIS_PROCESS)
    assert [outcome.layer for outcome in report.layers] == [f"hst_{CELL}_acs_wfc_f814w_all"]
    assert (report.failed, report.refused, report.beside) == (0, {}, {})


def test_a_second_run_puts_only_what_is_missing_or_has_changed(half: Archive) -> None:
    assert value_of(staged(half, "--json"))["skycells"][0]["put"] == 2
    inodes = {path.name: path.stat().st_ino for path in folder_of(half).iterdir()}
    left = [folder_of(half) / f".{IR_OLD}.host.17.tmp", half.folder / "mvm" / ".mvmdb-clone.host.17.tmp"]
    for path in left:  # by a run that was killed
        path.write_bytes(b"half")
    assert value_of(staged(half, "--json"))["skycells"][0]["put"] == 0
    assert {path.name: path.stat().st_ino for path in folder_of(half).iterdir()} == inodes
    assert not any(path.exists() for path in left)
    (folder_of(half) / WFC_NEW).unlink()
    (folder_of(half) / IR_OLD).write_bytes(b"drizzlepac was here")
    assert value_of(staged(half, "--json"))["skycells"][0]["put"] == 2
    half.expose(exptime=99.0)  # the same exposure, calibrated anew
    half.ingest()
    value = value_of(staged(half, "--json"))
    assert value["skycells"][0]["put"] == 1
    assert value["bytes"] == (half.inbox / "ib6o04tuq_flt.fits").stat().st_size
    assert (folder_of(half) / IR_OLD).read_bytes() == (half.inbox / "ib6o04tuq_flt.fits").read_bytes()


def test_a_killed_run_leaves_no_half_written_file_under_its_name_and_is_taken_up(half: Archive) -> None:
    program = f"""
import os, signal, sys
from mvmdb.staging import copies
whole, done = copies._copy_bytes, []
def die(reader, writer):
    if done:
        writer.write(reader.read(1000)); writer.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    done.append(1)
    whole(reader, writer)
copies._copy_bytes = die
copies._clone = lambda reader, writer: False
sys.argv[1:] = ["--db", {half.address!r}, "stage", {CELL!r}, "-o", {str(half.folder / "mvm")!r}]
from mvmdb.cli import main
main()
"""
    killed = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    left = listing(half)
    (first,) = [name for name in left if name.startswith("hst_")]
    assert [re.sub(r"\.[^.]+\.\d+\.tmp", ".tmp", name) for name in left if name != first] == [
        f".{({IR_OLD, WFC_NEW} - {first}).pop()}.tmp"
    ]
    inode = (folder_of(half) / first).stat().st_ino
    assert value_of(staged(half, "--json"))["skycells"][0]["put"] == 1
    assert listing(half) == sorted([IR_OLD, WFC_NEW, f"{CELL}_input.out"])
    assert (folder_of(half) / first).stat().st_ino == inode


def test_disk_space_is_asked_for_before_anything_is_copied(tmp_path: Path) -> None:
    source = tmp_path / "a_flt.fits"
    source.write_bytes(b"x" * 10_000)
    cell = StagedCell(CELL, (StagedFile(str(source), "hst_a_flt.fits"),), ())
    with pytest.raises(InputError, match=r"has 1,058,575 bytes free; expected 1,058,576 for the copies; make room"):
        stage([cell], tmp_path / "out", free=lambda folder: 1_058_575)
    assert list((tmp_path / "out" / CELL).iterdir()) == []
    for link in ("hard", "symbolic"):
        with pytest.raises(InputError, match="no rows"):  # of this poller; the link is made
            stage([cell], tmp_path / link, link, free=lambda folder: 0)
        assert (tmp_path / link / CELL / "hst_a_flt.fits").samefile(source)


def test_a_file_that_is_gone_is_told_and_no_poller_is_written(half: Archive) -> None:
    (half.inbox / "ib6o04tuq_flt.fits").unlink()
    result = staged(half)
    assert result.exit_code == 1
    assert "ib6o04tuq_flt.fits is gone; put the file back" in result.stdout
    assert "no poller file was written" in result.stdout
    assert listing(half) == [WFC_NEW]


def test_where_nothing_is_stale_the_rows_are_new_on_request_only(half: Archive) -> None:
    half.night()
    result = staged(half)
    assert result.exit_code == 0
    assert "nothing is stale, so drizzlepac has nothing to do; --full marks all rows NEW" in result.stdout
    assert value_of(staged(half, "--full", "--json"))["skycells"][0]["new"] == 2
    rows = read_poller(folder_of(half) / f"{CELL}_input.out").rows
    assert {row.flag for row in rows} == {"NEW"}
    assert call(half, "stage", "-o", str(half.folder / "other")).stdout == "no sky cell to stage: nothing is stale\n"


def test_a_file_that_left_the_cell_is_named(half: Archive) -> None:
    staged(half)
    call(half, "withdraw", "ib6o04tu", "--why", "test")
    assert f"{CELL}: the poller names no more: {IR_OLD}\n" in staged(half).stdout
    assert (folder_of(half) / IR_OLD).is_file()


def test_links_are_made_on_request(half: Archive) -> None:
    for link, inode in (("hard", True), ("symbolic", True), ("copy", False)):
        assert value_of(staged(half, "--link", link, "--json"))["skycells"][0]["put"] == 2
        assert (folder_of(half) / IR_OLD).samefile(half.inbox / "ib6o04tuq_flt.fits") == inode


def test_the_products_folder_and_the_folder_of_the_exposures_are_refused(half: Archive) -> None:
    refused = call(half, "stage", CELL, "-o", str(half.products))
    assert isinstance(refused.exception, UsageError)
    assert "is the products folder" in str(refused.exception)
    inside = half.folder / "mvm" / CELL / IR_OLD
    inside.parent.mkdir(parents=True)
    (half.inbox / "ib6o04tuq_flt.fits").rename(inside)
    half.ingest(inside)
    result = staged(half)
    assert result.exit_code == 1
    assert "lies in this folder, where drizzlepac writes" in result.stdout


def test_a_folder_that_cannot_be_written_to_is_refused(half: Archive) -> None:
    (half.folder / "mvm").write_text("a file")
    refused = staged(half)
    assert refused.exit_code == 2
    assert (half.folder / "mvm").read_text() == "a file"


def exposure(**changes: Any) -> LayerExposure:
    plain = LayerExposure(
        CELL,
        FINE,
        "ib6o04tu",
        "ib6o04tuq_flt.fits",
        11359,
        "B6O",
        "0A",
        1.0,
        "F125W",
        "ir",
        "/inbox/ib6o04tuq_flt.fits",
    )
    return plain._replace(**changes)


def test_names_are_those_of_the_single_visit_pipeline() -> None:
    assert staged_name(exposure()) == "hst_11359_0a_wfc3_ir_f125w_ib6o04tu_flt.fits"
    hap = "hst_12311_07_wfc3_uvis_f275w_ibj207r9_flc.fits"
    assert staged_name(exposure(filename=hap, path=f"/x/{hap}")) == hap
    polarised = exposure(layer=f"hst_{CELL}_acs_wfc_f606w-pol60v_all", filename="j8oz04kpq_flc.fits")
    assert staged_name(polarised) == "hst_11359_0a_acs_wfc_f606w-pol60v_ib6o04tu_flc.fits"
    with pytest.raises(InputError, match="is not named as an exposure"):
        staged_name(exposure(filename="notes.txt"))


@pytest.mark.parametrize(
    "changes",
    [
        {"filename": "hst_/../../treasure_ib6o04tu_flt.fits"}, {"visit": "../../x"}, {"ipppssoo": "../../tu"},
        {"skycell": "../elsewhere"},
    ],
)  # fmt: skip
def test_rows_changed_by_hand_lead_nowhere(changes: dict[str, str]) -> None:
    with pytest.raises(InputError, match="run: mvmdb verify --repair"):
        staged_name(exposure(**changes))


def test_no_layer_that_waits_for_files_is_new() -> None:
    other = {"ipppssoo": "ib6o04tw", "filename": "ib6o04twq_flt.fits", "path": "/a/ib6o04twq_flt.fits"}
    there = [exposure(), exposure(layer=FINE.replace("f125w", "f140w"), **other)]
    waiting = PlannedLayer(FINE, CELL, Action.DRIZZLE, (), n_waiting=1)
    (cell,) = plan_cells(there, Plan((waiting,), 1), {}, all_new=True)
    assert {row.filename[-17:-9]: row.flag for row in cell.rows} == {"ib6o04tu": "OLD", "ib6o04tw": "NEW"}
    assert len(cell.files) == 2


def test_two_files_of_one_name_are_refused() -> None:
    hap = "hst_12311_07_wfc3_ir_f125w_ibj207r9_flt.fits"
    two = [exposure(ipppssoo=name, filename=hap, path=f"/{name}/{hap}") for name in ("ibj207r9", "ibj207s9")]
    with pytest.raises(InputError, match=f"would both be {hap}"):
        plan_cells(two, Plan((), 0), {}, all_new=False)


def test_the_owner_of_a_copy_may_change_it_though_the_umask_is_strict(half: Archive) -> None:
    before = os.umask(0o077)
    try:
        staged(half)
    finally:
        os.umask(before)
    assert (folder_of(half) / IR_OLD).stat().st_mode & 0o600 == 0o600
