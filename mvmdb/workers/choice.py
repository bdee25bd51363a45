"""Which crew is wanted, as users say it, and hiring it for the time of a command."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from mvmdb.errors import UsageError
from mvmdb.workers.executor import Crew
from mvmdb.workers.processes import ProcessCrew, SerialCrew


@dataclass(frozen=True, slots=True)
class Choice:
    """A kind of crew: for `processes` how many (None: one a core), for `dask` the scheduler's address or file."""

    kind: Literal["serial", "processes", "dask"] = "processes"
    n: int | None = None
    address: str = ""


def parse_executor(text: str) -> Choice:
    """The choice that `serial`, `processes`, `processes:N` or `dask:ADDRESS` stands for.

    Raises UsageError for another text.
    """
    kind, colon, rest = text.partition(":")
    if text == "serial":
        return Choice("serial")
    if kind == "processes" and (not colon or (rest.isascii() and rest.isdigit() and int(rest) > 0)):
        return Choice("processes", int(rest) if rest else None)
    if kind == "dask" and rest:
        return Choice("dask", address=rest)
    raise UsageError(f"{text!r} is no executor; expected serial, processes:N (N is 1 or more) or dask:ADDRESS")


@contextmanager
def hire(choice: Choice) -> Iterator[Crew]:
    """The crew of a choice, dismissed at the end. Raises WorkersError when it cannot be had."""
    if choice.kind == "dask":
        from mvmdb.workers.dask import connect

        with connect(choice.address) as cluster:
            yield cluster
        return
    n = 1 if choice.kind == "serial" else choice.n or os.cpu_count() or 1
    if n == 1:
        yield SerialCrew()
    else:
        processes = ProcessCrew(n)
        try:
            yield processes
        finally:
            processes.close()


@contextmanager
def staffed(crew: Crew | None, jobs: int | None) -> Iterator[Crew]:
    """The crew given, which stays; or, where none is, `jobs` processes (None: one a core) for this time."""
    if crew is not None:
        yield crew
        return
    with hire(Choice(n=jobs)) as own:
        yield own
