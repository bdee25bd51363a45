"""A table read in another process: the same batches, words and errors as in this one."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from mvmdb.errors import InputError, UsageError
from mvmdb.tables import background as beside
from mvmdb.tables.background import read_batches_beside
from mvmdb.tables.read import read_batches

Rows = list[dict[str, str]]


@pytest.fixture(autouse=True)
def every_table_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "WORTH_A_PROCESS", 0)


def many(rows: Rows, n: int) -> Rows:
    return [row | {"obs_id": f"ib6o{at:04x}q"} for at, row in enumerate((rows * n)[:n])]


def test_batches_problems_and_progress_are_the_same(rows: Rows, write_csv: Any) -> None:
    rows = many(rows, 50)
    rows[7]["filters"] = ""
    path = write_csv(rows)
    said: list[list[object]] = [[], []]
    found = [
        list(reader(path, report=own.append, progress=lambda *values, own=own: own.append(values)))
        for reader, own in zip((read_batches, read_batches_beside), said, strict=True)
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
        list(read_batches_beside(tmp_path / "missing.csv", report=nothing, progress=nothing))
    with pytest.raises(UsageError):
        list(read_batches_beside(write_csv(rows), mapping={"name": "no such"}, report=nothing, progress=nothing))


def test_a_reader_that_is_killed_is_told_of(rows: Rows, write_csv: Any) -> None:
    def kill(*_: object) -> None:
        for child in multiprocessing.active_children():
            os.kill(child.pid or 0, signal.SIGKILL)

    batches = read_batches_beside(write_csv(many(rows, 60_000)), report=nothing, progress=kill)
    with pytest.raises(InputError, match="was stopped"):
        list(batches)


def test_no_process_is_left_when_the_caller_stops(rows: Rows, write_csv: Any) -> None:
    batches = read_batches_beside(write_csv(many(rows, 60_000)), report=nothing, progress=nothing)
    next(batches)
    batches.close()
    assert multiprocessing.active_children() == []


class Lossy:
    """A connection that cannot send one of the batches."""

    def __init__(self, lost: int) -> None:
        self.said: list[str] = []
        self.lost = lost

    def send(self, message: tuple[str, object]) -> None:
        if message[0] == "batch" and self.said.count("batch") == self.lost:
            raise MemoryError
        self.said.append(message[0])


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_the_end_is_not_told_where_a_batch_could_not_be_sent(lost: int, rows: Rows, write_csv: Any) -> None:
    theirs = Lossy(lost)
    with pytest.raises(MemoryError):
        beside._read(theirs, str(write_csv(many(rows, 45_000))), {})  # type: ignore[arg-type]
    assert theirs.said.count("batch") == lost
    assert "end" not in theirs.said


def test_the_end_is_told_last(rows: Rows, write_csv: Any) -> None:
    theirs = Lossy(lost=99)
    beside._read(theirs, str(write_csv(many(rows, 45_000))), {})  # type: ignore[arg-type]
    assert theirs.said[-1] == "end"
    assert theirs.said.count("batch") == 3
