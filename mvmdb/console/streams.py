"""Standard streams and signals of a run that nobody may be watching: a closed stream does not end it, SIGTERM does."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from types import FrameType

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM


class Ending:
    """How the run is to end: SIGTERM ends it as Ctrl-C does, with a code of its own."""

    code = INTERRUPTED

    def follow_signals(self) -> None:
        """From now on SIGTERM interrupts the run."""
        with suppress(ValueError):  # not in the main thread: the caller's program treats signals
            signal.signal(signal.SIGTERM, self._terminate)

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        self.code = TERMINATED
        raise KeyboardInterrupt


def keep_standard_streams() -> None:
    """Open /dev/null in the place of standard streams that are closed.

    Else the next file that is opened, the catalog perhaps, would get a number that child processes write messages to.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - for the whole run
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115


def drop_output() -> None:
    """Send what is still to be written on standard output nowhere: its reader is gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def flush_output() -> bool:
    """Write what waits to be written on standard output; False where its reader is gone."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        drop_output()
        return False
    return True
