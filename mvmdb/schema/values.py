"""Which values a column cannot have, though a database may hold them: conditions in SQL, of each row by itself.

SQLite stores a value of any type in any column. PostgreSQL keeps to types, but knows numbers and times without an end.
What a value means beside others is not decided here.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterator
from functools import cache, reduce
from typing import Any, get_args

import sqlalchemy as sa

from mvmdb.names import CELLS_PER_PROJECTION_CELL, N_PROJECTION_CELLS, Kind
from mvmdb.records import ProductState, Proof

_LARGEST = sys.float_info.max
_CELLS = N_PROJECTION_CELLS * CELLS_PER_PROJECTION_CELL
_DIGIT = "[0-9]"
_TIME = f"{_DIGIT * 4}-{_DIGIT * 2}-{_DIGIT * 2} {_DIGIT * 2}:{_DIGIT * 2}:{_DIGIT * 2}.{_DIGIT * 6}"
"""The form in which times are written to SQLite."""

_CHOICES: dict[tuple[str, str], tuple[str, ...]] = {
    ("product", "state"): tuple(map(str, ProductState)),
    ("product", "proof"): tuple(map(str, Proof)),
    ("dataset", "kind"): get_args(Kind),
    ("layer", "kind"): get_args(Kind),
}
"""The texts that a column is limited to."""

Condition = sa.ColumnElement[bool]


def holds_text(data: bytes | None) -> bool:
    """The SQL function of SQLite by this name: whether bytes are text as every database holds it, UTF-8 without NUL."""
    if data is None:
        return True
    try:
        return "\0" not in data.decode()
    except UnicodeDecodeError:
        return False


def holds_time(text: str | None) -> bool:
    """The SQL function of SQLite by this name: whether text is read as a time without a time zone, in any form."""
    try:
        return text is None or dt.datetime.fromisoformat(text).tzinfo is None
    except (ValueError, TypeError):
        return False


def describe_column(column: sa.Column[Any]) -> str:
    """What a column can hold, in words."""
    return f"{_describe_type(column)}, or nothing" if column.nullable else _describe_type(column)


def _describe_type(column: sa.Column[Any]) -> str:
    if _is_cell(column):
        return f"the key of a sky cell, 0 to {_CELLS - 1}"
    kind = column.type
    if isinstance(kind, sa.Boolean):
        return "true or false"
    if isinstance(kind, sa.Integer):
        return "a whole number"
    if isinstance(kind, sa.Float):
        return "a finite number"
    if isinstance(kind, sa.DateTime):
        return "a time (UTC)"
    if choices := _choices(column):
        return f"{', '.join(choices[:-1])} or {choices[-1]}"
    length = getattr(kind, "length", None)
    words = "text" if length is None else f"text of at most {length} characters"
    return f"{words}, not empty" if _is_name(column) else words


def stored_columns(table: sa.Table) -> list[sa.Column[Any]]:
    """The columns of a table that are written, and not computed by the database."""
    return [column for column in table.columns if column.computed is None]


@cache
def has_impossible(dialect: str, table: sa.Table) -> Condition:
    """Whether a row of a table may hold a value that its column cannot have: few other rows are suspected with them.

    Built once for each kind of database: these are hundreds of conditions, which every command asks for some of.
    """
    conditions = [bad for column in stored_columns(table) for bad in _impossible(dialect, column)]
    texts = [column for column in stored_columns(table) if _is_text(column)]
    if dialect == "sqlite" and texts:
        # One call of a function for all texts of a row, as a call takes longer than all else.
        pieces: list[Any] = [sa.func.coalesce(sa.cast(column, sa.Text), "") for column in texts]
        joined = reduce(lambda first, second: first.op("||")(" ").op("||")(second), pieces)
        conditions.append(sa.not_(sa.func.holds_text(sa.cast(joined, sa.LargeBinary))))
    return sa.or_(sa.false(), *conditions)


def impossible_value(dialect: str, column: sa.Column[Any]) -> Any:
    """A value as SQL, of a row that is suspected: null, or the bytes in which a value is shown that is suspected."""
    conditions = list(_impossible(dialect, column))
    shown: Any
    if dialect == "sqlite" and _is_text(column):
        conditions.append(sa.not_(sa.func.holds_text(sa.cast(column, sa.LargeBinary))))
    if dialect == "sqlite":
        shown = sa.func.coalesce(sa.func.substr(sa.cast(column, sa.LargeBinary), 1, 100), sa.func.zeroblob(0))
    else:
        shown = sa.func.convert_to(sa.cast(column, sa.Text), "UTF8")
    return sa.case((sa.or_(sa.false(), *conditions), shown))


def as_key(dialect: str, column: sa.Column[Any]) -> Any:
    """A column of a key as SQL, to be read even where its text cannot be: as bytes then."""
    if dialect != "sqlite" or not _is_text(column):
        return column
    readable = sa.func.holds_text(sa.cast(column, sa.LargeBinary))
    return sa.case((readable, column), else_=sa.cast(column, sa.LargeBinary))


def equals_key(column: sa.Column[Any], value: object) -> Condition:
    """Whether a column of a key has a value of `as_key`."""
    return sa.cast(column, sa.LargeBinary) == value if isinstance(value, bytes) else column == value


def _impossible(dialect: str, column: sa.Column[Any]) -> Iterator[Condition]:
    if dialect == "sqlite":
        yield from _impossible_in_sqlite(column)
    elif isinstance(column.type, sa.Float):
        yield sa.not_(column.between(-_LARGEST, _LARGEST))  # not-a-number is more than any number there
    elif isinstance(column.type, sa.DateTime):
        yield sa.not_(column.between(dt.datetime.min, dt.datetime.max))
    if _is_cell(column):
        yield sa.not_(column.between(0, _CELLS - 1))
    if _is_name(column):
        yield column == ""
    if choices := _choices(column):
        yield column.not_in(choices)


def _impossible_in_sqlite(column: sa.Column[Any]) -> Iterator[Condition]:
    kind, found = column.type, sa.func.typeof(column)
    types = {sa.Boolean: "integer", sa.Integer: "integer", sa.Float: "real", sa.DateTime: "text", sa.String: "text"}
    wanted = "text" if _is_text(column) else next(name for type_, name in types.items() if isinstance(kind, type_))
    yield found.not_in([wanted, "null"] if column.nullable else [wanted])
    if isinstance(kind, sa.Boolean):
        yield sa.type_coerce(column, sa.Integer).not_in([0, 1])
    elif isinstance(kind, sa.Integer):
        limit = 2**63 if isinstance(kind, sa.BigInteger) else 2**31
        yield sa.not_(column.between(-limit, limit - 1))
    elif isinstance(kind, sa.Float):
        yield sa.func.abs(column) > _LARGEST
    elif isinstance(kind, sa.DateTime):
        text = sa.type_coerce(column, sa.Text)
        anew = sa.func.strftime("%Y-%m-%d %H:%M:%S", text, "+0 days")  # without it, February 30 would stay
        exists = anew.is_not_distinct_from(sa.func.substr(text, 1, 19))
        as_written = sa.and_(text.op("GLOB")(_TIME), text >= "0001", exists)  # which takes no call of Python
        yield sa.case((as_written, False), else_=sa.not_(sa.func.holds_time(text)))
    elif getattr(kind, "length", None) is not None:
        yield sa.func.length(column) > kind.length  # type: ignore[attr-defined]


def _is_text(column: sa.Column[Any]) -> bool:
    return column.type.python_type is str


def _choices(column: sa.Column[Any]) -> tuple[str, ...]:
    return _CHOICES.get((column.table.name, column.name), ())


def _is_cell(column: sa.Column[Any]) -> bool:
    return (column.table.name, column.name) == ("skycell", "id") or any(
        key.target_fullname == "skycell.id" for key in column.foreign_keys
    )


def _is_name(column: sa.Column[Any]) -> bool:
    """Whether a column is what a row is known by."""
    return _is_text(column) and bool(column.primary_key or column.unique)
