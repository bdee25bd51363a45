"""Values that tell what they are: one line where Python prints them, a table where a notebook shows them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import islice
from typing import NamedTuple

MOST_SHOWN = 100
"""How many rows a notebook shows of a value."""


class Told(NamedTuple):
    """What a value tells: one line about all of it, and a table with these names and rows, which may be empty."""

    line: str
    names: Sequence[str] = ()
    rows: Iterable[Sequence[object]] = ()


class Shown:
    """A value that tells what it is. Subclasses say it in `tell`; dataclasses among them have `repr=False`."""

    __slots__ = ()

    def tell(self) -> Told:
        """What the value tells."""
        raise NotImplementedError

    def __repr__(self) -> str:
        """One line, as `<Status: 10 layers, 8 fresh, 2 stale>`."""
        return f"<{type(self).__name__}: {_one_line(self.tell().line)}>"

    def _repr_html_(self) -> str:
        """The line and the first rows of the table, for notebooks. Texts are escaped."""
        told = self.tell()
        rows = iter(told.rows)
        first = list(islice(rows, MOST_SHOWN))
        more = sum(1 for _ in rows)
        parts = [f"<p><strong>{type(self).__name__}</strong>: {escape(told.line)}</p>"]
        if first:
            parts += ["<table>", _row("th", told.names), *(_row("td", row) for row in first), "</table>"]
        if more:
            parts.append(f"<p>and {more} more</p>")
        return "\n".join(parts)


def _row(tag: str, values: Sequence[object]) -> str:
    cells = ("" if value is None else escape(str(value)) for value in values)
    return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"


def _one_line(text: str) -> str:
    """The text with escapes for what a terminal would obey."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
