"""Standard streams and signals of an unattended run: a closed stream does not end it, SIGTERM does."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from mvmdb.console.show import warn

COULD_NOT_RUN = 2
"""Exit code of a command that could not do its work."""
INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM


class Ending:
    """How the run is interrupted: SIGTERM ends it as Ctrl-C does, but with another exit code (`code`)."""

    def __init__(self) -> None:
        self.code: int = INTERRUPTED
        self.end_log: Callable[[], None] = _nothing
        """Ends the log of the command, if it keeps one."""
        self.secrets: set[str] = set()
        """What may be a password in the catalog's address, which no message may show."""

    def follow_signals(self) -> None:
        """Let SIGTERM interrupt the run from now on."""
        with suppress(ValueError):  # not in the main thread: the caller's program handles signals
            signal.signal(signal.SIGTERM, self._terminate)

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        self.code = TERMINATED
        raise KeyboardInterrupt


def _nothing() -> None:
    """Ends no log."""


def end_stuck_run(words: str) -> None:
    """End this process where its own work hangs, so that the next run finds its folder free.

    The thread that hangs takes no exception and no signal. A kill at any point loses nothing that was finished.
    """
    end_process(f"{words}; what was finished is recorded")


def end_process(words: str) -> None:
    """End this process at once, with a line on standard error: for work that takes neither exception nor signal."""
    warn(f"mvmdb: {words}")
    os._exit(COULD_NOT_RUN)


def keep_standard_streams() -> None:
    """Open /dev/null in place of standard streams that are closed.

    Otherwise the next file to be opened, such as the catalog, would get the descriptor of a standard stream, and child
    processes would write their messages into it.
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
    """Discard all further standard output, whose reader is gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def flush_output() -> bool:
    """Write buffered standard output; return False if its reader is gone."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        drop_output()
        return False
    return True
