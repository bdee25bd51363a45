"""Reading a table in a process of its own, so that reading and what becomes of the rows go on at the same time."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.connection import Connection

from mvmdb.errors import InputError, MvmdbError
from mvmdb.exposures.batch import ExposureBatch
from mvmdb.tables.formats.source import Format
from mvmdb.tables.read import Progress, Report, read_batches

WORTH_A_PROCESS = 8_000_000
"""Bytes of a table from which a second process is worth its start of about a second."""
_AHEAD = 2  # what was read and not taken yet: a batch, and how far the table is read


def read_batches_beside(
    path: str | os.PathLike[str],
    *,
    mapping: Mapping[str, str] | None = None,
    form: Format | None = None,
    siaf: str | None = None,
    report: Report,
    progress: Progress,
) -> Iterator[ExposureBatch]:
    """As `read_batches`, from another process where the table is large; two batches more are in memory then.

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
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_read, args=(theirs, os.fspath(path), options), daemon=True)
    process.start()
    theirs.close()
    try:
        yield from _listen(ours, os.fspath(path), report, progress)
    finally:
        ours.close()
        process.terminate()
        process.join()


def _listen(ours: Connection, path: str, report: Report, progress: Progress) -> Iterator[ExposureBatch]:
    while True:
        try:
            what, value = ours.recv()
        except EOFError as error:
            raise InputError(
                f"the process that reads {path} was stopped; expected it to live (out of memory?); try again"
            ) from error
        if what == "end":
            return
        if what == "error":
            raise value
        if what == "problem":
            report(value)
        elif what == "progress":
            progress(*value)
        else:
            yield value


def _read(theirs: Connection, path: str, options: dict[str, object]) -> None:
    """Send all that reading gives, in order.

    A thread sends, as that waits until the other side is ready to take the batch: the next one is read meanwhile. The
    end is told once all was sent; what fails in sending ends this process without it.
    """
    unsent: deque[Future[None]] = deque()
    with ThreadPoolExecutor(1) as sender:

        def wait(most: int) -> None:
            while len(unsent) > most:
                unsent.popleft().result()

        def send(what: str, value: object) -> None:
            unsent.append(sender.submit(theirs.send, (what, value)))
            wait(_AHEAD)

        try:
            for batch in read_batches(
                path,
                report=lambda problem: send("problem", problem),
                progress=lambda *counts: send("progress", counts),
                **options,  # type: ignore[arg-type]
            ):
                send("batch", batch)
            wait(0)
            theirs.send(("end", None))
        except MvmdbError as error:
            wait(0)
            theirs.send(("error", error))
        except BrokenPipeError:
            return  # nobody wants the rest
