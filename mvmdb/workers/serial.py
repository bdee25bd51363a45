"""The executor that is this process alone: it cannot give its own work up, but says what is waited for."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator

from mvmdb.workers.executor import Done, R, T, Workers
from mvmdb.workers.patience import Patience, Silence, this_process
from mvmdb.workers.signs import Signs

log = logging.getLogger(__name__)

Stuck = Callable[[str], object]
"""What a program does when its own work hangs, told in words; it may end the program, which no error could."""


class SerialExecutor:
    """Does the work in this process, one item after the other.

    Where an item makes no progress, a thread says so; at the limit it calls `stuck`, by default with no effect: the
    thread that hangs cannot be reached.
    """

    def __init__(self, patience: Patience | None = None, stuck: Stuck = lambda words: None) -> None:
        self.patience = patience or Patience()
        self._stuck = stuck

    def each(
        self, function: Callable[[T], R], items: Iterable[T], *, expected: int, name: Callable[[T], str] = str
    ) -> Iterator[Done[T, R]]:
        """As `Executor.each`."""
        watch = _Watch(self.patience, self._stuck)
        with Signs(watch.silence.sign, self.patience.sign_every, idle=watch.look):
            for item in items:
                watch.silence.sign()
                watch.what = name(item)
                try:
                    result = function(item)
                finally:
                    watch.what = ""  # what the caller does meanwhile is not watched: it may wait for a database
                yield Done(item, result)


class _Watch:
    """What is being done, and for how long there was no sign of it."""

    def __init__(self, patience: Patience, stuck: Stuck) -> None:
        self.silence = Silence(patience)
        self.what = ""
        self._patience, self._stuck = patience, stuck

    def look(self) -> None:
        what, who = self.what, this_process(os.getpid())
        if not what:
            self.silence.sign()
            return
        verdict = self.silence.look()
        if verdict == "say so":
            log.warning("%s", self._patience.waits(what, who))
        elif verdict == "give up":
            self._stuck(f"{what}: {self._patience.given_up(who)}")


IN_THIS_PROCESS = Workers(SerialExecutor())
"""For callers that want no other process."""
