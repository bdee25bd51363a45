"""How long a worker without a sign of progress is waited for; each executor says what is done at the end."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Literal

from mvmdb.errors import WorkersError

WORKER_TIMEOUT = 1800.0
"""Seconds after which a worker without a sign is given up: a tape robot may take a quarter of an hour."""
_NOTICE = 60.0
_SIGN_EVERY = 5.0

_ROUNDS = 2
"""How often all workers may hang, one after the other, while none finishes anything, until no more are tried."""

Verdict = Literal["wait", "say so", "give up"]


class WorkerHungError(WorkersError):
    """A worker gave no sign of progress for as long as it may, and was given up."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds for which a worker may give no sign until it is given up (0: never), and until a warning."""

    limit: float = WORKER_TIMEOUT
    notice: float = _NOTICE

    @property
    def sign_every(self) -> float:
        """Seconds between two signs of a worker that works: several within any limit."""
        return min(_SIGN_EVERY, self.notice / 4, (self.limit or inf) / 4)

    def waits(self, what: str, who: str) -> str:
        """The words for the time after the notice."""
        until = f"it is given up after {self.limit:g} s" if self.limit else "there is no limit"
        return (
            f"waiting for {what}: {who} has given no sign of progress for {self.notice:g} s; {until} (--worker-timeout)"
        )

    def given_up(self, who: str) -> WorkerHungError:
        """The error for the time after the limit."""
        return WorkerHungError(
            f"{who} gave no sign of progress for {self.limit:g} s (--worker-timeout) and was given up; "
            "look for storage that hangs, or a process that was stopped; the next run tries again"
        )


class Silence:
    """The time since the last sign of a worker that is waited for, as the one who waits has lived through it.

    Time in which that one was itself stopped, or its machine asleep, does not count: signs may have been missed.
    `clock` gives seconds.
    """

    def __init__(self, patience: Patience, clock: Callable[[], float] = monotonic) -> None:
        self._patience = patience
        self._clock = clock
        self._looked = clock()
        self._seconds = 0.0
        self._told = False

    def sign(self) -> None:
        """There was a sign, or the waiting begins."""
        self._looked, self._seconds, self._told = self._clock(), 0.0, False

    def look(self) -> Verdict:
        """What to do where there was none since the last look; looks are `Patience.sign_every` apart, or less."""
        now = self._clock()
        self._seconds += min(now - self._looked, 2 * self._patience.sign_every)
        self._looked = now
        if self._patience.limit and self._seconds >= self._patience.limit:
            return "give up"
        if self._seconds >= self._patience.notice and not self._told:
            self._told = True
            return "say so"
        return "wait"


class Rounds:
    """Counts workers that hang in a row: where all do, so does what they work on, and the rest would hang too."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._in_a_row = 0

    def note(self, result: object, n_workers: int) -> None:
        """An item's result has come from one of so many workers. Raises WorkersError when no more should be tried."""
        self._in_a_row = self._in_a_row + 1 if isinstance(result, WorkerHungError) else 0
        if self._in_a_row >= _ROUNDS * max(n_workers, 1):
            raise WorkersError(
                f"{self._in_a_row} workers in a row gave no sign of progress for {self._patience.limit:g} s each; "
                "what was finished is recorded: look for storage that hangs, and then start this command again"
            )


def this_process(pid: int) -> str:
    """A worker process of this machine, in words."""
    return f"worker process {pid} on {socket.gethostname()}"
