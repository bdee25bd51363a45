"""Cone searches in their documented form find what astropy finds, and use the index on declination."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from astropy.coordinates import SkyCoord
from databases import Databases

from mvmdb.catalog.ask.query import run_query
from mvmdb.catalog.configure import initialise
from mvmdb.schema import open_engine
from mvmdb.schema import tables as t
from mvmdb.schema.engine import bulk_insert, refresh_statistics

N = 20_000
CONES = [(150.1, 2.2, 1.0), (0.0, 0.0, 2.0), (359.99, -45.0, 1.5), (123.0, 90.0, 3.0), (10.0, -89.5, 2.0), (40, 30, 0)]


def insert_exposures(connection: sa.Connection, ra: np.ndarray, dec: np.ndarray) -> None:
    """Insert exposures that have a position; all other values are blank."""
    blank: dict[type, Any] = {int: 0, float: 0.0, bool: True}
    filled = ("id", "ipppssoo", "kind", "ra", "dec", "registered_at", "changed_at")
    blank_columns = [column for column in t.exposure.c if not column.nullable and column.name not in filled]
    blanks = tuple(blank.get(column.type.python_type, "") for column in blank_columns)
    names = [*filled, *(column.name for column in blank_columns)]
    time = "2026-01-01 00:00:00.000000"
    rows = (
        (n, f"{n:08d}", "flt", a, d, time, time, *blanks)
        for n, (a, d) in enumerate(zip(ra.tolist(), dec.tolist(), strict=True))
    )
    bulk_insert(connection, t.exposure, names, rows)
    refresh_statistics(connection, t.exposure)


@pytest.fixture
def sky(databases: Databases) -> tuple[str, str, SkyCoord]:
    """Kind and address of a catalog of N exposures all over the sky, some near RA 0 and the poles; their positions."""
    rng = np.random.default_rng(11)
    ra = rng.uniform(0, 360, N)
    dec = np.degrees(np.arcsin(rng.uniform(-1, 1, N)))
    ra[:500], dec[:500] = rng.uniform(-3, 3, 500) % 360, rng.uniform(-2, 2, 500)
    dec[500:700], dec[700:900] = rng.uniform(87, 90, 200), rng.uniform(-90, -87, 200)
    ra[900:1100], dec[900:1100] = rng.uniform(358, 362, 200) % 360, rng.uniform(-47, -43, 200)
    address = databases.catalog()
    initialise(address, rule=None, products=None)
    engine = open_engine(address)
    with engine.begin() as connection:
        insert_exposures(connection, ra, dec)
    engine.dispose()
    return databases.kind, address, SkyCoord(ra, dec, unit="deg")


def documented(cone: tuple[float, float, float], what: str = "id") -> str:
    ra, dec, radius = cone
    return (
        f"SELECT {what} FROM exposure WHERE dec BETWEEN {dec - radius} AND {dec + radius}"
        f" AND in_cone(ra, dec, {ra}, {dec}, {radius})"
    )


def ask(address: str, sql: str) -> list[tuple[Any, ...]]:
    with run_query(address, sql) as (_, rows):
        return list(rows)


def plan(kind: str, address: str, sql: str) -> str:
    explain = "EXPLAIN QUERY PLAN " if kind == "sqlite" else "EXPLAIN "
    return "\n".join(str(row[-1]) for row in ask(address, explain + sql))


def test_a_cone_search_finds_what_astropy_finds_and_does_not_scan(sky: tuple[str, str, SkyCoord]) -> None:
    kind, address, positions = sky
    found_any = 0
    for cone in CONES:
        center = SkyCoord(cone[0], cone[1], unit="deg")
        expected = np.flatnonzero(positions.separation(center).deg <= cone[2]).tolist()
        found_any += bool(expected)
        assert sorted(key for (key,) in ask(address, documented(cone))) == expected, cone
        how = plan(kind, address, documented(cone, "*"))
        assert "ix_exposure_dec_ra" in how, cone
        assert "SCAN" not in how, cone
        assert "Seq Scan" not in how, cone
    assert found_any >= 5


def test_on_postgresql_in_cone_alone_uses_the_index(sky: tuple[str, str, SkyCoord]) -> None:
    kind, address, _ = sky
    how = plan(kind, address, "SELECT * FROM exposure WHERE in_cone(ra, dec, 150.1, 2.2, 0.5)")
    # SQLite cannot inline a function, which is why the documented form adds the range of declinations.
    assert ("ix_exposure_dec_ra" in how) == (kind == "postgresql")


def test_sky_cells_are_found_by_position_without_a_scan(databases: Databases) -> None:
    address = databases.catalog()
    initialise(address, rule=None, products=None)
    engine = open_engine(address)
    rng = np.random.default_rng(5)
    cells = rng.choice(1_166_004, 5000, replace=False).tolist()
    with engine.begin() as connection:
        names = ("id", "name", "projection_cell", "x", "y", "ra", "dec")
        where = zip(cells, rng.uniform(0, 360, 5000).tolist(), rng.uniform(-90, 90, 5000).tolist(), strict=True)
        bulk_insert(connection, t.skycell, names, ((i, f"c{i}", 0, 1, 1, ra, dec) for i, ra, dec in where))
        refresh_statistics(connection, t.skycell)
    engine.dispose()
    sql = "SELECT * FROM coverage WHERE dec BETWEEN 1.7 AND 2.7 AND in_cone(ra, dec, 150.1, 2.2, 0.5)"
    assert "ix_skycell_dec_ra" in plan(databases.kind, address, sql)
