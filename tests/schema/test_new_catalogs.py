"""A new catalog has the newest tables at once: they are what the migrations, one after the other, make."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from databases import Databases

from mvmdb.schema import create_schema, open_engine, upgrade_schema
from mvmdb.schema import tables as t
from mvmdb.schema.bulk_load import may_drop_indexes, without_indexes

_OF_POSTGRESQL = (
    "SELECT 'column', table_name, column_name, udt_name, is_nullable, column_default, generation_expression,"
    " character_maximum_length, is_identity FROM information_schema.columns WHERE table_schema = 'public'",
    "SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = 'public'::regnamespace",
    "SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "SELECT 'view', viewname, definition FROM pg_views WHERE schemaname = 'public'",
    "SELECT 'function', proname, pg_get_functiondef(p.oid) FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang"
    " WHERE pronamespace = 'public'::regnamespace AND l.lanname = 'sql'",
    "SELECT 'comment', c.relname, a.attname, col_description(c.oid, a.attnum), obj_description(c.oid) FROM pg_class c"
    " JOIN pg_attribute a ON a.attrelid = c.oid WHERE relnamespace = 'public'::regnamespace AND attnum > 0",
)
_OF_SQLITE = (
    "SELECT type, name, sql FROM sqlite_master WHERE type != 'table'",
    "SELECT 'column', m.name, c.name, c.type, c.[notnull], c.dflt_value, c.pk, c.hidden"
    " FROM sqlite_master m, pragma_table_xinfo(m.name) c WHERE m.type = 'table'",
    "SELECT 'foreign key', m.name, f.[table], f.[from], f.[to], f.on_update, f.on_delete"
    " FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'",
)


def describe(connection: sa.Connection) -> set[tuple[Any, ...]]:
    """All that a database says of its schema, but for the order of columns."""
    queries = _OF_SQLITE if connection.dialect.name == "sqlite" else _OF_POSTGRESQL
    told = {tuple(row) for query in queries for row in connection.exec_driver_sql(query)}
    inspector = sa.inspect(connection)
    for table in inspector.get_table_names():
        told |= {("check", table, check["name"], check["sqltext"]) for check in inspector.get_check_constraints(table)}
        told |= {("unique", table, str(unique)) for unique in inspector.get_unique_constraints(table)}
        told.add(("key", table, str(inspector.get_pk_constraint(table))))
    version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
    return told | {("version", version)}


def test_new_tables_are_what_the_migrations_make(databases: Databases) -> None:
    told = []
    for make in (create_schema, upgrade_schema):
        engine = open_engine(databases.empty(), create=True)
        with engine.begin() as connection:
            make(connection)
            told.append(describe(connection))
        engine.dispose()
    new, migrated = told
    assert len(new) > 300
    assert new - migrated == set()
    assert migrated - new == set()


def test_a_first_import_leaves_new_tables_as_they_are(databases: Databases) -> None:
    told = []
    for _ in range(2):
        engine = open_engine(databases.empty(), create=True)
        with engine.begin() as connection:
            create_schema(connection)
            told.append(describe(connection))
            assert may_drop_indexes(connection, t.membership, t.layer_member)
            with without_indexes(connection, t.membership, t.layer_member):
                assert describe(connection) != told[0]
            assert describe(connection) == told[0]
        engine.dispose()
    assert told[0] == told[1]
