"""Statements that differ between the two databases, and queries with many rows."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from databases import Databases
from postgres import Server
from sqlalchemy.dialects.postgresql import JSON

from mvmdb.catalog.open import open_catalog
from mvmdb.catalog.rows import keys_of_recipes
from mvmdb.errors import CatalogError
from mvmdb.schema import tables as t
from mvmdb.schema.engine import bulk_insert, bulk_select, reserve_keys


def write_recipes(connection: sa.Connection, n: int) -> None:
    bulk_insert(connection, t.recipe, ("id", "parameters"), ((key, f"p{key}") for key in range(1, n + 1)))


def test_reserved_keys_are_those_that_follow(databases: Databases) -> None:
    with open_catalog(databases.catalog(), create=True) as engine, engine.begin() as connection:
        assert list(reserve_keys(connection, t.exposure, 0)) == []
        keys = [list(reserve_keys(connection, t.recipe, 3))]
        bulk_insert(connection, t.recipe, ("id", "parameters"), ((key, f"p{key}") for key in keys[0]))
        keys.append(list(reserve_keys(connection, t.recipe, 2)))
        assert keys == [[1, 2, 3], [4, 5]]


def test_reserved_keys_are_unique_if_other_transactions_reserve_some_too(postgres: Server) -> None:
    with open_catalog(postgres.address(postgres.make_catalog()), create=True) as engine:
        with engine.begin() as connection:  # as if another transaction took every second key
            connection.exec_driver_sql("ALTER SEQUENCE recipe_id_seq INCREMENT BY 2")
        with engine.begin() as connection:
            one, two = (list(reserve_keys(connection, t.recipe, 4)) for _ in range(2))
        assert len(set(one) | set(two)) == 8
        assert {key % 2 for key in one + two} == {1}


def test_plain_rows_are_those_of_the_query(databases: Databases) -> None:
    with open_catalog(databases.catalog(), create=True) as engine, engine.begin() as connection:
        write_recipes(connection, 12_000)
        query = sa.select(t.recipe.c.id, t.recipe.c.parameters).where(t.recipe.c.id > 3).order_by(t.recipe.c.id)
        rows = list(bulk_select(connection, query))
        assert rows == [(key, f"p{key}") for key in range(4, 12_001)]
        assert {type(row) for row in rows} == {tuple}
        assert list(bulk_select(connection, query.where(sa.false()))) == []


def test_an_error_in_a_late_row_is_a_database_error(databases: Databases) -> None:
    n = 30_000  # more rows than are fetched at once
    with open_catalog(databases.catalog(), create=True) as engine, engine.begin() as connection:
        write_recipes(connection, n)
        text = sa.case((t.recipe.c.id < n, "[]"), else_="[")
        read = sa.func.json(text) if databases.kind == "sqlite" else sa.cast(text, JSON)
        with pytest.raises(sa.exc.DBAPIError, match=r"(?i)json"):
            list(bulk_select(connection, sa.select(t.recipe.c.id, read)))


def test_an_error_in_a_row_ends_a_command_in_one_line(tmp_path: Path) -> None:
    address = str(tmp_path / "mvm.db")
    with open_catalog(address, create=True) as engine, engine.begin() as connection:
        write_recipes(connection, 2)
    late = sa.select(sa.func.json(sa.case((t.recipe.c.id < 2, "[]"), else_="[")))
    with pytest.raises(CatalogError, match="malformed JSON"), open_catalog(address) as engine, engine.begin() as one:
        list(bulk_select(one, late))


def test_recipes_are_written_once_and_keep_their_keys(databases: Databases) -> None:
    with open_catalog(databases.catalog(), create=True) as engine:
        with engine.begin() as connection:
            assert keys_of_recipes(connection, []) == {}
            first = keys_of_recipes(connection, ["a", "b", "a"])
        with engine.begin() as connection:
            second = keys_of_recipes(connection, ["b", "c"])
            recorded = {text: key for key, text in connection.execute(sa.select(t.recipe.c.id, t.recipe.c.parameters))}
    assert set(first) == {"a", "b"}
    assert set(second) == {"b", "c"}
    assert first | second == recorded
    assert first["b"] == second["b"]
