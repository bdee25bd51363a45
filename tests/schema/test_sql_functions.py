"""The SQL functions that users get, against astropy."""

from __future__ import annotations

from pathlib import Path

import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given
from hypothesis import strategies as st

from mvmdb.catalog.query import run_query
from mvmdb.catalog.setup import initialise
from mvmdb.schema.engine import in_cone, sky_separation

angles = st.tuples(st.floats(-720, 720), st.floats(-90, 90))


@given(angles, angles)
def test_sky_separation_agrees_with_astropy(one: tuple[float, float], two: tuple[float, float]) -> None:
    truth = SkyCoord(*one, unit="deg").separation(SkyCoord(*two, unit="deg")).deg
    assert sky_separation(*one, *two) == pytest.approx(truth, abs=1e-7)  # haversine is weak at the antipode only


def test_null_coordinates_give_null() -> None:
    assert sky_separation(None, 0, 0, 0) is None  # type: ignore[arg-type]
    assert in_cone(None, 0, 0, 0, 1) is None  # type: ignore[arg-type]


def test_the_functions_are_there_in_queries(tmp_path: Path) -> None:
    address = str(tmp_path / "mvm.db")
    initialise(address, rule=None, products=None)
    sql = "SELECT sky_separation(10, 0, 11, 0) AS d, in_cone(359.5, 0, 0.5, 0, 1.01) AS near"
    sql += ", in_cone(0, 0, 0, 2, 1) AS far"
    with run_query(address, sql) as (names, rows):
        assert names == ["d", "near", "far"]
        ((d, near, far),) = rows
    assert (d, near, far) == (pytest.approx(1.0), 1, 0)
