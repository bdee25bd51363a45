"""Polygons on the sky as text (S_REGION, STC-S) and in normal form; whether they fit the exposure is not checked here.

Normal form: shape (n, 2), ra and dec in degrees, RA in [0, 360), open, no vertex twice in a row, counter-clockwise as
seen on the sky. Seen from inside the sphere, with north up, east is to the left, so counter-clockwise goes from north
to east, as position angles do. That is the winding of IVOA polygons (DALI 1.1: counter-clockwise when viewed from the
origin toward the sky); an observer outside the sphere sees it clockwise.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from mvmdb.errors import InputError
from mvmdb.sky.crossing import cross_themselves, find_hull
from mvmdb.sky.sphere import FloatArray, deproject, sky_to_vector, tangent_frame, vector_to_sky, wrap_ra

MAX_RADIUS = 30.0
"""How far a footprint may reach from its centre, in degrees.

No camera's field comes near it, and tangent planes work well within it.
"""
SANE_RA = 1000.0
"""Degrees: right ascensions beyond it, either way, are no positions but faults."""
MOST_VERTICES = 2000
"""How many vertices a region may have. Footprints have tens, and the work of geometry grows faster than that."""
MOST_CHARACTERS = 50 * MOST_VERTICES
"""How long a region's text may be."""
CIRCLE_VERTICES = 64
_DECIMALS = 9  # 4 microarcsec: what format_region writes
_FRAMES = {"ICRS", "J2000", "FK5", "GSC1", "GSC2"}  # equatorial J2000, as MAST writes them
_IGNORED = {"UNION", "TOPOCENTER", "BARYCENTER", "GEOCENTER", "UNKNOWNREFPOS", "SPHERICAL2"}
_WORD = re.compile(r"[A-Za-z]\w*")
_SEPARATORS = re.compile(r"[\s,()]+")


def parse_region(text: str) -> list[FloatArray]:
    """The polygons of a region text, in normal form.

    Reads POLYGON and CIRCLE in any case, several in one text, with or without a frame (ICRS, J2000, FK5, GSC1), RA
    below 0 or above 360, either winding, closed or open, with repeated vertices. A circle becomes a polygon of 64
    sides around it (0.12% too wide at the vertices, so nothing that the circle touches is missed). Raises InputError
    when the text is not a region, or has more than 2,000 vertices. Of a polygon that crosses or touches itself the
    result has the convex hull.
    """
    return parse_crossing_region(text)[0]


def parse_crossing_region(text: str) -> tuple[list[FloatArray], int]:
    """As `parse_region`, and how many of the polygons crossed or touched themselves."""
    polygons, crossing = [], 0
    for shape, numbers in _split_shapes(text):
        if shape == "CIRCLE":
            polygons.append(_read_circle(numbers, text))
            continue
        polygon, crosses = _read_polygon(numbers, text)
        polygons.append(polygon)
        crossing += crosses
    return polygons, crossing


def format_region(polygons: Sequence[FloatArray]) -> str:
    """`POLYGON ICRS ra dec ra dec ...` of each polygon, 9 decimals, joined by spaces; polygons as in `parse_region`."""
    return " ".join(f"POLYGON ICRS {_format_vertices(polygon)}" for polygon in polygons)


def normalize_polygon(polygon: FloatArray) -> FloatArray:
    """A polygon (n, 2) of degrees in normal form, which the module's docstring defines.

    Winding is judged by vectors, so poles and RA 0 need no care. A polygon that crosses itself gets the winding of
    its net area. Raises InputError for fewer than three different vertices, coordinates that are not on the sky, or a
    polygon that reaches more than 30 degrees from its centre.
    """
    _check_sky(polygon)
    wrapped = np.array(polygon, dtype=np.float64)
    wrapped[:, 0] = wrap_ra(polygon[:, 0])
    rounded = np.round(wrapped, _DECIMALS)
    rounded[rounded[:, 0] == 360.0, 0] = 0.0
    open_polygon = wrapped[(rounded != _after(rounded)).any(axis=1)]
    if len(open_polygon) < 3:
        raise InputError(f"found a polygon of {len(open_polygon)} different vertices; expected 3 or more")
    vector = sky_to_vector(open_polygon[:, 0], open_polygon[:, 1])
    centre = vector.sum(axis=1)
    _check_radius(vector, centre)
    x, y, z = vector - centre[:, None] / np.linalg.norm(centre)  # differences of near vectors would lose digits
    next_x, next_y, next_z = _after(x), _after(y), _after(z)
    # Written out: numpy's cross and roll take ten times as long on so few vertices, and this runs for every file.
    turns = (y @ next_z - z @ next_y, z @ next_x - x @ next_z, x @ next_y - y @ next_x)
    net_area = sum(float(component * turn) for component, turn in zip(centre, turns, strict=True))
    # Positive is counter-clockwise for an observer outside the sphere.
    return np.concatenate([open_polygon[:1], open_polygon[:0:-1]]) if net_area > 0 else open_polygon


def _after(values: FloatArray) -> FloatArray:
    """The value of each vertex's successor around the polygon."""
    return np.concatenate([values[1:], values[:1]])


def _split_shapes(text: str) -> list[tuple[str, list[float]]]:
    if len(text) > MOST_CHARACTERS:
        raise InputError(f"region {_shorten(text)}: found {len(text)} characters; expected at most {MOST_CHARACTERS}")
    shapes: list[tuple[str, list[float]]] = []
    for token in filter(None, _SEPARATORS.split(text)):
        word = token.upper()
        if word in ("POLYGON", "CIRCLE"):
            shapes.append((word, []))
        elif word in _IGNORED or (word in _FRAMES and not (shapes and shapes[-1][1])):
            continue
        elif _WORD.fullmatch(token) and word not in ("NAN", "INF", "INFINITY"):
            raise InputError(
                f"region {_shorten(text)}: found {token!r}; expected POLYGON or CIRCLE, and ICRS, J2000 or GSC1"
            )
        elif not shapes:
            raise InputError(
                f"region {_shorten(text)}: found {token!r} first; expected POLYGON or CIRCLE before numbers"
            )
        else:
            shapes[-1][1].append(_read_number(token, text))
    if not shapes:
        raise InputError(f"region {_shorten(text)}: found no shape; expected POLYGON or CIRCLE")
    n_vertices = sum(CIRCLE_VERTICES if shape == "CIRCLE" else len(numbers) // 2 for shape, numbers in shapes)
    if n_vertices > MOST_VERTICES:
        raise InputError(f"region {_shorten(text)}: found {n_vertices} vertices; expected at most {MOST_VERTICES}")
    return shapes


def _read_number(token: str, text: str) -> float:
    try:
        return float(token)
    except ValueError:
        raise InputError(f"region {_shorten(text)}: found {token!r}; expected a number of degrees") from None


def _read_polygon(numbers: list[float], text: str) -> tuple[FloatArray, bool]:
    """The polygon in normal form, or its hull; and whether it crosses or touches itself."""
    if len(numbers) < 6 or len(numbers) % 2:
        raise InputError(
            f"region {_shorten(text)}: found {len(numbers)} numbers; expected 3 or more pairs of ra and dec"
        )
    try:
        polygon = normalize_polygon(np.array(numbers).reshape(-1, 2))
        if not cross_themselves(polygon[None])[0]:
            return polygon, False
        hull = find_hull(polygon)
        if len(hull) < 3:
            raise InputError("found a polygon without area; expected a footprint")
        return normalize_polygon(hull), True
    except InputError as error:
        raise InputError(f"region {_shorten(text)}: {error}") from None


def _read_circle(numbers: list[float], text: str) -> FloatArray:
    if len(numbers) != 3:
        raise InputError(
            f"region {_shorten(text)}: found {len(numbers)} numbers; expected ra, dec and radius of the circle"
        )
    ra, dec, radius = numbers
    _check_sky(np.array([[ra, dec]]))
    if not 0.0 < radius < MAX_RADIUS:
        raise InputError(
            f"region {_shorten(text)}: found radius {radius}; expected above 0 and below {MAX_RADIUS:g} degrees"
        )
    # Every side of the polygon touches the circle: both are drawn in the plane that touches the sky at the centre.
    reach = np.tan(np.deg2rad(radius)) / np.cos(np.pi / CIRCLE_VERTICES)
    angle = np.arange(CIRCLE_VERTICES) * (2.0 * np.pi / CIRCLE_VERTICES)
    vector = deproject(tangent_frame(ra, dec), reach * np.sin(angle), reach * np.cos(angle))
    return normalize_polygon(np.column_stack(vector_to_sky(vector)))


def _check_sky(polygon: FloatArray) -> None:
    if np.abs(polygon[:, 0]).max(initial=0.0) <= SANE_RA and np.abs(polygon[:, 1]).max(initial=0.0) <= 90.0:
        return  # nearly always
    wrong = ~(np.abs(polygon) <= (SANE_RA, 90.0)).all(axis=1)  # NaN is wrong too
    if wrong.any():
        ra, dec = polygon[wrong][0]
        raise InputError(f"found the vertex {ra:g} {dec:g}; expected finite ra, and dec from -90 to 90 degrees")


def _check_radius(vector: FloatArray, centre: FloatArray) -> None:
    nearest = float((centre @ vector).min())
    if nearest < np.cos(np.deg2rad(MAX_RADIUS)) * np.linalg.norm(centre):
        raise InputError(
            f"found a polygon that reaches more than {MAX_RADIUS:g} degrees from its centre; expected a footprint"
        )


def _format_vertices(polygon: FloatArray) -> str:
    ra = wrap_ra(np.round(polygon[:, 0], _DECIMALS))
    return " ".join(f"{a:.{_DECIMALS}f} {d:.{_DECIMALS}f}" for a, d in zip(ra, polygon[:, 1], strict=True))


def _shorten(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
