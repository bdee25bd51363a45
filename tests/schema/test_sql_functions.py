"""The SQL functions for users: the same on both databases, checked against astropy and the names of the package."""

from __future__ import annotations

import numpy as np
import pytest
import sqlalchemy as sa
from astropy.coordinates import SkyCoord
from databases import Databases
from hypothesis import given
from hypothesis import strategies as st

from mvmdb.catalog.ask.query import run_query
from mvmdb.catalog.configure import initialise
from mvmdb.names import CellId, format_cell_name, parse_cell_name
from mvmdb.schema import open_engine
from mvmdb.schema.functions import in_cone, sky_separation, skycell_name

angles = st.tuples(st.floats(-720, 720), st.floats(-90, 90))


@pytest.fixture
def address(databases: Databases) -> str:
    """The address of an existing catalog."""
    address = databases.catalog()
    initialise(address, rule=None, products=None)
    return address


@given(angles, angles)
def test_sky_separation_agrees_with_astropy(one: tuple[float, float], two: tuple[float, float]) -> None:
    truth = SkyCoord(*one, unit="deg").separation(SkyCoord(*two, unit="deg")).deg
    assert sky_separation(*one, *two) == pytest.approx(truth, abs=1e-12, rel=1e-9)


def test_null_in_python_gives_none() -> None:
    assert sky_separation(None, 0, 0, 0) is None
    assert in_cone(None, 0, 0, 0, 1) is None
    assert skycell_name(None) is None


def test_sql_agrees_with_astropy_all_over_the_sky(address: str) -> None:
    rng = np.random.default_rng(3)
    ra1, ra2 = rng.uniform(0, 360, (2, 200))
    dec1, dec2 = np.degrees(np.arcsin(rng.uniform(-1, 1, (2, 200))))
    ra1[:6], dec1[:6] = [0, 10, 359.9999, 0, 180, 45], [90, -90, 0, 0, 90, 30]
    ra2[:6], dec2[:6] = [77, 200, 0.0001, 180, 3, 45], [90, 90, 0, 0, 89.9999, 30]
    truth = SkyCoord(ra1, dec1, unit="deg").separation(SkyCoord(ra2, dec2, unit="deg")).deg
    query = sa.text("SELECT sky_separation(:a, :b, :c, :d), in_cone(:a, :b, :c, :d, :r), in_cone(:a, :b, :c, :d, :s)")
    engine = open_engine(address, read_only=True)
    with engine.connect() as connection:
        for a, b, c, d, angle in zip(ra1, dec1, ra2, dec2, truth, strict=True):
            values = {name: float(value) for name, value in zip("abcd", (a, b, c, d), strict=True)}
            values |= {"r": float(angle) + 1e-8, "s": float(angle) - 1e-8}
            separation, inside, outside = connection.execute(query, values).one()
            assert separation == pytest.approx(angle, abs=1e-10)
            assert (bool(inside), bool(outside)) == (True, False)
    engine.dispose()


@pytest.mark.parametrize(
    "call",
    [
        "sky_separation(NULL, 0, 0, 0)", "in_cone(NULL, 0, 0, 0, 1)", "in_cone(0, 0, 0, 0, NULL)", "skycell_name(NULL)",
        "skycell_name(-1)", "skycell_name(1166004)", "skycell_name(2644, 1, 1)", "skycell_name(0, 22, 1)",
        "skycell_name(0, 1, 0)", "skycell_name(0, NULL, 0)",
    ],
)  # fmt: skip
def test_null_and_invalid_arguments_give_null(address: str, call: str) -> None:
    with run_query(address, f"SELECT {call} AS value") as (_, rows):
        assert list(rows) == [(None,)]


def test_names_of_sky_cells_are_those_of_the_package(address: str) -> None:
    cells = [CellId(0, 1, 1), CellId(2643, 21, 21), CellId(726, 11, 3), CellId(1889, 7, 19)]
    selects = [f"SELECT skycell_name({c.index}), skycell_name({c.projection_cell}, {c.x}, {c.y})" for c in cells]
    with run_query(address, " UNION ALL ".join(selects)) as (_, rows):
        names = list(rows)
    assert names == [(format_cell_name(cell),) * 2 for cell in cells]
    assert [parse_cell_name(name) for name, _ in names] == cells


def test_aggregates_are_numbers_on_both_databases(address: str) -> None:
    sql = "SELECT sum(n) AS total, avg(n) AS mean, 1.5 AS half FROM (SELECT 3 AS n UNION ALL SELECT 4) AS t"
    with run_query(address, sql) as (names, rows):
        assert names == ["total", "mean", "half"]
        ((total, mean, half),) = rows
    assert (type(total), type(mean), type(half)) == (int, float, float)
    assert (total, mean, half) == (7, 3.5, 1.5)
