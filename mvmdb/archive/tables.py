"""Answers as tables of astropy, with the units and the meanings of their columns."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from astropy.table import Column, MaskedColumn, Table

Meaning = tuple[str, str | None]
"""The meaning of a column, and its unit, if it has one."""


def to_table(names: Sequence[str], rows: Iterable[Sequence[Any]], meanings: Mapping[str, Meaning]) -> Table:
    """A table with these columns; `meanings` has the meaning and the unit of those for which it is known.

    Columns of integers, floats and texts have these types, and others hold objects. NULL is masked.
    """
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    table = Table()
    for name, values in zip(names, columns, strict=True):
        meaning, unit = meanings.get(name, ("", None))
        column = _to_column(name, values, np.dtype(str if unit is None else float))
        column.description = meaning or None
        if unit is not None and column.dtype.kind in "if":
            column.unit = unit
        table.add_column(column)
    return table


def _to_column(name: str, values: Sequence[Any], empty: np.dtype[Any]) -> Column:
    kinds = {type(value) for value in values if value is not None}
    kind, blank = next(
        (choice for types, choice in _KINDS if kinds and kinds <= types),
        (np.dtype(object), None),
    )
    if None not in values:
        return Column(np.array(values, kind if kinds else empty), name=name)
    mask = [value is None for value in values]
    filled = (
        np.empty(len(values), kind) if kind.kind == "O" else np.array([blank if v is None else v for v in values], kind)
    )
    if kind.kind == "O":
        filled[:] = list(values)
    return MaskedColumn(filled, mask=mask, name=name)


_KINDS: tuple[tuple[set[type], tuple[np.dtype[Any], Any]], ...] = (
    ({bool}, (np.dtype(bool), False)),
    ({int}, (np.dtype(np.int64), 0)),
    ({int, float}, (np.dtype(np.float64), np.nan)),
    ({str}, (np.dtype(str), "")),
)


def to_text(table: Table, form: Literal["ecsv", "votable"]) -> str:
    """The table as ECSV, or as a VOTable whose texts are of characters if these are ASCII."""
    if form == "ecsv":
        lines = io.StringIO()
        table.write(lines, format="ascii.ecsv")
        return lines.getvalue()
    for name in table.colnames:
        if table[name].dtype.kind == "U" and all(str(value).isascii() for value in table[name]):
            table.replace_column(name, table[name].astype("S"))
    content = io.BytesIO()
    table.write(content, format="votable")
    return content.getvalue().decode()
