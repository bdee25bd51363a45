"""Which executor is wanted, as users say it, and opening it for the time of a command or call."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from mvmdb.errors import UsageError
from mvmdb.workers.executor import Executor, Workers
from mvmdb.workers.processes import ProcessExecutor, SerialExecutor


@dataclass(frozen=True, slots=True)
class ExecutorChoice:
    """A kind of executor: for `processes` how many (None: one per core), for `dask` the scheduler's address or file."""

    kind: Literal["serial", "processes", "dask"] = "processes"
    n: int | None = None
    address: str = ""


def parse_executor(text: str) -> ExecutorChoice:
    """The choice that `serial`, `processes`, `processes:N` or `dask:ADDRESS` stands for.

    Raises UsageError for another text.
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
def open_executor(choice: ExecutorChoice) -> Iterator[Executor]:
    """The executor of a choice, closed at the end. Raises WorkersError when it cannot be had."""
    if choice.kind == "dask":
        from mvmdb.workers.dask import connect

        with connect(choice.address) as cluster:
            yield cluster
        return
    n = 1 if choice.kind == "serial" else choice.n or os.cpu_count() or 1
    if n == 1:
        yield SerialExecutor()
    else:
        processes = ProcessExecutor(n)
        try:
            yield processes
        finally:
            processes.close()


@contextmanager
def open_workers(given: Workers | None = None, *, jobs: int | None = None) -> Iterator[Workers]:
    """The workers given, which stay open; where none are, `jobs` processes (None: one per core), closed at the end."""
    if given is not None:
        yield given
        return
    with open_executor(ExecutorChoice(n=jobs)) as executor:
        yield Workers(executor)
