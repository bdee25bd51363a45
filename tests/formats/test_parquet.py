"""Parquet: pyarrow reads it, its metadata say what columns are, and its bounds hold the regions."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from astropy.coordinates import SkyCoord
from astropy.io.votable import parse_single_table
from astropy.table import Table

import mvmdb
from mvmdb.formats.parquet import BOUNDS


@pytest.fixture(scope="module")
def exported(places: mvmdb.Archive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("parquet") / "all.parquet"
    places.export("parquet", path)
    return path


def test_parquet_and_votable_have_the_same_rows(exported: Path, places: mvmdb.Archive, tmp_path: Path) -> None:
    places.export("obscore", tmp_path / "a.vot")
    table, rows = Table.read(tmp_path / "a.vot"), pq.read_table(exported)
    assert rows.column_names == [*table.colnames, *BOUNDS]
    for name in table.colnames:
        values = [None if value is np.ma.masked or value != value else value for value in table[name]]  # noqa: PLR0124
        assert [None if value == "" else value for value in values] == rows[name].to_pylist(), name


def test_metadata_give_units_as_columns_and_as_a_votable(exported: Path) -> None:
    schema = pq.read_schema(exported)
    assert schema.field("s_ra").metadata[b"unit"] == b"deg"
    assert schema.field("s_ra").metadata[b"ucd"] == b"pos.eq.ra"
    assert schema.metadata[b"IVOA.VOTable-Parquet.version"] == b"1.0"
    described = parse_single_table(io.BytesIO(schema.metadata[b"IVOA.VOTable-Parquet.content"]))
    assert [field.name for field in described.fields] == schema.names
    for field in described.fields:
        assert str(field.unit or "") == schema.field(field.name).metadata[b"unit"].decode()


def test_bounds_hold_every_point_of_the_edges(exported: Path) -> None:
    for row in pq.read_table(exported).to_pylist():
        vertices = np.array(row["s_region"].split()[2:], dtype=float).reshape(-1, 2)
        start = SkyCoord(vertices, unit="deg").cartesian.xyz.value
        end = np.roll(start, -1, axis=1)
        edges = SkyCoord(
            *np.concatenate([start * (1 - f) + end * f for f in np.linspace(0, 1, 50)], axis=1),
            representation_type="cartesian",
        )
        edges.representation_type = "unitspherical"
        low, high = edges.dec.deg.min(), edges.dec.deg.max()
        assert row["dec_min"] <= low + 1e-9
        assert row["dec_max"] >= high - 1e-9
        assert ((edges.ra.deg >= row["ra_min"] - 1e-9) & (edges.ra.deg <= row["ra_max"] + 1e-9)).all()
        if row["ra_max"] - row["ra_min"] < 360:
            assert (row["dec_min"], row["dec_max"]) == pytest.approx((low, high), abs=1e-6)


def test_readers_skip_rows_by_bounds(exported: Path) -> None:
    here = (pc.field("ra_min") <= 53.1) & (pc.field("ra_max") >= 53.1) & (pc.field("dec_max") < 0)
    names = pq.read_table(exported, filters=here, columns=["obs_id"])["obs_id"].to_pylist()
    assert names == ["ib6o01aaq", "ib6o01abq", "ib6o01acq", "ib6o03afq"]


def test_an_empty_selection_gives_a_table_without_rows(places: mvmdb.Archive, tmp_path: Path) -> None:
    places.export("parquet", tmp_path / "a.parquet", filters="f275w")
    assert pq.read_table(tmp_path / "a.parquet").num_rows == 0
