"""Progress: JSON lines with an honest time left, a bar on terminals alone, and silence where that is asked for."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from archive import COARSE, FINE, Archive

from mvmdb.console.progress import Progress
from mvmdb.monitor import LayerOutcome
from mvmdb.records import Action


@pytest.fixture
def one(tmp_path: Path) -> Archive:
    (tmp_path / "inbox").mkdir()
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.expose()
    return archive


class Clock:
    """Seconds that pass when the test says so."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def outcome(name: str, error: str = "") -> LayerOutcome:
    return LayerOutcome(name, Action.DRIZZLE, f"/p/{name}_drz.fits", 2.5, error)


def test_layers_are_told_one_a_line_with_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with Progress("json", clock) as progress:
        progress.plan_known(3)
        for name, error in (("a", ""), ("b", "no room"), ("c", "")):
            clock.now += 10.0
            progress.layer_done(outcome(name, error))
    plan, first, second, last = events(capsys.readouterr().err)
    assert plan == {"event": "plan", "total": 3}
    assert first == {
        "event": "layer", "layer": "a", "action": "drizzle", "done": 1, "total": 3, "seconds": 2.5,
        "seconds_left": 20.0, "error": None,
    }  # fmt: skip
    assert (second["seconds_left"], second["error"]) == (10.0, "no room")
    assert (last["done"], last["seconds_left"]) == (3, 0.0)


def test_a_layer_that_is_made_again_does_not_make_time_run_backwards(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("json", Clock()) as progress:
        progress.plan_known(1)
        progress.layer_done(outcome("a"))
        progress.layer_done(outcome("a"))
    last = events(capsys.readouterr().err)[-1]
    assert (last["done"], last["total"], last["seconds_left"]) == (2, 2, 0.0)


def test_files_are_told_about_once_a_second_and_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with Progress("json", clock) as progress:
        progress.files_announced(100)
        for _ in range(100):
            clock.now += 0.1
            progress.files_read(1)
    lines = events(capsys.readouterr().err)
    assert 10 <= len(lines) <= 11
    assert all(event["event"] == "files" for event in lines)
    assert lines[0]["seconds_left"] == pytest.approx(10.0 - lines[0]["done"] * 0.1, abs=0.11)
    assert (lines[-1]["done"], lines[-1]["seconds_left"]) == (100, 0.0)


@pytest.mark.parametrize("form", ["bar", "none"])
def test_nothing_is_told_where_there_is_no_terminal(form: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(form) as progress:
        progress.files_announced(1)
        progress.files_read(1)
        progress.plan_known(1)
        progress.layer_done(outcome("a"))
    assert capsys.readouterr() == ("", "")


def test_json_lines_and_the_one_object_come_on_two_streams(one: Archive) -> None:
    words = ["nightly", "inbox", "-o", "products", "--executor", "serial", "--progress", "json", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "mvmdb.cli", "--db", one.address, *words],
        cwd=one.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert json.loads(done.stdout)["reconcile"]["drizzled"] == 2
    lines = events(done.stderr)
    assert [event["event"] for event in lines] == ["files", "plan", "layer", "layer"]
    assert {event["layer"] for event in lines[2:]} == {FINE, COARSE}


class Terminal(io.StringIO):
    """Stands for standard error on a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_a_bar_with_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, terminal = Clock(), Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr("time.time", clock)  # what click's bar measures with
    with Progress("bar", clock) as progress:
        progress.files_announced(5)
        progress.files_read(5)
        progress.plan_known(4)
        clock.now += 60
        progress.layer_done(outcome("a"))
    assert re.search(r"files +\[#+\] +5/5", terminal.getvalue())
    assert re.search(r"mosaics +\[#+-+\] +1/4 +00:03:00", terminal.getvalue())
