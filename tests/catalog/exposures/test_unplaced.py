"""Whatever one exposure does while it is measured, it is refused by name and the others are registered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from archive import Archive

from mvmdb.catalog.exposures.bulk_load import register_batches
from mvmdb.catalog.exposures.memberships import recompute_memberships
from mvmdb.catalog.open import open_catalog
from mvmdb.catalog.settings import read_policy
from mvmdb.schema import tables as t
from mvmdb.sky import layer, membership
from mvmdb.sky.footprints import Footprints
from mvmdb.sky.membership import find_members
from mvmdb.tables.read import read_batches

TABLE = "obs_id,instrument_name,filters,t_exptime,s_region\n" + "".join(
    f"ib6o04{name}q,WFC3/IR,F125W,{800 + n},CIRCLE 52.68 {-26 + n / 100} 0.02\n"
    for n, name in enumerate(("ta", "tb", "tc", "td"))
)
BAD = -26 + 2 / 100


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The third exposure of TABLE cannot be measured."""

    def fail(footprints: Footprints, rule: Any = "overlap") -> Any:
        if np.isclose(vector_dec(footprints), BAD, atol=1e-5).any():
            raise RuntimeError("cannot be told")
        return find_members(footprints, rule)

    monkeypatch.setattr(membership, "find_members", fail)


def vector_dec(footprints: Footprints) -> np.ndarray:
    """The declination of each exposure's centre, degrees."""
    x, y, z = footprints.centers()
    return np.rad2deg(np.arctan2(z, np.hypot(x, y)))


def register(archive: Archive, path: Path) -> Any:
    path.write_text(TABLE)
    with open_catalog(archive.address, create=True) as engine:
        return register_batches(engine, read_batches(path))


def look(archive: Archive, sql: str) -> list[tuple[Any, ...]]:
    with open_catalog(archive.address) as engine, engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(sql))]


RULES = "SELECT ipppssoo, ineligible_rule, ineligible_reason FROM exposure WHERE NOT eligible"
WHY = "its footprint cannot be measured: RuntimeError: cannot be told"


@pytest.mark.usefixtures("failing")
def test_a_row_that_cannot_be_measured_has_no_solution_and_the_others_go_on(archive: Archive, tmp_path: Path) -> None:
    report = register(archive, tmp_path / "t.csv")
    assert (report.new, report.ineligible, report.unplaced) == (4, 1, {"ib6o04tc": WHY})
    assert look(archive, RULES) == [("ib6o04tc", "no solution", WHY)]
    assert look(archive, "SELECT s_region, ra FROM exposure WHERE ipppssoo = 'ib6o04tc'") == [("", None)]
    assert look(archive, "SELECT DISTINCT n_exposures FROM layer") == [(3,)]
    again = register(archive, tmp_path / "t.csv")
    assert (again.unchanged, again.unplaced) == (4, {})


def test_a_row_that_can_be_measured_again_gets_its_place(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: None
) -> None:
    register(archive, tmp_path / "t.csv")
    monkeypatch.undo()
    report = register(archive, tmp_path / "t.csv")
    assert (report.changed, report.unchanged) == (1, 3)
    assert look(archive, RULES) == []


@pytest.mark.usefixtures("failing")
def test_a_file_that_cannot_be_measured_has_no_solution_and_the_others_go_on(archive: Archive) -> None:
    archive.expose("ib6o04taq")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(membership, "find_members", find_members)
        archive.ingest()
    bad = archive.expose("ib6o04tcq", north=120)
    with open_catalog(archive.address) as engine, engine.connect() as connection:
        (dec,) = connection.scalars(sa.select(t.exposure.c.dec))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "BAD", dec + 120 / 3600)
        report = archive.ingest()
    assert (report.new, report.ineligible, report.quarantined) == (1, 1, 0), bad
    assert look(archive, RULES) == [("ib6o04tc", "no solution", WHY)]


def test_a_changed_rule_leaves_out_the_exposure_at_fault_alone(
    archive: Archive, tmp_path: Path, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    register(archive, tmp_path / "t.csv")
    request.getfixturevalue("failing")
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        recompute_memberships(connection, read_policy(connection))
    assert f"exposure ib6o04tc is in no sky cell: {WHY}" in caplog.text
    assert len(look(archive, "SELECT DISTINCT exposure_id FROM membership")) == 3


def test_a_union_that_geos_cannot_make_is_made_on_a_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    regions = [
        f"POLYGON ICRS 10 {n / 100} 10.03 {n / 100} 10.02 {0.02 + n / 100} 10.01 {0.005 + n / 100}" for n in (0, 1)
    ]
    cell = np.array([find_members(Footprints.from_regions(regions)).cell_index[0]])
    members = cell, np.array([0, 2]), np.array([0, 1]), regions
    exact = layer.measure_areas(*members)
    real = layer.shapely.union_all

    def fail(shapes: Any, **options: Any) -> Any:
        if "grid_size" not in options:
            raise layer.shapely.GEOSException("TopologyException: side location conflict")
        return real(shapes, **options)

    monkeypatch.setattr(layer.shapely, "union_all", fail)
    assert layer.measure_areas(*members) == pytest.approx(exact, rel=1e-6)
