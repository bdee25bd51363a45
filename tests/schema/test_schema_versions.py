"""Migrations create the tables of the code, and other databases are refused with a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from databases import Databases

from mvmdb.catalog.configure import initialise
from mvmdb.catalog.open import open_catalog
from mvmdb.errors import CatalogError
from mvmdb.schema import metadata, open_engine
from mvmdb.schema.views import VIEWS


def test_migrations_make_exactly_the_tables_of_the_code(databases: Databases) -> None:
    with open_catalog(databases.catalog(), create=True) as engine, engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert set(sa.inspect(connection).get_view_names()) == set(VIEWS)


def test_every_column_has_a_comment() -> None:
    silent = [str(column) for table in metadata.tables.values() for column in table.columns if not column.comment]
    assert silent == []


def test_a_missing_catalog_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"no catalog at .*mvmdb init"), open_catalog(str(tmp_path / "mvm.db")):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but dear to somebody" * 100)
    with pytest.raises(CatalogError, match="not a database"), open_catalog(str(path), create=True):
        pass
    assert path.read_text().startswith("not a database")


def test_a_database_of_another_program_is_refused_and_kept(databases: Databases) -> None:
    address = databases.empty()
    engine = open_engine(address, create=True)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE stars (ra REAL)")
    with pytest.raises(CatalogError, match=r"not mvmdb's: it holds stars"), open_catalog(address, create=True):
        pass
    with engine.connect() as connection:
        assert sa.inspect(connection).get_table_names() == ["stars"]
    engine.dispose()


def test_a_newer_schema_is_refused_with_the_remedy(databases: Databases) -> None:
    address = databases.catalog()
    initialise(address, rule=None, products=None)
    engine = open_engine(address)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    with pytest.raises(CatalogError, match=r"9999, newer .* install a newer mvmdb"), open_catalog(address):
        pass
    with pytest.raises(CatalogError, match="9999, newer"):
        initialise(address, rule=None, products=None, upgrade=True)


def test_an_empty_database_is_no_catalog_until_it_is_initialised(databases: Databases) -> None:
    address = databases.empty()
    open_engine(address, create=True).connect().close()
    with pytest.raises(CatalogError, match="is empty"), open_catalog(address):
        pass
    initialise(address, rule=None, products=None)
    with open_catalog(address):
        pass


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("nosuch+driver://host/db", "driver"),
        ("://", "not a database address"),
        ("missing/folder/mvm.db", "folder does not exist"),
        (":memory:", "in memory"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("sqlite:///file:mvm.db?mode=memory", "in memory"),
    ],
)
def test_wrong_addresses_are_refused(
    address: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CatalogError, match=message):
        open_engine(address, create=True)


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="is a folder"):
        open_engine(str(tmp_path))
