"""Rows that refer to rows that are not there. Databases prevent them, unless somebody has switched that off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import sqlalchemy as sa

from mvmdb.catalog.check.finding import Damage, Finding
from mvmdb.schema import tables as t
from mvmdb.schema.values import as_key

_MOST = 10_000
"""Rows per reference that one look finds; a second run finds the next."""
_MEMBERS = (t.layer_member, t.product_member)


class DanglingRow(NamedTuple):
    """A row whose `column` refers to the key `target` of a table without such a row; `key` is its own, by column."""

    table: sa.Table
    column: str
    target: str
    key: dict[str, object]


def find_dangling(connection: sa.Connection) -> list[DanglingRow]:
    """The dangling rows of all tables, by their keys (of `schema.values.as_key`)."""
    found = []
    for table, column, target in list_references():
        keys = list(table.primary_key.columns)
        source = table.outerjoin(target.table, column == target)
        shown = (as_key(connection.dialect.name, each).label(f"c{n}") for n, each in enumerate([*keys, column]))
        query = sa.select(*shown).select_from(source)
        query = query.where(column.is_not(None), target.is_(None)).order_by(*keys).limit(_MOST)
        for *values, key in connection.execute(query):
            names = (primary.name for primary in keys)
            found.append(DanglingRow(table, column.name, str(key), dict(zip(names, values, strict=True))))
    return found


def list_references() -> Iterator[tuple[sa.Table, sa.Column[object], sa.Column[object]]]:
    """(table, its column, the column that it refers to) of every foreign key."""
    for table in t.metadata.sorted_tables:
        for reference in sorted(table.foreign_keys, key=lambda key: str(key.parent.name)):
            yield table, reference.parent, reference.column


def describe_dangling(row: DanglingRow) -> Finding:
    """The finding of a dangling row."""
    key = ", ".join(f"{name} {value}" for name, value in row.key.items())
    kind = Damage.MEMBER_DANGLING if row.table in _MEMBERS else Damage.ROW_DANGLING
    name = row.column.removesuffix("_id")
    found = f"{row.column} {row.target}, and no such {name}"
    return Finding(kind, table=f"{row.table.name} ({key})", found=found, expected=f"a row of {name}")
