"""Runs of commands that may change the catalog, as its history keeps them: who called what, and how it ended."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mvmdb import __version__
from mvmdb.console.show import warn
from mvmdb.console.streams import COULD_NOT_RUN, INTERRUPTED, Ending
from mvmdb.errors import CatalogError, MvmdbError
from mvmdb.passwords import without_secrets

if TYPE_CHECKING:
    from mvmdb.archive.recording import Call
    from mvmdb.catalog.open import Engine

ARGUMENTS = "mvmdb.arguments"
"""The key of `click.Context.meta` under which the command line is kept."""

log = logging.getLogger(__name__)


class RecordedRun:
    """The run of this process in the history: nothing until a command opens the catalog to change it."""

    def __init__(self, address: str, ending: Ending) -> None:
        self._address, self._ending = address, ending
        self.key: int | None = None

    @property
    def words(self) -> str:
        """The command line, without the catalog's address and without any password in a URL."""
        context = click.get_current_context()
        words = _without_address(context.find_root().meta.get(ARGUMENTS, [str(context.info_name)]))
        return shlex.join(without_secrets(word) for word in words)

    def begin(self, engine: Engine, call: Call) -> tuple[int, Engine]:
        """As `Recorder.begin`; the run bears the command's name and words, whichever `call` it makes."""
        from mvmdb.catalog.history.runs import Invocation, begin_run

        context = click.get_current_context()
        command = str(context.info_name)
        self.key, recorded = begin_run(engine, Invocation(command, self.words, __version__))
        log.info("run %d of the catalog's history, mvmdb %s", self.key, __version__)
        return self.key, recorded

    def end(self, key: int, code: int, error: BaseException | None) -> None:
        """The run goes on until the command has printed what it has to say; then `close` records its end."""

    def warn(self, words: str) -> None:
        """As `Recorder.warn`: a line on standard error."""
        warn(f"mvmdb: {words}")

    def close(self, error: BaseException | None) -> None:
        """Record how the run ended. A catalog that cannot be written is logged: the run's outcome stands."""
        if self.key is None:
            return
        from mvmdb.catalog.history.runs import end_run

        code = exit_code(error, self._ending)
        why = without_secrets(str(error), self._ending.secrets) if code == COULD_NOT_RUN and error is not None else None
        try:
            end_run(self._address, self.key, code, why)
        except CatalogError as trouble:
            log.warning("the end of run %d is not recorded: %s", self.key, trouble)


def exit_code(error: BaseException | None, ending: Ending) -> int:
    """The exit code of a command that ended with this exception, or with None."""
    if error is None:
        return 0
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return ending.code or INTERRUPTED
    if isinstance(error, BrokenPipeError) and not isinstance(error, MvmdbError):  # nobody reads the output any more
        return 0
    return COULD_NOT_RUN


def _without_address(words: Sequence[str]) -> list[str]:
    """A command line without --db and its value: the catalog knows where it is, and there may be a password in it."""
    kept: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--db":
            next(rest, None)
        elif not word.startswith("--db="):
            kept.append(word)
    return kept
