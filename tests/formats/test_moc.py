"""Maps of coverage: mocpy reads them, their areas are those of exact unions, and no footprint sticks out."""

from __future__ import annotations

import sys
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
import shapely
from astropy.coordinates import SkyCoord
from astropy.time import Time
from mocpy import MOC, STMOC, TimeMOC
from pointings import POINTINGS, chips_at

import mvmdb
from mvmdb.errors import UsageError

SKY = 4 * np.pi * (180 * 60 / np.pi) ** 2


def exact_union(names: list[str]) -> tuple[float, float]:
    """Area (square arcmin) and length of the border (arcmin) of the union of some pointings, in tangent planes."""
    area = border = 0.0
    fields: dict[tuple[float, float], list[shapely.Geometry]] = {}
    for root, _, _, chips, ra, dec, roll, _ in POINTINGS:
        if root in names:
            origin = SkyCoord(round(ra), dec if abs(dec) > 80 else round(dec), unit="deg")
            for chip in chips_at(chips, ra, dec, roll):
                offsets = SkyCoord(chip, unit="deg").transform_to(origin.skyoffset_frame())
                # Gnomonic, where edges are straight; fields are within a degree of the origin.
                x = np.tan(offsets.lon.rad)
                y = np.tan(offsets.lat.rad) / np.cos(offsets.lon.rad)
                plane = shapely.Polygon(np.column_stack([x, y]))
                fields.setdefault((origin.ra.deg, origin.dec.deg), []).append(plane)
    for planes in fields.values():
        union = shapely.union_all(planes)
        depth = (1 + np.hypot(union.centroid.x, union.centroid.y) ** 2) ** -1.5
        area += union.area * depth * (180 * 60 / np.pi) ** 2
        border += union.length * (180 * 60 / np.pi)
    return area, border


ALL = [pointing[0] for pointing in POINTINGS]


@pytest.mark.parametrize("order", [13, 16, 18])
def test_the_area_is_the_exact_unions_within_a_cell_along_the_border(
    places: mvmdb.Archive, tmp_path: Path, order: int
) -> None:
    (written,) = places.export("moc", tmp_path / "all.fits", order=order)
    moc = MOC.load(tmp_path / "all.fits", format="fits")
    assert moc.max_order == order
    area, border = exact_union(ALL)
    cell = MOC.order_to_spatial_resolution(order).to_value("arcmin")
    assert moc.sky_fraction * SKY == pytest.approx(written.area_arcmin2)
    assert area < moc.sky_fraction * SKY < area + border * cell


def test_no_part_of_a_footprint_is_outside(places: mvmdb.Archive, tmp_path: Path) -> None:
    places.export("moc", tmp_path / "all.fits")
    moc = MOC.load(tmp_path / "all.fits", format="fits")
    random = np.random.default_rng(5)
    for _, _, _, chips, ra, dec, roll, _ in POINTINGS:
        for chip in chips_at(chips, ra, dec, roll):
            corners = SkyCoord(chip, unit="deg").cartesian.xyz.value
            weights = random.dirichlet(np.full(corners.shape[1], 0.3), size=300)
            inside = SkyCoord(*(corners @ weights.T), representation_type="cartesian")
            inside.representation_type = "unitspherical"
            assert moc.contains_skycoords(inside).all()


def test_serialisations_hold_the_same_map(places: mvmdb.Archive, tmp_path: Path) -> None:
    maps = []
    for ending, form in (("fits", "fits"), ("json", "json"), ("txt", "ascii")):
        places.export("moc", tmp_path / f"a.{ending}", order=14)
        maps.append(MOC.load(tmp_path / f"a.{ending}", format=form))
    assert maps[0] == maps[1] == maps[2]


def test_one_map_per_group_holds_the_exposures_of_the_group(places: mvmdb.Archive, tmp_path: Path) -> None:
    groups = {
        "filter": {"f125w": 2, "f160w": 2, "f606w-pol60v": 1, "f702w": 1, "f850lp": 1},
        "program": {"11359": 3, "90003": 1, "90004": 1, "90005": 1, "90006": 1},
        "instrument": {"acs": 2, "wfc3": 4, "wfpc2": 1},
        "camera": {"acs_wfc": 2, "wfc3_ir": 4, "wfpc2_pc": 1},
    }
    for by, expected in groups.items():
        written = places.export("moc", tmp_path / by, by=by)  # type: ignore[arg-type]
        assert {Path(file.path).stem: file.rows for file in written} == expected
        assert all(MOC.load(file.path, format="fits").sky_fraction > 0 for file in written)
    exact, border = exact_union(["ib6o01aaq", "ib6o01abq"])
    area = MOC.load(tmp_path / "filter" / "f125w.fits", format="fits").sky_fraction * SKY
    assert exact < area < exact + border * 3.3 / 60


def test_the_map_of_a_layer_is_within_its_sky_cell(places: mvmdb.Archive, tmp_path: Path) -> None:
    written = places.export("moc", tmp_path / "layers", by="layer", filters="f850lp")
    layers = places.layers(filters="f850lp", columns=["layer", "area_arcmin2"])
    assert {Path(file.path).stem for file in written} == {str(name) for name in layers["layer"]}
    areas = {str(name): area for name, area in layers}
    for file in written:
        exact = areas[Path(file.path).stem]
        assert file.area_arcmin2 is not None
        assert exact < file.area_arcmin2 < exact + 14 * 3.3 / 60 + 0.1


def test_maps_of_time_and_of_both_hold_the_exposures_and_no_more(places: mvmdb.Archive, tmp_path: Path) -> None:
    (written,) = places.export("moc", tmp_path / "t.fits", dimensions="time")
    assert (written.rows, written.left_out, written.area_arcmin2) == (6, 1, None)
    during = Time([55000.005 + n for n in (0, 1, 2, 3, 4, 6)], format="mjd", scale="utc")
    apart = Time([55000.5, 54000.0, 55005.005], format="mjd", scale="utc")
    times = TimeMOC.load(tmp_path / "t.fits", format="fits")
    assert times.contains(during).all()
    assert not times.contains(apart).any()
    (written,) = places.export("moc", tmp_path / "st.fits", dimensions="space-time")
    both = STMOC.load(tmp_path / "st.fits", format="fits")
    ra, dec = ([pointing[place] for pointing in POINTINGS[:3]] for place in (4, 5))
    assert both.contains(during[:3], ra * u.deg, dec * u.deg).all()
    assert not both.contains(during[3:6], ra * u.deg, dec * u.deg).any()
    assert not both.contains(apart, ra * u.deg, dec * u.deg).any()


def test_an_empty_selection_gives_an_empty_map(places: mvmdb.Archive, tmp_path: Path) -> None:
    for dimensions, kind in (("space", MOC), ("time", TimeMOC), ("space-time", STMOC)):
        path = tmp_path / f"{dimensions}.fits"
        (written,) = places.export("moc", path, dimensions=dimensions, filters="f275w")  # type: ignore[arg-type]
        assert written.rows == 0
        moc = kind.load(path, format="fits")
        assert moc.is_empty() if kind is STMOC else moc.empty()
    assert places.export("moc", tmp_path / "none", by="filter", filters="f275w") == ()


def test_a_missing_library_is_named(places: mvmdb.Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for library, format, extra in (("mocpy", "moc", "vo"), ("pyarrow.parquet", "parquet", "tables")):
        monkeypatch.setitem(sys.modules, library, None)
        with pytest.raises(UsageError, match=rf"pip install 'mvmdb\[{extra}\]'"):
            places.export(format, tmp_path / "a.fits")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
