"""Rows of one mosaic drizzled by other processes of this program; which rows is decided by who asks.

Drizzle's C code keeps Python's lock, so that threads would wait for one another. A helper gets its work by its standard
input, and sends finished rows by its standard output: it needs no file, and where its asker dies, it ends.
"""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mvmdb.errors import MvmdbError, ProductError
from mvmdb.mosaic.drizzle.bands import BandedDrizzle
from mvmdb.mosaic.drizzle.planes import Block
from mvmdb.records import Action, LayerJob

HELP_BYTES = 250_000_000
"""Bytes of members' files for which one more process pays: drizzling them takes 5 s, the start of a process 1."""
_SERVE = (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "  # the asker is told, and dismisses
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from mvmdb.mosaic.drizzle.helpers import serve; serve(sys.stdin.buffer)"
)

log = logging.getLogger(__name__)


class Helper:
    """A process that drizzles some rows; it starts at once, to be ready when there is work for it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-c", _SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._rows = range(0)
        self._send(sys.path)

    def begin(self, work: BandedDrizzle, rows: range) -> None:
        """Give it work, its only; `work` has no present product. Raises ProductError where the process is lost."""
        self._rows = rows
        self._send((work, rows))

    def blocks(self) -> Iterator[Block]:
        """The finished rows as they come. Raises what drizzling raises, and ProductError where the process is lost."""
        assert self._process.stdout is not None
        while True:
            try:
                found: Block | MvmdbError | None = pickle.load(self._process.stdout)
            except (EOFError, pickle.UnpicklingError) as error:
                raise self._lost() from error
            if found is None:
                return
            if isinstance(found, MvmdbError):
                raise found
            yield found

    def dismiss(self) -> None:
        """End the process, whatever it is at."""
        self._process.kill()
        self._process.communicate()

    def _send(self, message: object) -> None:
        assert self._process.stdin is not None
        try:
            pickle.dump(message, self._process.stdin)
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise self._lost() from error

    def _lost(self) -> ProductError:
        return ProductError(
            f"the process that drizzled rows {self._rows.start} to {self._rows.stop} died (out of memory?) and left "
            f"{self._process.wait()}; expected its pixels; try again with less at a time (--memory)"
        )


@contextmanager
def hire_helpers(job: LayerJob) -> Iterator[list[Helper]]:
    """As many helpers as `job` allows and has work for, which are gone at the end.

    There are none where the job's memory is limited: every process takes memory of its own.
    """
    n_helpers = 0
    if job.action is Action.DRIZZLE and job.memory_mb is None and job.helpers:
        n_helpers = min(job.helpers, sum(_size(member.path) for member in job.members) // HELP_BYTES)
    helpers: list[Helper] = []
    try:
        try:
            for _ in range(n_helpers):
                helpers.append(Helper())
        except OSError as error:
            log.warning("%s: cannot start another process (%s); %d do the work", job.layer, error, 1 + len(helpers))
        yield helpers
    finally:
        for helper in helpers:
            helper.dismiss()


def share_out(work: BandedDrizzle, shares: Sequence[range], helpers: Sequence[Helper]) -> list[Iterator[Block]]:
    """Give the shares to the helpers, and return what each will send."""
    for rows, helper in zip(shares, helpers, strict=False):  # fewer shares than helpers on a low canvas
        helper.begin(work, rows)
    return [helper.blocks() for helper in helpers[: len(shares)]]


def serve(asked: BinaryIO) -> None:
    """The helper's side: drizzle the rows that are asked for, and send them, then None; or the error that stops it."""
    with os.fdopen(os.dup(1), "wb") as reply:
        os.dup2(2, 1)  # whatever is printed must not get among the pixels
        try:
            work, rows = pickle.load(asked)
        except EOFError:
            return  # dismissed before there was work
        threading.Thread(target=_end_with_asker, daemon=True).start()
        try:
            _, blocks = work.start([rows])
            for block in blocks:
                pickle.dump(block, reply, protocol=5)
            pickle.dump(None, reply)
        except MvmdbError as error:
            pickle.dump(error, reply)
        except Exception as error:  # the asker tells of it as of its own surprises
            log.exception("rows %d to %d", rows.start, rows.stop)
            pickle.dump(ProductError(f"{type(error).__name__}: {error}"), reply)


def _end_with_asker() -> None:
    """Wait for the end of standard input, which the asker keeps open, and end this process at once."""
    os.read(0, 1)
    os._exit(1)


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0  # the error is raised where the file is read
