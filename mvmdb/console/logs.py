"""Where log messages go: to standard error, and to a file that a nightly job may keep.

Messages hold names from headers, tables and catalogs, so they are printed as `printable`.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from mvmdb.console.show import printable, warn
from mvmdb.errors import InputError
from mvmdb.passwords import without_secrets

_OWN = "mvmdb"
_LINE = "%(asctime)sZ %(levelname)s [%(process)d] %(name)s: %(message)s"


class PrintableFormatter(logging.Formatter):
    """One line per message, whatever it holds; the lines of a traceback follow it. Times are UTC.

    Passwords in URLs, and the `secrets`, are hidden.
    """

    converter = staticmethod(time.gmtime)
    secrets: frozenset[str] = frozenset()

    def format(self, record: logging.LogRecord) -> str:
        """The message, with control characters spelled."""
        lines = [self._shown(self.formatMessage(self._prepared(record)))]
        if record.exc_info:
            lines += [f"  {self._shown(line)}" for line in self.formatException(record.exc_info).splitlines()]
        return "\n".join(lines)

    def _shown(self, text: str) -> str:
        return printable(without_secrets(text, self.secrets))

    def _prepared(self, record: logging.LogRecord) -> logging.LogRecord:
        record.message = record.getMessage()
        if self.usesTime():
            record.asctime = self.formatTime(record, self.datefmt)
        return record


def _formatter(form: str, secrets: Iterable[str]) -> PrintableFormatter:
    formatter = PrintableFormatter(form, "%Y-%m-%dT%H:%M:%S")
    formatter.secrets = frozenset(secrets)
    return formatter


class LogFile(logging.StreamHandler):  # type: ignore[type-arg]  # of text
    """Appends to a file. If it can be written no more, one line on standard error says so, and the work goes on."""

    def __init__(self, path: Path, secrets: Iterable[str] = ()) -> None:
        """Open the file. Raises InputError if it cannot be written."""
        try:
            # O_NONBLOCK: a named pipe that nobody reads is an error, and not waited for.
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o644)
        except OSError as error:
            raise InputError(
                f"cannot write the log {path} ({error.strerror}); expected a file that can be written: give another "
                "with --log"
            ) from error
        file = open(descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
        super().__init__(file)
        self._path, self._is_lost = path, False
        self.setFormatter(_formatter(_LINE, secrets))

    def handleError(self, record: logging.LogRecord) -> None:
        """Say it once, instead of a traceback for every message."""
        if not self._is_lost:
            self._is_lost = True
            error = sys.exc_info()[1]
            why = error.strerror if isinstance(error, OSError) else error
            warn(f"mvmdb: the log {self._path} cannot be written any more ({why}); the work goes on")

    def close(self) -> None:
        """Close the file."""
        super().close()
        with suppress(OSError):  # what could not be written was reported
            self.stream.close()


def start_logging(*, verbose: bool, path: Path | None, secrets: Iterable[str] = ()) -> Callable[[], None]:
    """Log warnings on standard error, and every step if `verbose`; log every step in the file, if there is one.

    No line has one of the `secrets` in it.
    Returns a function that ends the log in the file. Raises InputError if it cannot be written.
    """
    root, own = logging.getLogger(), logging.getLogger(_OWN)
    if not root.handlers:  # else a program of the user's has its own way of logging
        errors = logging.StreamHandler(sys.stderr)
        errors.setLevel(logging.INFO if verbose else logging.WARNING)
        errors.setFormatter(_formatter("mvmdb: %(message)s", secrets))
        root.addHandler(errors)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    level = own.level
    if verbose or path is not None:
        own.setLevel(logging.INFO)
    if path is None:
        return lambda: own.setLevel(level)
    file = LogFile(path, secrets)
    root.addHandler(file)

    def end() -> None:
        root.removeHandler(file)
        own.setLevel(level)
        file.close()

    return end


def log_outcome(words: str) -> None:
    """Write a line into the log file alone, if there is one: standard error has it already, or need not have it."""
    record = logging.LogRecord(_OWN, logging.INFO, __file__, 0, words, None, None)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LogFile):
            handler.handle(record)
