"""Footprints as GeoJSON (RFC 7946), for the maps and the libraries that know the Earth better than the sky.

The longitude is the right ascension, from -180 to 180, and the latitude the declination. Maps of the Earth show them
mirrored: on the sky east is to the left.
"""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import Any, BinaryIO

import numpy as np

from mvmdb.coverage.values import CoveringExposures
from mvmdb.formats.shapes import chips_of
from mvmdb.sky.sphere import FloatArray, sky_to_vector, vector_to_sky

_DECIMALS = 9
_LONGEST_EDGE = 0.1
"""Degrees of longitude that an edge spans at most where it is cut: straight lines then follow great circles."""


def write_geojson(exposures: CoveringExposures, file: BinaryIO) -> None:
    """Write a FeatureCollection: one feature per exposure, with a Polygon, or a MultiPolygon of its chips.

    Outer rings run counter-clockwise on the map (section 3.1.6), polygons that cross the longitude 180 are cut in two
    there (3.1.9), and one around a pole goes along the map's edge.
    """
    file.write(b'{"type": "FeatureCollection", "features": [')
    before = "\n"
    for n, chips in enumerate(chips_of(exposures.s_region.tolist())):
        rings = [ring for chip in chips for ring in map_rings(chip)]
        polygons = [[[[round(x, _DECIMALS), round(y, _DECIMALS)] for x, y in ring]] for ring in rings]
        feature = {
            "type": "Feature",
            "id": exposures.ipppssoo[n],
            "properties": _properties(exposures, n),
            "geometry": (
                {"type": "Polygon", "coordinates": polygons[0]}
                if len(polygons) == 1
                else {"type": "MultiPolygon", "coordinates": polygons}
            ),
        }
        file.write(f"{before}{json.dumps(feature)}".encode("ascii"))
        before = ",\n"
    file.write(b"\n]}\n")


def map_rings(polygon: FloatArray) -> list[list[tuple[float, float]]]:
    """The closed rings (longitude, latitude in degrees) that show a polygon (n, 2) of the sky on a flat map."""
    import shapely
    from shapely.geometry.polygon import orient

    longitude = np.rad2deg(np.unwrap(np.deg2rad(polygon[:, 0])))
    turn = _step(longitude[-1], polygon[0, 0] % 360.0) + longitude[-1] - longitude[0]
    latitude = polygon[:, 1].copy()
    if abs(turn) > 180.0:  # the polygon holds a pole
        pole = math.copysign(90.0, float(latitude.mean()))
        longitude, latitude = _begin_at_edge(
            *_follow(np.append(longitude, longitude[0] + turn), np.append(latitude, latitude[0]))
        )
        longitude = np.concatenate([longitude, [longitude[-1], longitude[0]]])
        latitude = np.concatenate([latitude, [pole, pole]])
    else:
        longitude, latitude = _follow(np.append(longitude, longitude[0]), np.append(latitude, latitude[0]))
    shape = shapely.make_valid(shapely.polygons(np.column_stack([longitude, latitude])))
    rings = []
    first = math.floor((longitude.min() + 180.0) / 360.0)
    last = math.ceil((longitude.max() + 180.0) / 360.0)
    for turns in range(first, last):
        window = shapely.box(360.0 * turns - 180.0, -90.0, 360.0 * turns + 180.0, 90.0)
        parts = shapely.get_parts(shapely.get_parts(shapely.intersection(shape, window)))
        for part in parts[shapely.get_dimensions(parts) == 2]:
            rings.append([(x - 360.0 * turns, y) for x, y in orient(part).exterior.coords])
    return rings


def _begin_at_edge(longitude: FloatArray, latitude: FloatArray) -> tuple[FloatArray, FloatArray]:
    """A line once around a pole, made to begin and to end at the map's edges, where it needs no cut."""
    edge = 360.0 * math.ceil((min(longitude[0], longitude[-1]) - 180.0) / 360.0) + 180.0
    crossings = np.flatnonzero((longitude[:-1] < edge) != (longitude[1:] < edge))
    if len(crossings) == 0:  # it begins there
        return longitude, latitude
    n = int(crossings[0]) + 1
    share = (edge - longitude[n - 1]) / (longitude[n] - longitude[n - 1])
    height = latitude[n - 1] + share * (latitude[n] - latitude[n - 1])
    turn = longitude[-1] - longitude[0]
    around = np.concatenate([[edge], longitude[n:-1], longitude[:n] + turn, [edge + turn]])
    return around, np.concatenate([[height], latitude[n:-1], latitude[:n], [height]])


def _step(first: float, second: float) -> float:
    """The way from one longitude to another, -180 to 180 degrees."""
    return (second - first + 180.0) % 360.0 - 180.0


def _follow(longitude: FloatArray, latitude: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Points along a line on the map, more where edges are long, so that they follow great circles."""
    pieces = np.maximum(1, np.ceil(np.abs(np.diff(longitude)) / _LONGEST_EDGE)).astype(int)
    if pieces.max() == 1:
        return longitude, latitude
    lines: list[Any] = []
    for n, count in enumerate(pieces.tolist()):
        lines.append(_arc(longitude[n : n + 2], latitude[n : n + 2], count)[:-1])
    line = np.concatenate([*lines, [[longitude[-1], latitude[-1]]]])
    return line[:, 0], line[:, 1]


def _arc(longitude: FloatArray, latitude: FloatArray, count: int) -> FloatArray:
    """`count` equal parts of a great circle between two points, as (count + 1, 2) continuous degrees."""
    ends = sky_to_vector(longitude, latitude)
    fraction = np.linspace(0.0, 1.0, count + 1)
    ra, dec = vector_to_sky(ends[:, :1] * (1 - fraction) + ends[:, 1:] * fraction)
    ra = longitude[0] + np.concatenate([[0.0], np.cumsum([_step(a, b) for a, b in pairwise(ra.tolist())])])
    return np.column_stack([ra, dec])


def _properties(exposures: CoveringExposures, n: int) -> dict[str, object]:
    return {
        "exposure": exposures.ipppssoo[n],
        "instrument": str(exposures.instrument[n]).upper(),
        "detector": str(exposures.detector[n]).upper(),
        "filter": str(exposures.filter[n]).upper(),
        "program": int(exposures.proposal_id[n]),
        "target": exposures.target[n],
        "exptime": float(exposures.exptime[n]),
        "expstart": _number(exposures.expstart[n]),
        "expend": _number(exposures.expend[n]),
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
