"""Reads a user's choice of executor, and opens the executor for the duration of a command or call."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from mvmdb.errors import UsageError
from mvmdb.workers.executor import Executor, Workers
from mvmdb.workers.patience import Patience
from mvmdb.workers.processes import ProcessExecutor, SerialExecutor
from mvmdb.workers.serial import Stuck


@dataclass(frozen=True, slots=True)
class ExecutorChoice:
    """A kind of executor. `n`: the number of processes (None: one per core). `address`: Dask scheduler, or its file."""

    kind: Literal["serial", "processes", "dask"] = "processes"
    n: int | None = None
    address: str = ""


def parse_executor(text: str) -> ExecutorChoice:
    """The choice that `serial`, `processes`, `processes:N` or `dask:ADDRESS` stands for.

    Raises UsageError for any other text.
    """
    kind, colon, rest = text.partition(":")
    if text == "serial":
        return ExecutorChoice("serial")
    if kind == "processes" and (not colon or (rest.isascii() and rest.isdigit() and int(rest) > 0)):
        return ExecutorChoice("processes", int(rest) if rest else None)
    if kind == "dask" and rest:
        return ExecutorChoice("dask", address=rest)
    raise UsageError(f"{text!r} is not an executor; expected serial, processes:N (N is 1 or more) or dask:ADDRESS")


@contextmanager
def open_executor(
    choice: ExecutorChoice, patience: Patience | None = None, stuck: Stuck = lambda words: None
) -> Iterator[Executor]:
    """The chosen executor, closed after the block; `stuck` is called if work in this process hangs.

    Raises WorkersError if the Dask cluster cannot be reached.
    """
    if choice.kind == "dask":
        from mvmdb.workers.dask import connect

        with connect(choice.address, patience) as cluster:
            yield cluster
        return
    n = 1 if choice.kind == "serial" else choice.n or os.cpu_count() or 1
    if n == 1:
        yield SerialExecutor(patience, stuck)
    else:
        processes = ProcessExecutor(n, patience, stuck)
        try:
            yield processes
        finally:
            processes.close()


@contextmanager
def open_workers(given: Workers | None = None, *, jobs: int | None = None) -> Iterator[Workers]:
    """The given workers, which stay open; or `jobs` new processes (None: one per core), closed after the block."""
    if given is not None:
        yield given
        return
    with open_executor(ExecutorChoice(n=jobs)) as executor:
        yield Workers(executor)
