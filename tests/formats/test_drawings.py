"""Regions of DS9, scripts of Aladin and GeoJSON: read by regions, by the manual's grammar, and by shapely."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import shapely.geometry
from astropy.coordinates import SkyCoord
from pointings import POINTINGS, TARGET, chips_at
from regions import PolygonSkyRegion, Regions

import mvmdb
from mvmdb.formats.colours import colour_of
from mvmdb.formats.geojson import map_rings

CHIPS = {pointing[0][:8]: chips_at(*pointing[3:7]) for pointing in POINTINGS}


def same_corners(found: SkyCoord, chip: np.ndarray) -> bool:
    distance = found[:, None].separation(SkyCoord(chip, unit="deg")).arcsec
    return len(found) == len(chip) and bool((distance.min(axis=1) < 1e-4).all())


def test_regions_reads_every_chip_with_its_label_tags_and_colour(places: mvmdb.Archive, tmp_path: Path) -> None:
    places.export("ds9", tmp_path / "a.reg")
    found = Regions.read(tmp_path / "a.reg", format="ds9")
    assert len(found) == sum(map(len, CHIPS.values()))
    seen: dict[str, list[PolygonSkyRegion]] = {}
    for shape in found:
        assert isinstance(shape, PolygonSkyRegion)
        seen.setdefault(shape.meta["tag"][0], []).append(shape)
    assert set(seen) == set(CHIPS)
    for name, shapes in seen.items():
        assert all(same_corners(s.vertices, chip) for s, chip in zip(shapes, CHIPS[name], strict=True))
        assert shapes[0].meta["text"].startswith(name)
    assert seen["j8oz02ad"][0].meta["tag"][1:] == ["ACS/WFC", "F606W-POL60V", "90003"]
    red, green, blue = colour_of("acs", "wfc", "f606w")
    assert seen["j8oz02ad"][0].visual["facecolor"] == f"#{red:02x}{green:02x}{blue:02x}"


def test_filters_have_colours_in_the_order_of_wavelengths() -> None:
    hues = [colour_of("acs", "wfc", "f435w"), colour_of("acs", "wfc", "f814w"), colour_of("wfc3", "ir", "f160w")]
    assert [max("rgb", key=dict(zip("rgb", hue, strict=True)).__getitem__) for hue in hues] == ["b", "g", "r"]
    assert colour_of("acs", "wfc", "fr459m") == (160, 160, 160)


COMMAND = re.compile(
    r"setconf frame=ICRS|draw mode\(RADEC\)|draw newtool\([A-Z0-9/_.-]+\)"
    r"|draw rgb\(\d+,\d+,\d+\) polygon\((?P<numbers>(?:-?\d+\.\d+, )+)(?P<label>[a-z0-9]{8})\)"
)
"""The commands of Aladin's script manual that are used; a label, if any, is the last parameter."""


def test_an_aladin_script_draws_every_chip_by_commands_of_the_manual(places: mvmdb.Archive, tmp_path: Path) -> None:
    places.export("aladin", tmp_path / "a.ajs")
    lines = (tmp_path / "a.ajs").read_text().splitlines()
    assert lines[:2] == ["setconf frame=ICRS", "draw mode(RADEC)"]
    matches = [COMMAND.fullmatch(line) for line in lines]
    assert all(matches)
    drawn: dict[str, list[SkyCoord]] = {}
    for match in matches:
        if match is not None and match["label"]:
            numbers = np.array(match["numbers"].split(", ")[:-1], dtype=float).reshape(-1, 2)
            drawn.setdefault(match["label"], []).append(SkyCoord(numbers, unit="deg"))
    assert set(drawn) == set(CHIPS)
    for name, shapes in drawn.items():
        assert all(same_corners(found, chip) for found, chip in zip(shapes, CHIPS[name], strict=True))
    planes = [line for line in lines if line.startswith("draw newtool")]
    assert "draw newtool(ACS/WFC_F606W-POL60V)" in planes
    assert len(planes) == 5


def read_features(path: Path) -> dict[str, dict[str, Any]]:
    content = json.loads(path.read_text())
    assert content["type"] == "FeatureCollection"
    return {feature["id"]: feature for feature in content["features"]}


def test_geojson_is_valid_on_the_map_and_has_the_area_of_the_sky(places: mvmdb.Archive, tmp_path: Path) -> None:
    places.export("geojson", tmp_path / "a.geojson")
    features = read_features(tmp_path / "a.geojson")
    assert set(features) == set(CHIPS)
    for name, feature in features.items():
        shape = shapely.geometry.shape(feature["geometry"])
        assert shape.is_valid
        west, south, east, north = shape.bounds
        assert -180 <= west < east <= 180
        assert -90 <= south < north <= 90
        for part in shapely.get_parts(shape):
            assert part.exterior.is_ccw
            assert not part.interiors
        assert sky_area(shape) == pytest.approx(sum(map(exact_area, CHIPS[name])), rel=2e-5)
    assert features["ib6o01aa"]["properties"]["target"] == TARGET
    assert features["ib6o03af"]["properties"]["expstart"] is None
    assert features["u2a104ag"]["geometry"]["type"] == "MultiPolygon"  # cut at the longitude 180, too


def sky_area(shape: shapely.Geometry) -> float:
    """Steradian of a shape on the map: the integral of cos(latitude), by Green's theorem, on finely cut edges."""
    total = 0.0
    for part in shapely.get_parts(shape):
        line = np.radians(shapely.get_coordinates(shapely.segmentize(part.exterior, 0.01)))
        x, y = line.T
        total += float(-(np.diff(x) * (np.sin(y[1:]) + np.sin(y[:-1])) / 2).sum())
    return total


def exact_area(chip: np.ndarray) -> float:
    """Steradian of a polygon whose edges are great circles, by its triangles (Van Oosterom & Strackee 1983)."""
    a, b, c = (
        SkyCoord(chip[:1].repeat(len(chip) - 2, axis=0), unit="deg"),
        *(SkyCoord(chip[n : len(chip) - 2 + n], unit="deg") for n in (1, 2)),
    )
    a, b, c = (each.cartesian.xyz.value.T for each in (a, b, c))
    triple = np.einsum("ij,ij->i", a, np.cross(b - a, c - a))
    below = 1 + (a * b).sum(axis=1) + (b * c).sum(axis=1) + (c * a).sum(axis=1)
    return float(abs(2 * np.arctan2(triple, below).sum()))


def test_a_polygon_across_the_longitude_180_is_cut_there() -> None:
    rings = map_rings(np.array([[179.9, 0.0], [180.1, 0.0], [180.1, 0.2], [179.9, 0.2]]))
    assert sorted(min(x for x, _ in ring) for ring in rings) == pytest.approx([-180.0, 179.9])
    assert sorted(max(x for x, _ in ring) for ring in rings) == pytest.approx([-179.9, 180.0])


@pytest.mark.parametrize("first", [0.0, 45.0, 179.5, 180.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_polygon_around_a_pole_goes_along_the_edge_of_the_map(first: float, sign: int) -> None:
    polygon = np.column_stack([(first + sign * np.array([0.0, 90.0, 180.0, 270.0])) % 360, np.full(4, sign * 89.9)])
    rings = map_rings(polygon)
    assert sum(sky_area(shapely.Polygon(ring)) for ring in rings) == pytest.approx(exact_area(polygon), rel=1e-5)
    assert shapely.union_all([shapely.Polygon(ring) for ring in rings]).bounds[::2] == pytest.approx((-180.0, 180.0))


def test_a_drawing_of_nothing_is_valid(places: mvmdb.Archive, tmp_path: Path) -> None:
    for format, name in (("ds9", "a.reg"), ("aladin", "a.ajs"), ("geojson", "a.geojson")):
        (written,) = places.export(format, tmp_path / name, filters="f275w")  # type: ignore[arg-type]
        assert written.rows == 0
    assert len(Regions.read(tmp_path / "a.reg", format="ds9")) == 0
    assert read_features(tmp_path / "a.geojson") == {}
