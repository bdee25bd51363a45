"""A table read in another process: the same batches, words and errors as in this one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from processes import is_alive

from mvmdb.errors import InputError, UsageError
from mvmdb.tables import background
from mvmdb.tables.background import read_batches_in_background
from mvmdb.tables.read import read_batches
from mvmdb.workers.child import ChildProcess

Rows = list[dict[str, str]]


@pytest.fixture(autouse=True)
def every_table_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "WORTH_A_PROCESS", 0)


def many(rows: Rows, n: int) -> Rows:
    return [row | {"obs_id": f"ib6o{at:04x}q"} for at, row in enumerate((rows * n)[:n])]


def test_batches_problems_and_progress_are_the_same(rows: Rows, write_csv: Any) -> None:
    rows = many(rows, 50)
    rows[7]["filters"] = ""
    path = write_csv(rows)
    said: list[list[object]] = [[], []]
    found = [
        list(reader(path, report=own.append, progress=lambda *values, own=own: own.append(values)))
        for reader, own in zip((read_batches, read_batches_in_background), said, strict=True)
    ]
    assert said[0] == said[1]
    assert {type(word).__name__ for word in said[0]} == {"RowProblem", "tuple"}
    here, there = found
    assert [batch.columns for batch in here] == [batch.columns for batch in there]
    assert here[0].footprints.ra.tolist() == there[0].footprints.ra.tolist()


def nothing(*_: object) -> None:
    pass


def test_what_is_wrong_with_the_table_is_raised_here(tmp_path: Path, rows: Rows, write_csv: Any) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        list(read_batches_in_background(tmp_path / "missing.csv", report=nothing, progress=nothing))
    with pytest.raises(UsageError):
        list(read_batches_in_background(write_csv(rows), mapping={"name": "no such"}, report=nothing, progress=nothing))


@pytest.fixture
def pids(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the processes that read."""
    noted: list[int] = []

    class Noted(ChildProcess):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            noted.append(self.pid)

    monkeypatch.setattr(background, "ChildProcess", Noted)
    return noted


def test_a_reader_that_is_killed_is_told_of(rows: Rows, write_csv: Any, pids: list[int]) -> None:
    def kill(*_: object) -> None:
        os.kill(pids[0], signal.SIGKILL)

    batches = read_batches_in_background(write_csv(many(rows, 60_000)), report=nothing, progress=kill)
    with pytest.raises(InputError, match="was stopped"):
        list(batches)


def test_no_process_is_left_when_the_caller_stops(rows: Rows, write_csv: Any, pids: list[int]) -> None:
    batches = read_batches_in_background(write_csv(many(rows, 60_000)), report=nothing, progress=nothing)
    next(batches)
    assert [is_alive(pid) for pid in pids] == [True]
    batches.close()
    assert [is_alive(pid) for pid in pids] == [False]


class Lossy:
    """Sends messages, but not one of the batches."""

    def __init__(self, lost: int) -> None:
        self.said: list[str] = []
        self.lost = lost

    def __call__(self, message: tuple[str, object]) -> None:
        if message[0] == "batch" and self.said.count("batch") == self.lost:
            raise MemoryError
        self.said.append(message[0])


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_reading_stops_where_a_batch_cannot_be_sent(lost: int, rows: Rows, write_csv: Any) -> None:
    send = Lossy(lost)
    with pytest.raises(MemoryError):
        background.send_batches(send, str(write_csv(many(rows, 45_000))), {})
    assert send.said.count("batch") == lost


def test_all_batches_are_sent_each_after_its_progress(rows: Rows, write_csv: Any) -> None:
    send = Lossy(lost=99)
    background.send_batches(send, str(write_csv(many(rows, 45_000))), {})
    assert [what for what in send.said if what != "problem"] == ["progress", "batch"] * 3


def test_a_script_without_a_main_guard_imports_a_large_table(rows: Rows, write_csv: Any, tmp_path: Path) -> None:
    """Every size is large to the script; half of the rows can be used."""
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        f"sys.path[:] = {sys.path!r}\n"
        "print('started')\n"
        "from mvmdb.catalog.exposures.bulk_load import register_batches\n"
        "from mvmdb.catalog.layers import refresh\n"
        "from mvmdb.catalog.open import open_catalog\n"
        "from mvmdb.tables import background\n"
        "refresh.KEYS_AT_ONCE = background.WORTH_A_PROCESS = 1\n"
        f"path, nothing = {str(write_csv(many(rows, 20)))!r}, lambda *_: None\n"
        "with open_catalog('mvm.db', create=True) as engine:\n"
        "    batches = background.read_batches_in_background(path, report=nothing, progress=nothing)\n"
        "    print(register_batches(engine, batches).new)\n"
    )
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("started\n10\n", "")
