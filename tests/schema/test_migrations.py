"""Migrations from every released revision, with data in the tables, to the newest, and the tables that they make."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from databases import Databases, SqliteDatabases
from test_frames import NAMES

from mvmdb.catalog.configure import initialise
from mvmdb.catalog.open import open_catalog
from mvmdb.exposures.wcsname import split_wcsname
from mvmdb.schema import REVISION, metadata, open_engine, versions
from mvmdb.schema import tables as t
from mvmdb.schema.functions import drop_functions
from mvmdb.schema.postgres import prepare_database
from mvmdb.schema.versions import alembic_config
from mvmdb.schema.views import VIEWS, drop_views

SCRIPTS = ScriptDirectory.from_config(alembic_config())
REVISIONS = [script.revision for script in SCRIPTS.walk_revisions()][::-1]  # oldest first


def build_at(connection: sa.Connection, revision: str) -> None:
    """Create the tables of a revision, as the mvmdb of that time did."""
    if connection.dialect.name == "postgresql":
        prepare_database(connection)
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def fill(connection: sa.Connection) -> dict[str, list[dict[str, Any]]]:
    """Write one row to every table, with a value in every column that takes one; returns the rows by table."""
    reflected = sa.MetaData()
    reflected.reflect(connection)
    rows = {}
    for table in reflected.sorted_tables:
        if table.name == "alembic_version":
            continue
        row = {column.name: value_for(column) for column in table.columns if column.computed is None}
        connection.execute(sa.insert(table), [row])
        rows[table.name] = [row]
    return rows


def value_for(column: sa.Column[Any]) -> Any:
    """A value that every release's constraints allow; keys and foreign keys are 1."""
    python_type = column.type.python_type
    if column.name == "kind":
        return "flt"
    if python_type is str:
        return "F125W"[: getattr(column.type, "length", None) or 5]
    if python_type is int:
        return 1 if not isinstance(column.type, sa.BigInteger) else 2**40
    return {float: 2.5, bool: True, dt.datetime: dt.datetime(2026, 1, 2, 3, 4, 5)}[python_type]


def read(connection: sa.Connection, names: list[str]) -> dict[str, list[dict[str, Any]]]:
    reflected = sa.MetaData()
    reflected.reflect(connection, only=names)
    return {
        name: [dict(row._mapping) for row in connection.execute(sa.select(reflected.tables[name]))]
        for name in names
    }  # fmt: skip


def test_the_package_knows_every_revision_and_needs_the_newest() -> None:
    assert list(versions._KNOWN) == REVISIONS
    assert SCRIPTS.get_heads() == [REVISION]


@pytest.mark.parametrize("revision", REVISIONS)
def test_data_of_every_release_survive_the_upgrade(databases: Databases, revision: str) -> None:
    address = databases.empty()
    engine = open_engine(address, create=True)
    with engine.begin() as connection:
        build_at(connection, revision)
        before = fill(connection)
    engine.dispose()
    initialise(address, rule=None, products=None, upgrade=True)
    with open_catalog(address) as engine, engine.connect() as connection:
        after = read(connection, sorted(before.keys() & metadata.tables.keys()))
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert set(sa.inspect(connection).get_view_names()) == set(VIEWS)
        assert connection.execute(sa.text("SELECT layer FROM coverage WHERE filter = 'f125w'")).all() == [("F125W",)]
    assert set(after) == set(before), "a table of a release is missing; check here where its rows went"
    for name, rows in before.items():
        for old, new in zip(rows, after[name], strict=True):
            kept = old.keys() & new.keys()
            if name == "layer":  # 0009 turns areas in the plane into those on the sky, which are at most 0.6% smaller
                kept -= {"area_arcmin2"}
                assert old["area_arcmin2"] * 0.994 < new["area_arcmin2"] <= old["area_arcmin2"]
            assert {key: new[key] for key in kept} == {key: old[key] for key in kept}, name


def test_layers_of_an_upgraded_catalog_use_the_solutions_of_files(databases: Databases) -> None:
    address = databases.empty()
    engine = open_engine(address, create=True)
    with engine.begin() as connection:
        build_at(connection, "0007")
        fill(connection)
    engine.dispose()
    initialise(address, upgrade=True)
    with open_catalog(address) as engine, engine.connect() as connection:
        e = t.exposure.c
        assert connection.execute(sa.select(e.member_wcs, e.alternate)).all() == [("F125W", "")]


def test_an_upgrade_knows_the_frame_of_each_solution_as_the_program_does(databases: Databases) -> None:
    address = databases.empty()
    engine = open_engine(address, create=True)
    with engine.begin() as connection:
        build_at(connection, "0008")
        (row,) = fill(connection)["exposure"]
        reflected = sa.MetaData()
        reflected.reflect(connection, only=["exposure", "alternate", "archive"])
        exposure = reflected.tables["exposure"]
        for key, wcsname in enumerate(NAMES, 2):
            solution = split_wcsname(wcsname)
            parts = {"distortion": solution.distortion, "fit": solution.fit, "astrometric_catalog": solution.catalog}
            own = {"id": key, "ipppssoo": f"i{key:07}", "wcsname": wcsname, "alternate": ""}
            connection.execute(sa.insert(exposure).values(row | parts | own))
        connection.execute(sa.insert(reflected.tables["archive"]).values(key="alternate", value="best"))
        for key, reference in enumerate(("Gaia.csv", "stars.v2.csv", ""), 100):
            own = {"id": key, "ipppssoo": f"i{key:07}", "alternate": "best 1 2 3"}
            connection.execute(sa.insert(exposure).values(row | own))
            (solved,) = connection.execute(sa.select(reflected.tables["alternate"])).mappings().all()[:1]
            own = {"ipppssoo": f"i{key:07}", "name": "best", "reference": reference}
            connection.execute(sa.insert(reflected.tables["alternate"]).values(dict(solved) | own))
    engine.dispose()
    initialise(address, upgrade=True)
    with open_catalog(address) as engine, engine.connect() as connection:
        e = t.exposure.c
        found = connection.execute(sa.select(e.wcsname, e.frame).where(e.id.between(2, 99)))
        assert {name: frame for name, frame in found} == NAMES
        aligned = connection.scalars(sa.select(e.frame).where(e.id >= 100).order_by(e.id)).all()
        assert aligned == ["gaia", "stars.v2", "aligned-best"]


def test_upgrading_twice_changes_nothing(databases: Databases) -> None:
    address = databases.catalog()
    for _ in range(2):
        initialise(address, rule=None, products=None)
        initialise(address, rule=None, products=None, upgrade=True)
    with open_catalog(address) as engine, engine.connect() as connection:
        assert set(sa.inspect(connection).get_view_names()) == set(VIEWS)


def test_downgrade_leaves_an_empty_database(databases: Databases) -> None:
    with open_catalog(databases.catalog(), create=True) as engine, engine.begin() as connection:
        drop_views(connection)
        drop_functions(connection)
        config = alembic_config()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        assert set(sa.inspect(connection).get_table_names()) <= {"alembic_version"}


def test_the_stale_column_of_a_database_is_what_the_tables_say(databases: SqliteDatabases) -> None:
    if databases.kind != "sqlite":
        pytest.skip("PostgreSQL writes the expression in its own words")
    with open_catalog(databases.catalog(), create=True) as engine, engine.connect() as connection:
        statement = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = 'layer'").scalar_one()
    assert t.layer.c.stale.computed is not None
    assert f"({t.layer.c.stale.computed.sqltext})" in statement
