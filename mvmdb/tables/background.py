"""Reading a large table in a child process, so that reading and what becomes of the rows go on at the same time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from mvmdb.errors import InputError
from mvmdb.exposures.batch import ExposureBatch
from mvmdb.tables.formats.source import Format
from mvmdb.tables.read import Progress, Report, read_batches
from mvmdb.workers.child import ChildProcess, Send

WORTH_A_PROCESS = 8_000_000
"""Bytes of a table from which a second process is worth its start of about a second."""

Message = tuple[str, Any]
"""`batch` and an ExposureBatch, `problem` and a RowProblem, or `progress` and its counts."""


def read_batches_in_background(
    path: str | os.PathLike[str],
    *,
    mapping: Mapping[str, str] | None = None,
    form: Format | None = None,
    siaf: str | None = None,
    report: Report,
    progress: Progress,
) -> Iterator[ExposureBatch]:
    """As `read_batches`, from a child process where the table is large; two batches more are in memory then.

    Raises InputError also where that process is killed.
    """
    options = {"mapping": dict(mapping or {}), "form": form, "siaf": siaf}
    try:
        large = os.path.getsize(path) >= WORTH_A_PROCESS
    except OSError:
        large = False  # said by the reader
    if not large:
        yield from read_batches(path, report=report, progress=progress, **options)  # type: ignore[arg-type]
        return

    def died(status: int) -> InputError:
        return InputError(
            f"the process that reads {os.fspath(path)} was stopped (it left {status}); expected it to live "
            "(out of memory?); try again"
        )

    with ChildProcess(died) as child:
        for what, value in child.stream(send_batches, os.fspath(path), options):
            if what == "problem":
                report(value)
            elif what == "progress":
                progress(*value)
            else:
                yield value


def send_batches(send: Send[Message], path: str, options: dict[str, Any]) -> None:
    """In the child: send all that reading gives, in order."""
    for batch in read_batches(
        path,
        report=lambda problem: send(("problem", problem)),
        progress=lambda *counts: send(("progress", counts)),
        **options,
    ):
        send(("batch", batch))
