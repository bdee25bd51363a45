"""The state of an archive, as it can be compared with another: what a run that was killed must leave as any other does.

Left out is what must differ between two runs of the same work, and nothing else:

- keys that the database draws: rows name each other by what identifies them;
- times: columns of type DateTime, those in the decisions file, the file times and the duration of products, and the
  setting `pollers_since`;
- the table `run`, and of events their run, time, duration, memory and wording (`detail`, which says "by a run that was
  killed"); that each event happened once is compared, with its reasons;
- the random identity of the catalog: the decisions file must bear that of the table `archive`;
- files named `.mvmdb.lock*`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from mvmdb.catalog.decisions.load import IDENTITY
from mvmdb.catalog.decisions.values import FILENAME, Decisions, parse_decisions
from mvmdb.schema import open_engine
from mvmdb.schema import tables as t

State = dict[str, Any]

_LEFT_OUT = {
    "product": {"mtime_ns", "seconds"},
    "event": {"run_id", "at", "seconds", "memory_mb", "detail"},
}
_UNCOMPARED = {"run"}


def read_state(address: str, work: Path) -> State:
    """Rows by table, events, indexes, and the bytes of all files below `work` but the catalog's own."""
    state: State = {f"file {name}": content for name, content in _read_files(work)}
    decisions = {name: parse_decisions(state[name].decode(), name) for name in state if name.endswith(FILENAME)}
    engine = open_engine(address)
    try:
        with engine.connect() as connection:
            reflected = sa.MetaData()
            reflected.reflect(connection)
            for table in reflected.sorted_tables:
                if table.name not in _UNCOMPARED:
                    state[f"table {table.name}"] = _read_rows(connection, table)
                state[f"indexes of {table.name}"] = sorted(str(index.name) for index in table.indexes)
            for name, kept in decisions.items():
                state[name] = _without_times(replace(kept, catalog=_name_catalog(connection, kept.catalog)))
            state["views"] = sorted(sa.inspect(connection).get_view_names())
            if connection.dialect.name == "sqlite":
                state["damage"] = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
    finally:
        engine.dispose()
    return state


def without_history(state: State) -> State:
    """A state without events, without what products say of them, and without the plan of the run, which has failed."""
    told = {"last_action", "last_reasons"}
    products = Counter(
        {tuple(pair for pair in row if pair[0] not in told): n for row, n in state["table product"].items()}
    )
    kept: dict[str, Any] = {
        key: value for key, value in state.items() if key != "table event" and not key.endswith("_input.planned")
    }
    return kept | {"table product": products}


def _name_catalog(connection: sa.Connection, identity: str) -> str:
    """What the comparison calls a catalog of this identity."""
    query = sa.select(t.archive.c.value).where(t.archive.c.key == IDENTITY)
    return "this one" if connection.scalar(query) == identity else identity


def _without_times(kept: Decisions) -> Decisions:
    return replace(
        kept,
        exposures=tuple(replace(one, withdrawn_at=one.withdrawn_at and "then") for one in kept.exposures),
        accepted=tuple(replace(one, first_seen="then") for one in kept.accepted),
    )


def find_differences(expected: State, found: State) -> list[str]:
    """What differs, in words; nothing if the two are the same."""
    lines = []
    for key in sorted(expected.keys() | found.keys()):
        if key not in found:
            lines.append(f"{key}: missing")
        elif key not in expected:
            lines.append(f"{key}: too many")
        elif expected[key] != found[key]:
            lines.append(f"{key}: {_compare(expected[key], found[key])}")
    return lines


def _compare(expected: Any, found: Any) -> str:
    if isinstance(expected, Counter) and isinstance(found, Counter):
        return f"missing {list((expected - found).elements())}, too many {list((found - expected).elements())}"
    if isinstance(expected, bytes) and len(expected) < 4000:
        return f"{found!r}, expected {expected!r}"
    return f"{str(found)[:200]}, expected {str(expected)[:200]}"


def _read_files(work: Path) -> Iterable[tuple[str, bytes]]:
    for path in sorted(work.rglob("*")):
        if path.is_file() and not path.name.startswith(".mvmdb.lock") and path.name != "mvm.db":
            yield str(path.relative_to(work)), path.read_bytes()


def _read_rows(connection: sa.Connection, table: sa.Table) -> Counter[tuple[tuple[str, Any], ...]]:
    """The rows, without what is left out, and with what identifies the rows that they refer to."""
    left_out = _LEFT_OUT.get(table.name, set()) | _drawn_keys(table)
    rows: Counter[tuple[tuple[str, Any], ...]] = Counter()
    columns = [column for column in table.columns if column.name not in left_out]
    columns = [column for column in columns if not isinstance(column.type, sa.DateTime)]
    names = {column.name: _names_of(connection, column) for column in columns if column.foreign_keys}
    for row in connection.execute(sa.select(*columns)).mappings():
        if table.name == "archive" and row["key"] in ("pollers_since", IDENTITY):
            continue
        rows[
            tuple((name, names[name].get(value, value) if name in names else value) for name, value in row.items())
        ] += 1
    return rows


def _drawn_keys(table: sa.Table) -> set[str]:
    keys = list(table.primary_key.columns)
    drawn = len(keys) == 1 and keys[0].name == "id" and table.name != "skycell"
    return {"id"} if drawn else set()


def _names_of(connection: sa.Connection, column: sa.Column[Any]) -> dict[Any, Any]:
    """What identifies the rows that a foreign key leads to, by their keys."""
    (key,) = column.foreign_keys
    target = key.column.table
    own = {"exposure": "ipppssoo", "layer": "name", "recipe": "parameters", "product": "layer", "skycell": "name"}
    if target.name not in own:
        return {}
    return dict(connection.execute(sa.select(key.column, target.c[own[target.name]])).all())
