"""Rows of a table that could not be used, and the file that lists them; read.py decides why a row cannot be used."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mvmdb.errors import InputError

SHOWN = 20
"""Problems that are kept in memory; if there are more, all of them go to a file."""


@dataclass(frozen=True, slots=True)
class RowProblem:
    """One row that was left out: its number (the first row of data is 1), its dataset's name if any, and why."""

    row: int
    dataset: str
    reason: str


@dataclass(slots=True)
class ProblemList:
    """Counts the rows that were left out, keeps the first 20, and writes all of them to `path` if there are more.

    With `always` the file is written even for a single problem. Use it as a context manager. As long as the file is
    not needed, nothing is written and an existing file of that name is left alone.
    """

    path: Path
    always: bool = False
    count: int = 0
    first: list[RowProblem] = field(default_factory=list)
    written: bool = False
    _file: Any = None
    _writer: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            try:
                self._file.close()
            except OSError as trouble:  # the rest of the rows is written only now
                raise self._cannot_write(trouble) from trouble

    def add(self, problem: RowProblem) -> None:
        """Record one row; raises InputError if the file cannot be written."""
        self.count += 1
        if self.count <= SHOWN:
            self.first.append(problem)
        if self.written:
            self._write([problem])
        elif self.always or self.count > SHOWN:
            self._open()
            self._write(self.first if self.count <= SHOWN else [*self.first, problem])

    def _open(self) -> None:
        try:
            self._file = open(self.path, "w", newline="", encoding="utf-8")  # noqa: SIM115 - closed by __exit__
        except OSError as error:
            raise self._cannot_write(error) from error
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(("row", "dataset", "reason"))
        self.written = True

    def _write(self, problems: Sequence[RowProblem]) -> None:
        try:
            self._writer.writerows((problem.row, problem.dataset, problem.reason) for problem in problems)
        except OSError as error:
            raise self._cannot_write(error) from error

    def _cannot_write(self, error: OSError) -> InputError:
        return InputError(
            f"the list of rows left out cannot be written to {self.path}: {error.strerror}; name another file with "
            "--problems"
        )
