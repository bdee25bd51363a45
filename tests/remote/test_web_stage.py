"""Folders for drizzlepac of exposures on the web: files of this machine, in the state that was registered."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from archive import CELL, Archive
from command_line import call, one_line
from fitsfiles import realign
from webserver import WebServer, touch_later

import mvmdb
from mvmdb.errors import InputError
from mvmdb.pollers.files import PollerRow
from mvmdb.remote import store
from mvmdb.remote.files import open_pixels
from mvmdb.staging.plan import StagedCell, StagedFile
from mvmdb.staging.stage import stage

NAMES = ["hst_11359_04_wfc3_ir_f125w_ib6o04tu_flt.fits", "hst_11359_04_wfc3_ir_f125w_ib6o04tx_flt.fits"]


@pytest.fixture
def two(here: Archive, web: WebServer) -> list[Path]:
    """Two exposures on the web, registered."""
    paths = [here.expose(root, east=east, folder=web.root) for root, east in (("ib6o04tuq", 0), ("ib6o04txq", 3))]
    here.ingest(*map(web.at, paths))
    web.forget()
    return paths


def staged(here: Archive, *words: str) -> tuple[int, Any]:
    code, out, _ = call(here, "stage", CELL, "-o", str(here.folder / "mvm"), "--json", *words)
    return code, json.loads(out)


def folder_of(here: Archive) -> Path:
    return here.folder / "mvm" / CELL


def listing(here: Archive) -> list[str]:
    return sorted(path.name for path in folder_of(here).iterdir())


def test_files_are_fetched_to_the_names_of_the_poller(here: Archive, web: WebServer, two: list[Path]) -> None:
    code, value = staged(here)
    assert (code, value["problems"], value["bytes"]) == (0, [], sum(path.stat().st_size for path in two))
    assert listing(here) == sorted([*NAMES, f"{CELL}_input.out"])
    assert [(folder_of(here) / name).read_bytes() for name in NAMES] == [path.read_bytes() for path in two]
    code, out, _ = call(here, "process", str(folder_of(here) / f"{CELL}_input.out"), "-o", str(here.products))
    assert (code, len(list(here.products.rglob("*_drz.fits")))) == (0, 2), out


def test_a_second_run_fetches_what_is_missing_or_was_changed(here: Archive, web: WebServer, two: list[Path]) -> None:
    staged(here)
    web.forget()
    assert staged(here)[1]["skycells"][0]["put"] == 0
    assert web.total == 0
    (folder_of(here) / NAMES[0]).write_bytes(b"drizzlepac was here")
    assert staged(here)[1]["skycells"][0]["put"] == 1
    assert (folder_of(here) / NAMES[0]).read_bytes() == two[0].read_bytes()
    assert web.total == two[0].stat().st_size


@pytest.mark.parametrize("link", ["hard", "symbolic"])
def test_links_to_files_elsewhere_are_copies(here: Archive, web: WebServer, two: list[Path], link: str) -> None:
    local = here.expose("ib6o04tyq", east=5)
    here.ingest(local)
    code, value = staged(here, "--link", link)
    assert (code, value["skycells"][0]["put"]) == (0, 3)
    assert not any((folder_of(here) / name).is_symlink() for name in NAMES)
    assert (folder_of(here) / NAMES[0].replace("tu_", "ty_")).samefile(local)
    assert staged(here, "--link", link)[1]["skycells"][0]["put"] == 0


def test_what_the_cache_has_is_not_fetched_again(here: Archive, web: WebServer, two: list[Path], cache: Path) -> None:
    with open_pixels(web.at(two[0])):
        pass
    web.forget()
    assert staged(here)[0] == 0
    assert web.sent.keys() == {f"/{two[1].name}"}
    assert len(list(cache.glob("*.fits"))) == 1, "and what is staged is not kept twice"


def test_a_file_that_changed_since_it_was_registered_is_a_problem(
    here: Archive, web: WebServer, two: list[Path]
) -> None:
    staged(here)
    before = (folder_of(here) / NAMES[0]).read_bytes()
    realign(two[0], ra_arcsec=1.0)
    touch_later(two[0])
    (folder_of(here) / f"{CELL}_input.out").unlink()
    code, value = staged(here)
    assert code == 1
    (problem,) = value["problems"]
    assert problem.startswith(f"{CELL}: cannot put {web.at(two[0])} at ")
    assert problem.endswith("it changed since it was registered; ingest it again")
    assert (folder_of(here) / NAMES[0]).read_bytes() == before
    assert not (folder_of(here) / f"{CELL}_input.out").exists()
    here.ingest(web.at(two[0]))
    assert staged(here)[0] == 0
    assert (folder_of(here) / NAMES[0]).read_bytes() == two[0].read_bytes()


def test_a_file_that_is_gone_or_whose_server_is_away_is_a_problem(
    here: Archive, web: WebServer, two: list[Path]
) -> None:
    two[0].unlink()
    web.failing[f"/{two[1].name}"] = [503] * 40
    code, value = staged(here)
    assert (code, listing(here)) == (1, [])
    assert f"{web.at(two[0])} is gone (its server has no such file)" in value["problems"][0]
    web.failing.clear()
    two[0].write_bytes(two[1].read_bytes())
    web.failing[f"/{two[1].name}"] = [503] * 40
    code, value = staged(here)
    assert code == 1
    assert any("its server answers 503" in problem or "changed since" in problem for problem in value["problems"])


def test_a_transfer_that_is_cut_goes_on_and_one_that_changes_is_no_file(
    here: Archive, web: WebServer, two: list[Path]
) -> None:
    web.cut[f"/{two[0].name}"] = [1000, 500]

    def change() -> None:
        two[1].write_bytes(b"\0" * two[1].stat().st_size)
        touch_later(two[1])

    web.before[f"/{two[1].name}"] = [lambda: None, lambda: None, change]  # its state, and again, and its bytes
    code, value = staged(here)
    assert (code, "it changed while it was being read" in value["problems"][0]) == (1, True)
    assert listing(here) == [NAMES[0]]
    assert (folder_of(here) / NAMES[0]).read_bytes() == two[0].read_bytes()


def test_a_killed_run_is_taken_up(here: Archive, web: WebServer, two: list[Path]) -> None:
    program = f"""
import os, signal, sys
from mvmdb.staging import fetches
whole, done = fetches.fetch_whole, []
def die(address, recorded, stream):
    if done:
        stream.write(b"half"); stream.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    done.append(1)
    return whole(address, recorded, stream)
fetches.fetch_whole = die
from mvmdb.staging import stage
stage.AT_ONCE = 1
sys.argv[1:] = ["--db", {here.address!r}, "stage", {CELL!r}, "-o", {str(here.folder / "mvm")!r}]
from mvmdb.cli import main
main()
"""
    killed = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert [re.sub(r"\.[^.]+\.\d+\.tmp", ".tmp", name) for name in listing(here)] == [f".{NAMES[1]}.tmp", NAMES[0]]
    web.forget()
    code, value = staged(here)
    assert (code, value["skycells"][0]["put"]) == (0, 1)
    assert listing(here) == sorted([*NAMES, f"{CELL}_input.out"])
    assert web.sent.keys() == {f"/{two[1].name}"}


def test_a_file_of_several_sky_cells_is_fetched_once(web: WebServer, tmp_path: Path) -> None:
    path = web.root / "ib6o04tuq_flt.fits"
    path.write_bytes(b"x" * 10_000)
    file = StagedFile(web.at(path), NAMES[0])
    row = PollerRow(NAMES[0], 11359, "B6O", "04", 100.0, "F125W", "IR", CELL, "NEW", NAMES[0])
    names = [CELL, "skycell-p0726x11y12", "skycell-p0726x11y13"]
    cells = [StagedCell(name, (file,), (replace(row, skycell=name),)) for name in names]
    report = stage(cells, tmp_path / "out")
    assert ([cell.put for cell in report.cells], report.bytes, web.total) == ([1, 1, 1], 30_000, 10_000)
    copies = [tmp_path / "out" / name / NAMES[0] for name in names]
    assert {copy.read_bytes() for copy in copies} == {path.read_bytes()}
    assert len({copy.stat().st_ino for copy in copies}) == 3
    copies[0].write_bytes(b"drizzlepac was here")
    copies[2].unlink()
    assert stage(cells, tmp_path / "out").problems == []
    assert {copy.read_bytes() for copy in copies} == {path.read_bytes()}


def test_space_is_asked_for_before_anything_is_fetched(web: WebServer, tmp_path: Path) -> None:
    path = web.root / "a_flt.fits"
    path.write_bytes(b"x" * 10_000)
    cell = StagedCell(CELL, (StagedFile(web.at(path), "hst_a_flt.fits"),), ())
    for link in ("copy", "hard"):
        with pytest.raises(InputError, match=r"has 1,058,575 bytes free; expected 1,058,576 for the copies"):
            stage([cell], tmp_path / "out", link, free=lambda _: 1_058_575)  # type: ignore[arg-type]
    assert web.total == 0


def test_python_stages_too_and_the_lack_of_the_extra_is_said(
    here: Archive, web: WebServer, two: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    report = mvmdb.open(here.address).stage([CELL], here.folder / "mvm").report
    assert ([cell.put for cell in report.cells], report.problems) == ([2], [])
    assert os.stat(folder_of(here) / NAMES[0]).st_size == two[0].stat().st_size
    monkeypatch.setattr(store, "_stores", {})
    for name in ("fsspec", "aiohttp", "mvmdb.remote.web", "mvmdb.remote.buckets"):
        monkeypatch.setitem(sys.modules, name, None)
    code, _, told = call(here, "stage", CELL, "-o", str(here.folder / "mvm"))
    assert (code, "pip install 'mvmdb[remote]'" in one_line(told)) == (2, True)
