"""Bulk load of empty tables: indexes are built and foreign keys checked once for all rows, not row by row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import AddConstraint, DropConstraint


@contextmanager
def without_indexes(connection: sa.Connection, *tables: sa.Table) -> Iterator[None]:
    """Within the block, empty tables have no secondary indexes and, on PostgreSQL, no foreign keys.

    Call `may_drop_indexes` first. Primary keys and unique columns stay. If the block fails, roll the transaction back,
    which restores what was dropped.
    """
    indexes = [index for table in tables for index in sorted(table.indexes, key=lambda index: str(index.name))]
    foreign_keys = []
    if connection.dialect.name != "sqlite":
        foreign_keys = [key for table in _copy(tables) for key in _foreign_keys(table)]
    for key in foreign_keys:
        connection.execute(DropConstraint(key))
    for index in indexes:
        index.drop(connection)
    yield
    for index in indexes:
        index.create(connection)
    for key in foreign_keys:
        connection.execute(AddConstraint(key))
    if connection.dialect.name == "postgresql":  # new indexes tell the planner the tables' sizes, not their contents
        for table in tables:
            connection.exec_driver_sql(f"ANALYZE {table.name}")


@contextmanager
def begin_without_foreign_keys(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction in which SQLite does not check foreign keys: for rows whose keys are known to exist.

    Deletions do not cascade in it. On PostgreSQL it is an ordinary transaction; see `without_indexes`.
    """
    with engine.connect() as connection:
        if connection.dialect.name != "sqlite":
            with connection.begin():
                yield connection
            return
        driver: Any = connection.connection.driver_connection
        driver.execute("PRAGMA foreign_keys = OFF")  # before the transaction: within one it has no effect
        try:
            with connection.begin():
                yield connection
        finally:
            if not connection.invalidated:  # an interrupted statement closes it
                driver.execute("PRAGMA foreign_keys = ON")


def may_drop_indexes(connection: sa.Connection, *tables: sa.Table) -> bool:
    """Whether this user may alter the tables and nobody reads them now; if so, other users wait from now on.

    On PostgreSQL the tables are locked until the transaction ends, and so are the tables that they refer to, because
    dropping a foreign key locks both. Otherwise a later reader could hold one table while waiting for another, and the
    server would end one of the two transactions as a deadlock.
    """
    if connection.dialect.name == "sqlite":
        return True
    names = sorted({t.name for table in tables for t in (table, *(key.referred_table for key in _foreign_keys(table)))})
    ownership = "SELECT bool_and(pg_has_role(relowner, 'USAGE')) FROM pg_class WHERE oid = ANY(%s::regclass[])"
    if not connection.exec_driver_sql(ownership, (names,)).scalar():
        return False
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(f"LOCK TABLE {', '.join(names)} IN ACCESS EXCLUSIVE MODE NOWAIT")
    except sa.exc.OperationalError:
        return False
    return True


def is_empty(connection: sa.Connection, table: sa.Table) -> bool:
    """Whether a table has no rows."""
    return connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first() is None


def _copy(tables: Sequence[sa.Table]) -> list[sa.Table]:
    """Copies of tables: a constraint that was dropped or added by itself is left out when its table is made again."""
    copies = sa.MetaData()
    for table in tables[0].metadata.sorted_tables:
        table.to_metadata(copies)
    return [copies.tables[table.name] for table in tables]


def _foreign_keys(table: sa.Table) -> list[sa.ForeignKeyConstraint]:
    return sorted(table.foreign_key_constraints, key=lambda key: str(key.name))
