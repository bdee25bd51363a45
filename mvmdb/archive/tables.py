"""Answers as tables of astropy, with the units and the meanings of their columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from astropy.table import Column, MaskedColumn, Table

from mvmdb.catalog.ask.relations import find_columns


def to_table(names: Sequence[str], rows: Iterable[Sequence[Any]], sql: str) -> Table:
    """A table with these columns; `sql` is the query that found them, which says what they mean.

    Columns of integers, floats and texts have these types, and others hold objects. NULL is masked.
    """
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    meanings = find_columns(sql)
    table = Table()
    for name, values in zip(names, columns, strict=True):
        meaning, unit = meanings.get(name, ("", None))
        column = _to_column(name, values)
        column.description = meaning or None
        if unit is not None and column.dtype.kind in "if":
            column.unit = unit
        table.add_column(column)
    return table


def _to_column(name: str, values: Sequence[Any]) -> Column:
    kinds = {type(value) for value in values if value is not None}
    kind, blank = next(
        (choice for types, choice in _KINDS if kinds and kinds <= types),
        (np.dtype(object), None),
    )
    if None not in values:
        return Column(np.array(values, kind) if kinds else np.array([], object), name=name)
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
