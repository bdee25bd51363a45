"""Rows printed as they are read, in each of the forms of `mvmdb query`: memory does not grow with their number."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import click

from mvmdb.console.show import printable

_ROWS_AT_ONCE = 1000
_CHARACTERS_AT_ONCE = 40_000  # a row may be of any length
_LEAST_MARGIN = 2  # by which a column is wider than its name
_GAP = "  "
_DIGITS = 10  # of numbers in an answer's table: of a right ascension 0.4 mas; the other forms have all

Names = Sequence[str]
Rows = Iterable[Sequence[Any]]
Meaning = tuple[str, str | None]


def print_answer(form: str | None, names: Names, rows: Rows, meanings: Mapping[str, Meaning]) -> None:
    """Rows in this form, with the meaning and unit of columns; where none is named, as a table with ten digits."""
    if form not in ("ecsv", "votable"):
        forms = {"csv": print_csv, "nl": print_json_lines, "json": print_json}
        forms.get(form or "", partial(print_table, digits=_DIGITS))(names, rows)
        return
    from mvmdb.archive.tables import to_table, to_text

    text = to_text(to_table(names, rows, meanings), "votable" if form == "votable" else "ecsv")
    click.echo(text, nl=False, color=True)


def print_csv(names: Names, rows: Rows) -> None:
    """Comma-separated values with a header line, exactly as they are in the catalog; on a terminal as `printable`."""
    shown: Callable[[Sequence[Any]], Sequence[Any]] = _as_they_are
    if sys.stdout.isatty():
        shown = _printable_texts
    _print_batches(_batches(_csv([shown(names)])))
    _print_batches(_batches(_csv(map(shown, rows))))


def print_json_lines(names: Names, rows: Rows) -> None:
    """One JSON object a line."""
    _print_batches(_batches(f"{json.dumps(as_json(names, row))}\n" for row in rows))


def print_json(names: Names, rows: Rows) -> None:
    """One JSON list of objects, which is printed object by object."""

    keys = [f"  {json.dumps(name)}: " for name in names]

    def parts() -> Iterator[str]:
        before = "[\n {\n"
        for row in rows:
            values = ",\n".join(key + _encode(value) for key, value in zip(keys, row, strict=True))
            yield f"{before}{values}\n }}"
            before = ",\n {\n"
        yield "[]\n" if before.startswith("[") else "\n]\n"

    _print_batches(_batches(parts()))


def print_table(names: Names, rows: Rows, *, digits: int | None = None) -> None:
    """A table for people, with numbers to so many digits. The rows are read twice: first for the widths of columns."""
    show = partial(_cell, digits=digits)
    head = [printable(name).strip() for name in names]
    widths = [len(name) + _LEAST_MARGIN for name in head]
    for row in rows:
        for column, value in enumerate(row):
            widths[column] = max(widths[column], len(show(value)))
    lines = (_line(map(show, row), widths) for row in rows)
    click.echo(_line(head, widths) + _line(("-" * width for width in widths), widths), nl=False)
    _print_batches(_batches(lines))


def _printable_texts(row: Sequence[Any]) -> Sequence[Any]:
    return [printable(value) if isinstance(value, str) else _readable(value) for value in row]


def _as_they_are(row: Sequence[Any]) -> Sequence[Any]:
    return [_readable(value) for value in row]


def _readable(value: Any) -> Any:
    """A value as text can hold it: bytes are their hexadecimal digits."""
    return bytes(value).hex() if isinstance(value, bytes | bytearray | memoryview) else value


def _csv(rows: Rows) -> Iterator[str]:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in rows:
        writer.writerow(row)
        yield text.getvalue()
        text.seek(0)
        text.truncate()


def _batches(parts: Iterable[str]) -> Iterator[str]:
    batch: list[str] = []
    size = 0
    for part in parts:
        batch.append(part)
        size += len(part)
        if size > _CHARACTERS_AT_ONCE or len(batch) == _ROWS_AT_ONCE:
            yield "".join(batch)
            batch, size = [], 0
    yield "".join(batch)


def _print_batches(texts: Iterable[str]) -> None:
    for text in texts:
        click.echo(text, nl=False, color=True)  # click would take what looks like a colour out of values


def _encode(value: Any) -> str:
    """A value as JSON, a third of the time that JSON with indents takes."""
    return json.dumps(_plain(value))


def as_json(names: Names, row: Sequence[Any]) -> Mapping[str, Any]:
    """One row as JSON knows it."""
    return {name: _plain(value) for name, value in zip(names, row, strict=True)}


def _plain(value: Any) -> Any:
    """A value as JSON knows it: infinity and not-a-number are null, dates and the like are texts."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    return str(_readable(value))


def _cell(value: Any, digits: int | None) -> str:
    if digits is not None and isinstance(value, float) and abs(value) < 10.0**digits:
        value = float(f"{value:.{digits}g}")
    return "" if value is None else printable(str(_readable(value))).strip()


def _line(cells: Iterable[str], widths: Sequence[int]) -> str:
    return _GAP.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip() + "\n"
