"""Runs of the history: a call that may change the catalog is one, as a command is."""

from __future__ import annotations

import logging
from typing import NamedTuple, Protocol

from mvmdb import __version__
from mvmdb.catalog.history.runs import Invocation, begin_run, end_run
from mvmdb.catalog.open import Engine
from mvmdb.errors import CatalogError
from mvmdb.passwords import without_secrets

DONE, ATTENTION, COULD_NOT_RUN, INTERRUPTED = 0, 1, 2, 130
"""How a run ended, as the exit codes of commands say it."""

log = logging.getLogger(__name__)


class Call(NamedTuple):
    """A call of one of the archive's methods: its name, and its arguments in Python's words."""

    method: str
    arguments: str = ""


class Recorder(Protocol):
    """What makes a run of a call."""

    def begin(self, engine: Engine, call: Call) -> tuple[int, Engine]:
        """Record that the run begins; return its key, and an engine whose changes are recorded as those of the run."""
        ...

    def end(self, key: int, code: int, error: BaseException | None) -> None:
        """Record how the run ended."""
        ...

    def warn(self, words: str) -> None:
        """Say what went wrong on the side: the call succeeds nevertheless."""
        ...


class CallRecorder:
    """Records calls of a program's own as runs, under the names of the methods."""

    def __init__(self, address: str) -> None:
        self._address = address

    def begin(self, engine: Engine, call: Call) -> tuple[int, Engine]:
        """As `Recorder.begin`."""
        words = without_secrets(f"archive.{call.method}({call.arguments})")
        return begin_run(engine, Invocation(call.method, words, __version__))

    def end(self, key: int, code: int, error: BaseException | None) -> None:
        """As `Recorder.end`. A catalog that cannot be written is logged: what the call did stands."""
        why = without_secrets(str(error)) if code == COULD_NOT_RUN and error is not None else None
        try:
            end_run(self._address, key, code, why)
        except CatalogError as trouble:
            log.warning("the end of run %d is not recorded: %s", key, trouble)

    def warn(self, words: str) -> None:
        """As `Recorder.warn`: a warning in the log."""
        log.warning("%s", words)


def code_of(error: BaseException) -> int:
    """How a run ended that was left by this exception."""
    return INTERRUPTED if isinstance(error, KeyboardInterrupt) else COULD_NOT_RUN


def call_of(method: str, /, *positional: object, **named: object) -> Call:
    """A call of a method with these arguments; those that are empty, as they are by default, are left out."""
    words = [repr(value) for value in positional]
    words += [f"{name}={value!r}" for name, value in named.items() if value not in (None, False, (), [], "", 0)]
    return Call(method, ", ".join(words))
