"""Which schema a database has; creating the schema and bringing it up to date with Alembic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from mvmdb.errors import CatalogError
from mvmdb.schema.faults import shown_url
from mvmdb.schema.functions import create_functions
from mvmdb.schema.postgres import prepare_database
from mvmdb.schema.tables import metadata
from mvmdb.schema.views import create_views, drop_views

if TYPE_CHECKING:
    from alembic.config import Config

REVISION = "0013"
"""The newest migration; a test checks that it is Alembic's head."""

_KNOWN = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011", "0012", "0013")

_RECORD = sa.Table(
    "alembic_version",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""Where Alembic records the revision, as Alembic makes it."""


def create_schema(connection: sa.Connection) -> bool:
    """Create the tables and views in an empty database, and return True, or leave an up-to-date catalog as it is."""
    is_empty = _read_revision(connection) is None
    if is_empty:
        _make_newest(connection)
    require_schema(connection)
    return is_empty


def _make_newest(connection: sa.Connection) -> None:
    """Make what the migrations would make of an empty database, save for the order of columns, and faster.

    A test compares the two.
    """
    if connection.dialect.name == "postgresql":
        prepare_database(connection)
    metadata.create_all(connection, checkfirst=False)
    _RECORD.create(connection)
    connection.execute(sa.insert(_RECORD).values(version_num=REVISION))
    create_functions(connection)
    create_views(connection)


def require_schema(connection: sa.Connection) -> None:
    """Raise CatalogError, with the remedy, unless the database is a catalog of this very schema."""
    revision = _read_revision(connection)
    if revision == REVISION:
        return
    where = shown_url(connection.engine.url) if connection.dialect.name != "sqlite" else "this database"
    if revision is None:
        raise CatalogError(f"{where} is empty, not an mvmdb catalog; make one with `mvmdb init` or `mvmdb ingest`")
    if revision in _KNOWN:
        raise CatalogError(f"catalog is schema {revision}, this mvmdb needs {REVISION}; run: mvmdb init --upgrade")
    raise CatalogError(f"catalog is schema {revision}, newer than this mvmdb's {REVISION}; install a newer mvmdb")


def upgrade_schema(connection: sa.Connection) -> None:
    """Run the missing migrations in the caller's transaction, and create functions and views anew."""
    from alembic import command  # 0.3 s of import that only an upgrade pays

    revision = _read_revision(connection)
    if revision is not None and revision not in _KNOWN:
        require_schema(connection)
    if connection.dialect.name == "postgresql":
        prepare_database(connection)
    drop_views(connection)
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, REVISION)
    create_functions(connection)
    create_views(connection)


def alembic_config() -> Config:
    """Alembic's configuration, without a file: the migrations are in the package."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _read_revision(connection: sa.Connection) -> str | None:
    """The recorded revision; None for an empty database. Raises CatalogError for somebody else's database."""
    try:
        names = set(sa.inspect(connection).get_table_names())
    except sa.exc.DatabaseError as error:
        raise CatalogError(f"this is not a readable database ({error.orig}); give --db FILE or a URL") from error
    if not names:
        return None
    if not {"alembic_version", "archive", "exposure", "membership"} <= names:
        tables = ", ".join(sorted(names)[:4])
        raise CatalogError(f"this database is not mvmdb's: it holds {tables}; give --db another file or URL")
    return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one())
