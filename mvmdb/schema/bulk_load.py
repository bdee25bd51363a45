"""Filling empty tables the fast way: what the database checks and sorts row by row is done once, for all rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import AddConstraint, DropConstraint


@contextmanager
def bare(connection: sa.Connection, *tables: sa.Table) -> Iterator[None]:
    """Empty tables without their secondary indexes, and on PostgreSQL without foreign keys, until the block ends well.

    Ask `may_be_bare` first. Primary keys and unique columns stay. When the block fails, the transaction has to be
    rolled back, which brings back what was dropped.
    """
    indexes = [index for table in tables for index in sorted(table.indexes, key=lambda index: str(index.name))]
    references = [] if connection.dialect.name == "sqlite" else [key for table in tables for key in _references(table)]
    for reference in references:
        connection.execute(DropConstraint(reference))
    for index in indexes:
        index.drop(connection)
    yield
    for index in indexes:
        index.create(connection)
    for reference in references:
        connection.execute(AddConstraint(reference))
    if connection.dialect.name == "postgresql":  # new indexes tell the server how large tables are, not what is in them
        for table in tables:
            connection.exec_driver_sql(f"ANALYZE {table.name}")


@contextmanager
def begin_unchecked(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction in which SQLite looks up no foreign keys: for rows whose keys are known to be there.

    Nothing cascades in it. PostgreSQL's transaction is as any other; see `bare`.
    """
    with engine.connect() as connection:
        if connection.dialect.name != "sqlite":
            with connection.begin():
                yield connection
            return
        driver: Any = connection.connection.driver_connection
        driver.execute("PRAGMA foreign_keys = OFF")  # before the transaction: within one it does nothing
        try:
            with connection.begin():
                yield connection
        finally:
            if not connection.invalidated:  # an interrupted statement closes it
                driver.execute("PRAGMA foreign_keys = ON")


def may_be_bare(connection: sa.Connection, *tables: sa.Table) -> bool:
    """Whether the tables are this user's to alter and nobody reads them now; from then on others wait.

    On PostgreSQL they are locked until the transaction ends, and so are those that they refer to, which a foreign key
    is dropped from as well: a reader that came later could hold one and wait for another, and the server would end one
    of the two.
    """
    if connection.dialect.name == "sqlite":
        return True
    names = sorted({t.name for table in tables for t in (table, *(key.referred_table for key in _references(table)))})
    owned = "SELECT bool_and(pg_has_role(relowner, 'USAGE')) FROM pg_class WHERE oid = ANY(%s::regclass[])"
    if not connection.exec_driver_sql(owned, (names,)).scalar():
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


def _references(table: sa.Table) -> list[sa.ForeignKeyConstraint]:
    return sorted(table.foreign_key_constraints, key=lambda key: str(key.name))
