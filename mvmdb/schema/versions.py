"""Which schema a database has, making it, and bringing it up to date with Alembic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from mvmdb.errors import CatalogError
from mvmdb.schema.faults import shown_url
from mvmdb.schema.functions import create_functions
from mvmdb.schema.postgres import prepare_database
from mvmdb.schema.views import create_views, drop_views

if TYPE_CHECKING:
    from alembic.config import Config

REVISION = "0001"
"""The newest migration; a test holds it to be Alembic's head."""

_KNOWN = ("0001",)


def create_schema(connection: sa.Connection) -> None:
    """Make the tables and views in a database that has none, or leave an up-to-date catalog as it is."""
    if _found_revision(connection) is None:
        upgrade_schema(connection)
    require_schema(connection)


def require_schema(connection: sa.Connection) -> None:
    """Raise CatalogError, with the remedy, unless the database is a catalog of this very schema."""
    found = _found_revision(connection)
    if found == REVISION:
        return
    where = shown_url(connection.engine.url) if connection.dialect.name != "sqlite" else "this database"
    if found is None:
        raise CatalogError(f"{where} is empty, not an mvmdb catalog; make one with `mvmdb init` or `mvmdb ingest`")
    if found in _KNOWN:
        raise CatalogError(f"catalog is schema {found}, this mvmdb needs {REVISION}; run: mvmdb init --upgrade")
    raise CatalogError(f"catalog is schema {found}, newer than this mvmdb's {REVISION}; install a newer mvmdb")


def upgrade_schema(connection: sa.Connection) -> None:
    """Run the migrations that the database lacks, inside the caller's transaction; make functions and views anew."""
    from alembic import command  # 0.3 s of import that only an upgrade pays

    found = _found_revision(connection)
    if found is not None and found not in _KNOWN:
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
    """Alembic's configuration, without a file: the scripts are in the package."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _found_revision(connection: sa.Connection) -> str | None:
    """The recorded revision; None for an empty database. Raises CatalogError for somebody else's database."""
    try:
        names = set(sa.inspect(connection).get_table_names())
    except sa.exc.DatabaseError as error:
        raise CatalogError(
            f"this is not a database that can be read ({error.orig}); give --db FILE or a URL"
        ) from error
    if not names:
        return None
    if not {"alembic_version", "archive", "exposure", "membership"} <= names:
        some = ", ".join(sorted(names)[:4])
        raise CatalogError(f"this database is not mvmdb's: it holds {some}; give --db another file or URL")
    return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one())
