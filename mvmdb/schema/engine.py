"""Opening a database: its address, its dialect's peculiarities, and the SQL functions that users get with it."""

from __future__ import annotations

import datetime as dt
import math
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from mvmdb.errors import CatalogError

_BUSY_MS = 60_000
_ROWS_AT_ONCE = 20_000


def database_url(address: str) -> sa.URL:
    """The SQLAlchemy URL of a path or URL given by a user."""
    if "://" not in address:
        return sa.URL.create("sqlite", database=str(Path(address).expanduser()))
    try:
        return sa.make_url(address)
    except ArgumentError as error:
        raise CatalogError(f"{address!r} is not a database address; expected a path or an SQLAlchemy URL") from error


def open_engine(address: str, *, create: bool = False, read_only: bool = False) -> sa.Engine:
    """An engine on a catalog's database.

    With `create`, a missing SQLite file is made; else it is an error. With `read_only`, the database itself refuses
    every write. Raises CatalogError when the address cannot be used.
    """
    url = database_url(address)
    try:
        if url.get_backend_name() == "sqlite":
            return _open_sqlite(url, create=create, read_only=read_only)
        options = {"execution_options": {"postgresql_readonly": True}} if read_only else {}
        return sa.create_engine(url, **options)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise CatalogError(
            f"{url.render_as_string()} needs a database driver that is not here ({error}); "
            "use SQLite, or install mvmdb[postgres]"
        ) from error


def _open_sqlite(url: sa.URL, *, create: bool, read_only: bool) -> sa.Engine:
    path = Path(url.database or "mvm.db")
    if path.is_dir():
        raise CatalogError(f"{path} is a folder; expected a database file: give --db FILE")
    if not path.exists() and not create:
        raise CatalogError(f"there is no catalog at {path}; make one with `mvmdb init` or `mvmdb ingest`, or give --db")
    if create and not path.parent.is_dir():
        raise CatalogError(f"{path}: its folder does not exist; make it first, or give another --db")
    mode = "ro" if read_only else "rwc" if create else "rw"
    location = f"{path.absolute().as_uri()}?mode={mode}"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(location, uri=True, check_same_thread=False, timeout=_BUSY_MS / 1000)

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.pool.QueuePool)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite if not read_only else _begin_sqlite_reading)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    import sqlite_utils  # 0.1 s of import that other databases need not pay

    connection.isolation_level = None  # transactions are ours: see _begin_sqlite
    connection.execute("PRAGMA foreign_keys = ON")
    # No recursive triggers and no plugins: only the functions of mvmdb are added to the connection.
    database = sqlite_utils.Database(connection, execute_plugins=False)
    database.register_function(sky_separation, deterministic=True)
    database.register_function(in_cone, deterministic=True)


def _begin_sqlite(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")  # a writer waits its turn instead of failing half-way


def _begin_sqlite_reading(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def sky_separation(ra1: float, dec1: float, ra2: float, dec2: float) -> float | None:
    """Angle between two positions, degrees; haversine, good at any distance. Null where a coordinate is null."""
    if None in (ra1, dec1, ra2, dec2):
        return None
    lat1, lat2 = math.radians(dec1), math.radians(dec2)
    half = math.sin((lat2 - lat1) / 2) ** 2
    half += math.cos(lat1) * math.cos(lat2) * math.sin(math.radians(ra2 - ra1) / 2) ** 2
    return math.degrees(2 * math.asin(min(1.0, math.sqrt(half))))


def in_cone(ra: float, dec: float, ra0: float, dec0: float, radius: float) -> bool | None:
    """Whether (ra, dec) is at most `radius` degrees from (ra0, dec0); all in degrees."""
    separation = sky_separation(ra, dec, ra0, dec0)
    return None if separation is None else separation <= radius


def upsert(connection: sa.Connection, table: sa.Table, key: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    """Insert rows; where `key` is there already, overwrite the columns that the rows name."""
    if not rows:
        return
    module: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = module.insert(table)
    changes = {name: statement.excluded[name] for name in rows[0] if name not in key}
    if changes:
        statement = statement.on_conflict_do_update(index_elements=list(key), set_=changes)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=list(key))
    connection.execute(statement, rows)


def bulk_insert(
    connection: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Insert many rows, given as plain values in the order of `columns`, by the database's fastest way.

    That is the driver's executemany for SQLite and COPY for PostgreSQL; types are not converted on the way.
    """
    names = ", ".join(f'"{name}"' for name in columns)
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        source = iter(rows)
        while part := list(islice(source, _ROWS_AT_ONCE)):
            connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", part)
        return
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def reserve_keys(connection: sa.Connection, table: sa.Table, n: int) -> Sequence[int]:
    """`n` keys (column `id`) that no row of the table has and no other transaction will be given."""
    if connection.dialect.name == "sqlite":  # the transaction holds the only right to write
        last = connection.scalar(sa.select(sa.func.max(table.c.id))) or 0
        return range(last + 1, last + 1 + n)
    sequence = f"nextval(pg_get_serial_sequence('{table.name}', 'id'))"
    return list(connection.execute(sa.text(f"SELECT {sequence} FROM generate_series(1, :n)"), {"n": n}).scalars())


def plain_time(connection: sa.Connection, time: dt.datetime) -> Any:
    """A time as `bulk_insert` wants it: SQLite keeps text, in the form in which SQLAlchemy reads it back."""
    return time.isoformat(" ", "microseconds") if connection.dialect.name == "sqlite" else time


def join_distinct(connection: sa.Connection, column: Any) -> Any:
    """Aggregate: the distinct values of a column as one comma-separated text."""
    if connection.dialect.name == "sqlite":
        return sa.func.group_concat(sa.distinct(column))  # SQLite allows DISTINCT only with the default comma
    return sa.func.string_agg(sa.distinct(sa.cast(column, sa.Text)), sa.literal_column("','"))


@contextmanager
def clear_errors(address: str) -> Iterator[None]:
    """Turn a driver's error into one line for the user: the database's own words, and which database."""
    try:
        yield
    except DBAPIError as error:
        raise CatalogError(f"database {address}: {str(error.orig).strip()}") from error
