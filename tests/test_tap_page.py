"""docs/seeing/tap.md: its descriptor is XML that names columns of the catalog, and pgsphere makes its index."""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET

import psycopg
import pytest
from pages import REPOSITORY
from postgres import Server

from mvmdb.catalog.ask.relations import describe_schema


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (REPOSITORY / "docs/seeing/tap.md").read_text(), re.DOTALL)


def test_the_descriptor_names_columns_of_the_catalog_with_their_units() -> None:
    (text,) = blocks("xml")
    known = {relation["name"]: {c["name"]: c["unit"] for c in relation["columns"]} for relation in describe_schema()}
    root = ET.fromstring(text)
    tables = root.findall("table")
    assert [table.get("id") for table in tables] == [make.get("table") for make in root.findall("data/make")]
    for table in tables:
        assert f"FROM mvm_catalog.{table.get('id')})" in str(table.findtext("viewStatement"))
        for column in table.findall("column"):
            assert column.get("unit") == known[str(table.get("id"))][str(column.get("name"))], column.attrib


def test_the_index_of_positions_is_used_by_a_cone_search(postgres: Server) -> None:
    database = postgres.make_catalog()
    try:
        for statement in next(block for block in blocks("sql") if "pg_sphere" in block).split(";\n"):
            if statement.strip():
                postgres.run(statement, database)
    except (psycopg.errors.FeatureNotSupported, psycopg.errors.UndefinedFile) as error:
        if os.environ.get("MVMDB_REQUIRE_PGSPHERE") == "1" and os.environ.get("MVMDB_POSTGRES"):
            pytest.fail(f"pgsphere is missing: {error}")
        pytest.skip("this PostgreSQL has no pgsphere; name one that has in MVMDB_POSTGRES (postgresql-15-pgsphere)")
    else:
        cone = "spoint(radians(ra), radians(dec)) <@ scircle(spoint(radians(54.8), radians(-30.0)), radians(0.1))"
        plan = postgres.run(f"SET enable_seqscan = off; EXPLAIN SELECT ipppssoo FROM exposure WHERE {cone}", database)
        assert plan or postgres.run(f"SELECT ipppssoo FROM exposure WHERE {cone}", database) == []
    finally:
        postgres.drop_database(database)
