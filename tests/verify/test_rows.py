"""Rows that were changed by hand are found, each with the code of what is wrong with it, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from archive import Archive
from databases import PostgresDatabases, SqliteDatabases
from verifying import NOBODY, ROWS, changed, fill, find

from mvmdb.catalog.check.references import list_references
from mvmdb.catalog.open import Engine, open_catalog

ON_POSTGRESQL = ("eligible", "no membership", "no member", "made digest", "dangling member", "product's pixels")
"""Of each kind of query one: the others ask in the same words."""


def catalog_of(archive: Archive) -> Iterator[Engine]:
    fill(archive)
    with open_catalog(archive.address) as opened:
        yield opened


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("rows")
    yield from catalog_of(Archive(folder, SqliteDatabases(folder).catalog()))


@pytest.fixture(scope="module")
def postgresql(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    databases = PostgresDatabases(request.getfixturevalue("postgres"))
    yield from catalog_of(Archive(tmp_path_factory.mktemp("rows"), databases.catalog()))
    databases.drop()


def check(engine: Engine, damage: str) -> None:
    statement, kinds = ROWS[damage]
    with changed(engine, statement) as connection:
        assert {kind for kind, _ in find(connection)} == kinds


@pytest.mark.parametrize("damage", ROWS)
def test_a_row_changed_by_hand_is_found(sqlite: Engine, damage: str) -> None:
    check(sqlite, damage)


@pytest.mark.parametrize("damage", ON_POSTGRESQL)
def test_a_row_changed_by_hand_is_found_on_postgresql(postgresql: Engine, damage: str) -> None:
    check(postgresql, damage)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_nothing_is_found_where_nothing_was_changed(request: pytest.FixtureRequest, kind: str) -> None:
    with changed(request.getfixturevalue(kind)) as connection:
        assert find(connection) == set()


def test_every_dangling_reference_is_found(sqlite: Engine) -> None:
    references = [(table, column) for table, column, _ in list_references()]
    for table, column in references:
        with changed(sqlite) as connection:
            row = connection.execute(sa.select(table).limit(1)).mappings().one_or_none()
            if row is None:
                continue
            if column.primary_key:
                connection.execute(sa.insert(table).values({**row, column.name: NOBODY}))
            else:
                key = [c == row[c.name] for c in table.primary_key.columns]
                connection.execute(sa.update(table).where(*key).values({column.name: NOBODY}))
            member = table.name in ("layer_member", "product_member")
            kind = "member-dangling" if member else "row-dangling"
            assert any(found == kind and table.name in subject for found, subject in find(connection)), str(column)
    assert len(references) >= 12
