"""The area of a layer is that on the sky, also far from the tangent point of its projection cell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from databases import Databases
from spherical_geometry.polygon import SphericalPolygon

import mvmdb
from mvmdb.catalog.layers.frames import settle_frames
from mvmdb.catalog.open import open_catalog
from mvmdb.names import parse_cell_name
from mvmdb.sky.region import format_region
from mvmdb.sky.tessellation import cell_centers, plane_to_sky, sky_to_plane

CELLS = ("p0647x01y01", "p0647x21y11", "p0647x11y11", "p2643x21y21")
SHIFTS = (0.0, 1200.0, 2500.0)  # fine pixels: three exposures of 128 by 128 arcsec, which overlap


@pytest.fixture
def archive(tmp_path: Path, databases: Databases) -> mvmdb.archive.Archive:
    """Three exposures in the middle of each of CELLS, known from a table."""
    rows = ["obs_id,instrument_name,filters,t_exptime,s_region"]
    for number, name in enumerate(CELLS):
        for place, outline in enumerate(outlines(name)):
            rows.append(f"ib6o{number}{place}t{place}q,WFC3/IR,F125W,100,{format_region([outline])}")
    table = tmp_path / "table.csv"
    table.write_text("\n".join(rows) + "\n")
    opened = mvmdb.open(databases.empty(), create=True)
    opened.import_table(table)
    return opened


def outlines(name: str) -> list[np.ndarray]:
    cell = parse_cell_name(name)
    x, y = (value[0] for value in sky_to_plane(cell.projection_cell, *cell_centers([cell])))
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 1600.0 + np.array([x, y])
    corners = [square + np.array([shift, shift / 3]) for shift in SHIFTS]
    return [np.column_stack(plane_to_sky(cell.projection_cell, *one.T)) for one in corners]


def area_on_sky(name: str) -> float:
    shapes = [SphericalPolygon.from_radec(*one.T) for one in outlines(name)]
    return float(SphericalPolygon.multi_union(shapes).area()) * (180 * 60 / np.pi) ** 2


def areas(archive: mvmdb.archive.Archive) -> dict[str, tuple[float, float]]:
    """The area and the mean number of exposures of the fine layer of each sky cell with all exposures."""
    found = archive.query(
        "SELECT skycell, area_arcmin2, mean_exposures FROM coverage WHERE scale = 'fine' AND n_exposures = 3"
    )
    return {row["skycell"].removeprefix("skycell-"): (row["area_arcmin2"], row["mean_exposures"]) for row in found}


def test_the_area_of_a_layer_is_that_on_the_sky(archive: mvmdb.archive.Archive) -> None:
    found = areas(archive)
    for name in CELLS:
        assert found[name][0] == pytest.approx(area_on_sky(name), rel=2e-4)
    assert len({round(mean, 6) for _, mean in (found[name] for name in CELLS)}) == 1, (
        "they overlap alike in all of the planes"
    )


def test_an_upgrade_makes_areas_in_the_plane_those_on_the_sky(archive: mvmdb.archive.Archive) -> None:
    before = areas(archive)
    plane = before["p0647x11y11"][0]
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE layer SET frames = NULL, area_arcmin2 = {plane} WHERE n_exposures = 3")
        assert settle_frames(connection) >= len(CELLS)
    after = areas(archive)
    for name in CELLS:
        assert after[name][0] == pytest.approx(before[name][0], rel=1e-6)
