"""Merged polygons cover what the chips cover, and a point is in a footprint where GEOS says so."""

from __future__ import annotations

from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
import shapely
from mocpy import MOC

import mvmdb
from mvmdb.sky.containing import contain_point
from mvmdb.sky.footprints import Footprints, join_footprints
from mvmdb.sky.merging import merge_polygons
from mvmdb.sky.sphere import deproject, project, sky_to_vector, tangent_frame, vector_to_sky

FIELDS = [(0.0, 0.0), (359.99, -33.3), (120.0, 89.97), (10.0, -90.0)]


def chips_around(ra: float, dec: float, n: int, rng: np.random.Generator) -> list[list[np.ndarray]]:
    """n exposures of two chips, some with six corners, thrown about a position."""
    frame = tangent_frame(ra, dec)
    exposures = []
    for _ in range(n):
        turn, at = rng.uniform(0, 2 * np.pi), rng.uniform(-0.04, 0.04, 2)
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) if rng.random() < 0.7 else np.array(
            [[-1, -1], [1, -1], [1, 0], [0, 0], [0, 1], [-1, 1]]  # as WFPC2 is
        )  # fmt: skip
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        chips = []
        for y in (-0.015, 0.016):
            x, eta = np.deg2rad((corners * [0.028, 0.014] + [0, y]) @ rotation.T + at).T
            chips.append(np.column_stack(vector_to_sky(deproject(frame, x, eta))))
        exposures.append(chips)
    return exposures


@pytest.mark.parametrize(("ra", "dec"), FIELDS)
def test_merged_polygons_cover_the_same_cells(ra: float, dec: float) -> None:
    rng = np.random.default_rng(7)
    exposures = chips_around(ra, dec, 30, rng)
    merged = list(merge_polygons(Footprints.from_polygons(exposures)))
    chips = [chip for own in exposures for chip in own]
    assert len(merged) < len(chips)
    assert max(len(polygon) for polygon in merged) <= 60
    maps = [
        [MOC.from_polygon(polygon[:, 0] * u.deg, polygon[:, 1] * u.deg, max_depth=15) for polygon in polygons]
        for polygons in (chips, merged)
    ]
    one_by_one, united = (some[0].union(*some[1:]) for some in maps)
    assert united == one_by_one


def test_what_has_no_plane_stays_as_it_is() -> None:
    bow = np.array([[10.0, 0.0], [10.1, 0.1], [10.1, 0.0], [10.0, 0.1]])
    merged = list(merge_polygons(Footprints.from_polygons([[bow], [bow], [bow]])))
    assert [polygon.tolist() for polygon in merged] == [bow.tolist()] * 3
    assert list(merge_polygons(Footprints.from_polygons([[]]))) == []


def test_a_map_of_polygons_with_other_numbers_of_corners_is_made(tmp_path: Path) -> None:
    archive = mvmdb.open(str(tmp_path / "mvm.db"), create=True)
    regions = ["10 0 10.05 0 10.05 0.05 10 0.05", "10.01 0 10.06 0 10.06 0.05 10.03 0.06 10.01 0.05"]
    lines = [f"ida{n}01aaq,WFC3/IR,F160W,100,57000,57000.1,1,POLYGON ICRS {region}" for n, region in enumerate(regions)]
    table = tmp_path / "table.csv"
    header = "obs_id,instrument_name,filters,t_exptime,t_min,t_max,proposal_id,s_region"
    table.write_text("\n".join([header, *(line for line in lines)]) + "\n")
    archive.import_table(table)
    (written,) = archive.export("moc", tmp_path / "all.fits", dimensions="space")
    assert written.rows == 2
    assert archive.export("moc", tmp_path / "both.fits", dimensions="space-time")[0].rows == 2


@pytest.mark.parametrize(("ra", "dec"), FIELDS)
def test_points_are_in_footprints_where_geos_says_so(ra: float, dec: float) -> None:
    rng = np.random.default_rng(3)
    exposures = chips_around(ra, dec, 12, rng)
    footprints = join_footprints([Footprints.from_polygons(exposures[:5]), Footprints.from_polygons(exposures[5:])])
    frame = tangent_frame(ra, dec)
    points = [vector_to_sky(deproject(frame, *np.deg2rad(rng.uniform(-0.06, 0.06, 2)))) for _ in range(60)]
    points += [(exposures[0][0][0, 0], exposures[0][0][0, 1])]  # a corner
    for point_ra, point_dec in points:
        here = tangent_frame(float(point_ra), float(point_dec))
        expected = [
            any(
                shapely.Polygon(np.column_stack(project(here, sky_to_vector(*chip.T)))).intersects(shapely.Point(0, 0))
                for chip in own
            )
            for own in exposures
        ]
        assert contain_point(footprints, float(point_ra), float(point_dec)).tolist() == expected
