"""Every column of every table is checked by a deep look, or is a fact that nothing else knows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from archive import Archive
from verifying import SMALL, changed, damage, find

from mvmdb.catalog.open import Engine, open_catalog
from mvmdb.schema import tables as t
from mvmdb.schema.values import stored_columns

ONLY_HERE = {
    "exposure": {"s_region_given", "warnings", "registered_at", "changed_at"},
    "dataset": {"id", "processed"},
    "layer": {"failure"},
    "product": {"last_action", "last_reasons", "made_at", "seconds"},
}
"""Columns that nothing else tells, so that another value that they can have is not found; keys that nothing refers to.

The tables of what happened, of what was measured, of what waits and of who works now are left out as a whole:
alternate, sky_pair, sky, shift_pair, placement, quarantine, layer_failure, run, event, coordinator and claim.
"""
WHOLE = {
    "alternate", "sky_pair", "sky", "shift_pair", "placement", "quarantine", "layer_failure", "run", "event",
    "coordinator", "claim",
}  # fmt: skip
CHECKED = [table for table in t.metadata.sorted_tables if table.name not in WHOLE]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    folder = tmp_path_factory.mktemp("columns")
    archive = Archive(folder, str(folder / "mvm.db"))
    archive.expose(**SMALL)
    archive.night()
    return archive


@pytest.fixture(scope="module")
def engine(archive: Archive) -> Iterator[Engine]:
    with open_catalog(archive.address) as engine:
        damage(engine, "UPDATE archive SET value = '2100-01-01' WHERE key = 'pollers_since'")
        yield engine


def other_value(column: sa.Column[Any]) -> str:
    """SQL of another value that a column can have."""
    kind, name = column.type, column.name
    if isinstance(kind, sa.Boolean):
        return f"NOT {name}"
    if isinstance(kind, sa.Integer | sa.Float):
        return f"coalesce({name}, 0) + 1"
    if isinstance(kind, sa.DateTime):
        return "'2001-01-01 00:00:00.000000'"
    if column is t.exposure.c.kind:
        return "CASE kind WHEN 'flt' THEN 'flc' ELSE 'flt' END"
    return f"substr('z' || coalesce({name}, 'z'), 1, {getattr(kind, 'length', None) or 1000})"


def is_found(engine: Engine, products: Path, column: sa.Column[Any]) -> bool:
    table = column.table
    keys = ", ".join(key.name for key in table.primary_key.columns)
    last = ", ".join(f"{key.name} DESC" for key in table.primary_key.columns)
    statement = f"UPDATE {table.name} SET {column.name} = {other_value(column)} "
    statement += f"WHERE ({keys}) IN (SELECT {keys} FROM {table.name} ORDER BY {last} LIMIT 1)"
    with changed(engine, statement) as connection:
        return bool(find(connection, products) or find(connection, products, deep=True))


@pytest.mark.parametrize("table", CHECKED, ids=str)
def test_another_value_of_a_column_is_found_unless_nothing_else_tells_it(
    archive: Archive, engine: Engine, table: sa.Table
) -> None:
    silent = {column.name for column in stored_columns(table) if not is_found(engine, archive.products, column)}
    assert silent == ONLY_HERE.get(table.name, set())
