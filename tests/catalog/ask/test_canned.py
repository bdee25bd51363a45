"""Canned queries: each runs on both databases, the twelve of docs/catalog.md are those of the page, and texts do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from archive import Archive
from pages import twelve_questions

from mvmdb.catalog.ask.browse import open_reader
from mvmdb.catalog.ask.canned import CANNED, TWELVE
from mvmdb.catalog.ask.query import run_query
from mvmdb.schema import metadata
from mvmdb.schema.meanings import VIEWS

BORDER = {"ra": 54.8178, "dec": -30.0}  # in the 20 arcsec that two sky cells share


@pytest.fixture
def asked(archive: Archive) -> Archive:
    return fill(archive)


def fill(archive: Archive) -> Archive:
    """Two exposures of one layer, one of another program and aligned to a catalog, and no mosaic."""
    archive.expose("ia1101a1q", exptime=600.0, **BORDER)
    archive.expose("ia2201a1q", exptime=500.0, wcsname="IDC_w3m18525i-FIT_REL_GAIAeDR3", **BORDER)
    archive.ingest()
    return archive


def rows_of(archive: Archive, sql: str) -> list[tuple[Any, ...]]:
    with run_query(archive.address, sql) as (_, rows):
        return [tuple(row) for row in rows]


def test_every_canned_query_runs_on_both_databases(asked: Archive) -> None:
    layer = "hst_skycell-p0647x10y11_wfc3_ir_f125w_all"
    values: dict[str, Any] = {"program": 0, "exposure": "ia1101a1", "layer": layer}
    found = {
        query.name: rows_of(asked, query.filled(**{k: v for k, v in values.items() if k in dict(query.examples)}))
        for query in CANNED
    }
    assert [(row[0], row[4], row[5]) for row in found["coverage_near"]] == [
        (layer, 2, 1100.0), (layer.replace("x10", "x11"), 2, 1100.0)
    ]  # fmt: skip
    assert [row[0] for row in found["members_of_layer"]] == ["ia1101a1", "ia2201a1"]
    assert [row[1:] for row in found["astrometric_mix"]] == [(2, 2, 1)] * 2
    assert len(found["layers_of_exposure"]) == 4
    assert [row[:5] for row in found["filters"]] == [("wfc3", "ir", "f125w", 2, 4)]
    assert {row[1] for row in found["stale_and_why"]} == {"product-missing"}


def test_the_twelve_questions_are_those_of_the_page() -> None:
    page = twelve_questions()
    assert [query.filled() for query in TWELVE] == list(page.values())
    titles = [title.partition(" ")[2].replace("\n", " ") for title in page]
    assert [q.title for q in TWELVE if not q.examples] == [
        t for t, q in zip(titles, TWELVE, strict=True) if not q.examples
    ]


def test_parameters_given_as_texts_mean_the_same_numbers(tmp_path: Path) -> None:
    """As Datasette gives them, which reads SQLite alone; an empty text finds nothing."""
    (tmp_path / "inbox").mkdir()
    fill(Archive(tmp_path, str(tmp_path / "mvm.db")))
    connection = open_reader(tmp_path / "mvm.db")
    for query in CANNED:
        if query.examples:
            numbers = connection.execute(query.sql, dict(query.examples)).fetchall()
            texts = connection.execute(query.sql, {name: str(value) for name, value in query.examples}).fetchall()
            assert numbers == texts, query.name
            assert connection.execute(query.sql, dict.fromkeys(dict(query.examples), "")).fetchall() == []
    connection.close()


def test_names_are_addresses_of_their_own_and_every_parameter_has_an_example() -> None:
    names = [query.name for query in CANNED]
    assert len({*names, *metadata.tables, *VIEWS}) == len(names) + len(metadata.tables) + len(VIEWS)
    for query in CANNED:
        assert re.fullmatch(r"[a-z_0-9]+", query.name)
        assert set(re.findall(r":([a-z_]+)", query.sql)) == set(dict(query.examples)), query.name
    with pytest.raises(KeyError):
        CANNED[0].filled(ra=1.0)
