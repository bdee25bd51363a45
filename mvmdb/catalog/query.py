"""Read-only SQL for users: the database itself refuses to write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.exc import DBAPIError, ResourceClosedError

from mvmdb.catalog.archive import open_catalog
from mvmdb.errors import UsageError


@contextmanager
def run_query(address: str, sql: str) -> Iterator[tuple[list[str], Iterator[tuple[Any, ...]]]]:
    """The column names and the rows, as they come, of one SQL statement on a read-only connection.

    Raises UsageError with the database's own words for SQL that it does not accept, writing among it.
    """
    with open_catalog(address, read_only=True) as engine, engine.connect() as connection:
        try:
            result = connection.exec_driver_sql(sql)
            names = list(result.keys())
        except ResourceClosedError as error:
            raise UsageError("this SQL returns no rows; expected a SELECT") from error
        except DBAPIError as error:
            raise UsageError(f"the database refuses this SQL: {str(error.orig).strip()}") from error
        yield names, (tuple(row) for row in result)
