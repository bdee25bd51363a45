"""Rows of one mosaic drizzled by other processes of this program; which rows is decided by make.py.

Drizzle's C code keeps Python's lock, so that threads would wait for one another.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from mvmdb.errors import ProductError
from mvmdb.mosaic.drizzle.bands import BandedDrizzle
from mvmdb.mosaic.drizzle.planes import Block
from mvmdb.records import Action, LayerJob
from mvmdb.remote.files import stamps_of
from mvmdb.workers.child import ChildProcess, Send
from mvmdb.workers.patience import Patience

HELP_BYTES = 250_000_000
"""Bytes of members' files for which one more process pays: drizzling them takes 5 s, the start of a process 1."""

log = logging.getLogger(__name__)


class Helper:
    """A process that drizzles some rows of a layer; it starts at once, to be ready when there is work for it."""

    def __init__(self, layer: str = "", timeout: float = 0.0) -> None:
        self._layer = layer
        self._rows = range(0)
        self._child = ChildProcess(self._died, preload=__name__, patience=Patience(timeout))

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._child.pid

    def drizzle(self, work: BandedDrizzle, rows: range) -> Iterator[Block]:
        """Begin its only work, which has no present product, and return the finished rows as they come.

        They raise what drizzling raises. Raises ProductError, as they do, where the process dies, and WorkersError
        where it hangs.
        """
        self._rows = rows
        self._child.what = f"rows {rows.start} to {rows.stop} of {self._layer}"
        return self._child.stream(send_blocks, work, rows)

    def close(self) -> None:
        """End the process, whatever it is at."""
        self._child.close()

    def _died(self, status: int) -> ProductError:
        return ProductError(
            f"the process that drizzled rows {self._rows.start} to {self._rows.stop} died (out of memory?) and left "
            f"{status}; expected its pixels; try again with less at a time (--memory)"
        )


@contextmanager
def start_helpers(job: LayerJob) -> Iterator[list[Helper]]:
    """As many helpers as `job` allows and has work for, which are gone at the end.

    There are none where the job's memory is limited: every process takes memory of its own.
    """
    n_helpers = 0
    if job.action is Action.DRIZZLE and job.memory_mb is None and job.helpers:
        n_helpers = min(job.helpers, sum(_sizes(member.path for member in job.members)) // HELP_BYTES)
    helpers: list[Helper] = []
    with ExitStack() as stack:
        try:
            for _ in range(n_helpers):
                helpers.append(Helper(job.layer, job.timeout))
                stack.callback(helpers[-1].close)
        except OSError as error:
            log.warning("%s: cannot start another process (%s); %d do the work", job.layer, error, 1 + len(helpers))
        yield helpers


def share_out(work: BandedDrizzle, shares: Sequence[range], helpers: Sequence[Helper]) -> list[Iterator[Block]]:
    """Give the shares to the helpers, and return what each will send."""
    # fewer shares than helpers on a low canvas
    return [helper.drizzle(work, rows) for rows, helper in zip(shares, helpers, strict=False)]


def send_blocks(send: Send[Block], work: BandedDrizzle, rows: range) -> None:
    """In the helper: drizzle these rows and send them."""
    _, blocks = work.start([rows])
    for block in blocks:
        send(block)


def _sizes(addresses: Iterable[str]) -> Iterator[int]:
    for stamp in stamps_of(addresses).values():
        if not isinstance(stamp, OSError):  # which is raised where the file is read
            yield stamp[0]
