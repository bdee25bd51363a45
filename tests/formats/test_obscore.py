"""The view `obscore` and its VOTable: the standard's columns, read by astropy and pyvo; outlines that parsers take."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spherely
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.io.votable import parse
from astropy.io.votable.tree import VOTableFile
from astropy.table import Table
from astropy.wcs import WCS
from demonstration import Demo
from postgres import Server
from pyvo.dal.tap import TAPResults

import mvmdb
from mvmdb.filters import band_of
from mvmdb.formats.obscore import standard_columns
from mvmdb.formats.shapes import MOST_VERTICES

TEXT, WHOLE, REAL = "char", "integer", "double"
# Table 6 of the Recommendation ObsCore 1.1 (2017) with its errata: kind, unit, UCD and utype; compared with the tables
# of lsst/sdm_schemas (yml/ivoa).
MANDATORY: dict[str, tuple[str, str, str, str]] = {
    "dataproduct_type": (TEXT, "", "meta.code.class", "ObsDataset.dataProductType"),
    "calib_level": (WHOLE, "", "meta.code;obs.calib", "ObsDataset.calibLevel"),
    "obs_collection": (TEXT, "", "meta.id", "DataID.collection"),
    "obs_id": (TEXT, "", "meta.id", "DataID.observationID"),
    "obs_publisher_did": (TEXT, "", "meta.ref.ivoid", "Curation.publisherDID"),
    "access_url": (TEXT, "", "meta.ref.url", "Access.reference"),
    "access_format": (TEXT, "", "meta.code.mime", "Access.format"),
    "access_estsize": (WHOLE, "kbyte", "phys.size;meta.file", "Access.size"),
    "target_name": (TEXT, "", "meta.id;src", "Target.name"),
    "s_ra": (REAL, "deg", "pos.eq.ra", "Char.SpatialAxis.Coverage.Location.Coord.Position2D.Value2.C1"),
    "s_dec": (REAL, "deg", "pos.eq.dec", "Char.SpatialAxis.Coverage.Location.Coord.Position2D.Value2.C2"),
    "s_fov": (REAL, "deg", "phys.angSize;instr.fov", "Char.SpatialAxis.Coverage.Bounds.Extent.diameter"),
    "s_region": (TEXT, "", "pos.outline;obs.field", "Char.SpatialAxis.Coverage.Support.Area"),
    "s_xel1": (WHOLE, "", "meta.number", "Char.SpatialAxis.numBins1"),
    "s_xel2": (WHOLE, "", "meta.number", "Char.SpatialAxis.numBins2"),
    "s_resolution": (REAL, "arcsec", "pos.angResolution", "Char.SpatialAxis.Resolution.Refval.value"),
    "t_min": (REAL, "d", "time.start;obs.exposure", "Char.TimeAxis.Coverage.Bounds.Limits.StartTime"),
    "t_max": (REAL, "d", "time.end;obs.exposure", "Char.TimeAxis.Coverage.Bounds.Limits.StopTime"),
    "t_exptime": (REAL, "s", "time.duration;obs.exposure", "Char.TimeAxis.Coverage.Support.Extent"),
    "t_resolution": (REAL, "s", "time.resolution", "Char.TimeAxis.Resolution.Refval.value"),
    "t_xel": (WHOLE, "", "meta.number", "Char.TimeAxis.numBins"),
    "em_min": (REAL, "m", "em.wl;stat.min", "Char.SpectralAxis.Coverage.Bounds.Limits.LoLimit"),
    "em_max": (REAL, "m", "em.wl;stat.max", "Char.SpectralAxis.Coverage.Bounds.Limits.HiLimit"),
    "em_res_power": (REAL, "", "spect.resolution", "Char.SpectralAxis.Resolution.ResolPower.refVal"),
    "em_xel": (WHOLE, "", "meta.number", "Char.SpectralAxis.numBins"),
    "o_ucd": (TEXT, "", "meta.ucd", "Char.ObservableAxis.ucd"),
    "pol_states": (TEXT, "", "meta.code;phys.polarization", "Char.PolarizationAxis.stateList"),
    "pol_xel": (WHOLE, "", "meta.number", "Char.PolarizationAxis.numBins"),
    "facility_name": (TEXT, "", "meta.id;instr.tel", "Provenance.ObsConfig.Facility.name"),
    "instrument_name": (TEXT, "", "meta.id;instr", "Provenance.ObsConfig.Instrument.name"),
}
NEVER_NULL = ("calib_level", "obs_collection", "obs_id", "obs_publisher_did")
KINDS = {"char": TEXT, "unicodeChar": TEXT, "int": WHOLE, "long": WHOLE, "double": REAL}


@pytest.fixture(scope="module")
def exported(places: mvmdb.Archive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("obscore") / "all.vot"
    (written,) = places.export("obscore", path)
    assert (written.path, written.rows) == (str(path), 7)
    return path


def polygon_of(text: str) -> np.ndarray:
    shape, frame, *numbers = text.split()
    assert (shape, frame) == ("POLYGON", "ICRS")
    return np.array(numbers, dtype=float).reshape(-1, 2)


def area_of(vertices: np.ndarray) -> float:
    """Square arcmin, by spherely, which refuses polygons that cross themselves."""
    polygon = spherely.create_polygon(vertices.tolist(), oriented=False)
    return float(spherely.area(polygon, radius=1.0)) * (180 * 60 / np.pi) ** 2


def test_the_votable_has_every_mandatory_column_as_the_standard_says(exported: Path) -> None:
    fields = parse(exported, verify="exception").get_first_table().fields
    found = {field.name: (KINDS[field.datatype], str(field.unit or ""), field.ucd, field.utype) for field in fields}
    assert found == {name: (*facts, f"obscore:{utype}") for name, (*facts, utype) in MANDATORY.items()}


def test_the_view_has_the_columns_of_the_standard(placed: mvmdb.Archive) -> None:
    rows = placed.query("SELECT * FROM obscore ORDER BY obs_id")
    assert set(rows.colnames) == set(MANDATORY)
    assert rows.colnames == [column.name for column in standard_columns()]
    for name in NEVER_NULL:
        assert not np.ma.getmaskarray(np.ma.asarray(rows[name])).any(), name
    assert sorted(set(rows["obs_publisher_did"])) == sorted(rows["obs_publisher_did"])


def test_view_and_votable_agree_but_for_exact_outlines(placed: mvmdb.Archive, tmp_path: Path) -> None:
    view = placed.query("SELECT * FROM obscore ORDER BY obs_id")
    placed.export("obscore", tmp_path / "a.vot")
    table = Table.read(tmp_path / "a.vot")
    table.sort("obs_id")
    for name in sorted(set(MANDATORY) - {"s_region", "s_fov"}):
        assert plain(view[name]) == plain(table[name]), name


def plain(column: Any) -> list[Any]:
    """Values without masks and not-a-number, which are None."""
    values = [None if value is np.ma.masked else value for value in column]
    return [None if value in (None, "") or value != value else value for value in values]  # noqa: PLR0124


def test_any_reader_of_sqlite_has_the_view(places: mvmdb.Archive) -> None:
    with sqlite3.connect(places.address) as connection:
        rows = connection.execute("SELECT obs_id, em_min, em_max, pol_xel, instrument_name FROM obscore").fetchall()
    values = {row[0]: row[1:] for row in rows}
    assert values["j8oz02adq"] == (4.764e-7, 7.088e-7, 1, "ACS/WFC")  # F606W behind a polariser
    assert values["u2a104ag1"][2:] == (0, "WFPC2/PC")


def test_bands_are_those_of_the_filters(placed: mvmdb.Archive) -> None:
    rows = placed.query(
        "SELECT o.em_min, o.em_max, e.instrument, e.detector, e.filter"
        " FROM obscore o JOIN exposure e ON o.obs_id = e.rootname"
    )
    assert len(rows) == 7
    for low, high, *place in rows:
        band = band_of(*map(str, place))
        assert band is not None
        assert (low * 1e9, high * 1e9) == pytest.approx((band.low_nm, band.high_nm), rel=1e-3)


def test_pyvo_finds_columns_by_ucd_and_utype(exported: Path) -> None:
    results = TAPResults(parse(exported))
    assert results.fieldname_with_ucd("pos.eq.ra") == "s_ra"
    assert results.fieldname_with_utype("obscore:Access.reference") == "access_url"
    (odd,) = [record for record in results if record["obs_id"] == "ib6o01aaq"]
    assert odd["target_name"] == 'O\'BRIEN "X" <&> ĸ{1}'
    assert not odd["access_url"]


def test_an_outline_is_one_simple_counter_clockwise_polygon_within_the_limit(exported: Path) -> None:
    for row in Table.read(exported):
        vertices = polygon_of(str(row["s_region"]))
        assert len(vertices) <= MOST_VERTICES
        assert 3 < area_of(vertices) < 15
        at = SkyCoord(vertices, unit="deg").cartesian.xyz.value.T
        turns = np.cross(at, np.roll(at, -1, axis=0)).sum(axis=0)
        # Counter-clockwise when viewed from the origin (DALI 1.1, 3.3.7): clockwise for an observer outside.
        assert turns @ at.mean(axis=0) < 0
        centre = SkyCoord(row["s_ra"], row["s_dec"], unit="deg")
        widest = SkyCoord(vertices, unit="deg").separation(centre).max().deg
        assert widest < row["s_fov"] < 2.1 * widest


def test_postgresqls_pgsphere_takes_every_outline(exported: Path, pgsphere: Server) -> None:
    for row in Table.read(exported):
        vertices = polygon_of(str(row["s_region"]))
        text = ",".join(f"({ra:.9f}d,{dec:.9f}d)" for ra, dec in vertices)
        inside = f"spoint(radians({row['s_ra']:.9f}), radians({row['s_dec']:.9f})) @ '{{{text}}}'::spoly"
        ((area, holds),) = pgsphere.run(f"SELECT area('{{{text}}}'::spoly), {inside}")
        assert area * (180 * 60 / np.pi) ** 2 == pytest.approx(area_of(vertices), rel=1e-4)
        assert holds


def test_an_empty_selection_gives_a_table_without_rows(places: mvmdb.Archive, tmp_path: Path) -> None:
    (written,) = places.export("obscore", tmp_path / "none.vot", filters="f275w")
    assert written.rows == 0
    assert len(Table.read(tmp_path / "none.vot")) == 0
    assert len(TAPResults(parse(tmp_path / "none.vot"))) == 0


def read_both(demo: Demo, tmp_path: Path) -> tuple[Table, VOTableFile]:
    path = tmp_path / "demo.vot"
    mvmdb.open(demo.folder / "mvm.db").export("obscore", path)
    return Table.read(path), parse(path)


def test_files_confirm_what_is_said_of_them(demo: Demo, tmp_path: Path) -> None:
    table, _ = read_both(demo, tmp_path)
    assert set(table["calib_level"]) == {2, 3}
    for row in table:
        path = Path(str(row["access_url"]).removeprefix("file://"))
        assert abs(row["access_estsize"] * 1000 - path.stat().st_size) < 1000
        with fits.open(path) as hdus:
            primary, sci = hdus[0].header, hdus["SCI"].header
            assert row["t_exptime"] == pytest.approx(primary["EXPTIME"], abs=0.01)
            assert row["t_min"] == pytest.approx(primary["EXPSTART"], abs=1e-6)
            assert row["instrument_name"] == f"{primary['INSTRUME']}/{primary['DETECTOR']}"
            if row["calib_level"] == 3:
                check_mosaic(row, sci)


def check_mosaic(row: Any, sci: fits.Header) -> None:
    assert (row["s_xel1"], row["s_xel2"]) == (sci["NAXIS1"], sci["NAXIS2"])
    corners = WCS(sci).calc_footprint(center=False)
    distance = SkyCoord(polygon_of(str(row["s_region"])), unit="deg").separation(SkyCoord(corners, unit="deg")[:, None])
    pixel = 0.12 if "coarse" in row["obs_id"] else 0.001  # coarse pixels cover the canvas, and may reach beyond it
    assert distance.min(axis=0).arcsec.max() < 1.5 * pixel
    middle = WCS(sci).pixel_to_world((sci["NAXIS1"] - 1) / 2, (sci["NAXIS2"] - 1) / 2)
    assert middle.separation(SkyCoord(row["s_ra"], row["s_dec"], unit="deg")).arcsec < 1.5 * pixel


def test_the_circle_of_a_mosaic_in_the_view_holds_its_canvas(demo: Demo, tmp_path: Path) -> None:
    table, _ = read_both(demo, tmp_path)
    exact = {str(row["obs_id"]): polygon_of(str(row["s_region"])) for row in table if row["calib_level"] == 3}
    view = mvmdb.open(demo.folder / "mvm.db").query("SELECT obs_id, s_region FROM obscore WHERE calib_level = 3")
    assert {str(name) for name in view["obs_id"]} == set(exact)
    for name, text in view:
        shape, frame, ra, dec, radius = str(text).split()
        assert (shape, frame) == ("CIRCLE", "ICRS")
        distance = SkyCoord(exact[str(name)], unit="deg").separation(SkyCoord(float(ra), float(dec), unit="deg"))
        assert distance.max().deg <= float(radius)
