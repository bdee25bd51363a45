"""The SQL functions of a catalog, for positions and names; they mean the same on every database.

SQLite calls the Python functions. PostgreSQL has functions in SQL, which its planner inlines, so that a cone search
uses the index on declination by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

import sqlalchemy as sa

from mvmdb.names import CELLS_PER_PROJECTION_CELL, CELLS_PER_SIDE, N_PROJECTION_CELLS, CellId, format_cell_name

_CELLS = N_PROJECTION_CELLS * CELLS_PER_PROJECTION_CELL


def sky_separation(ra1: float | None, dec1: float | None, ra2: float | None, dec2: float | None) -> float | None:
    """Angle between two positions, degrees. Null where a coordinate is null.

    Vincenty's formula for a sphere: accurate at any distance, including the poles and antipodes.
    """
    if ra1 is None or dec1 is None or ra2 is None or dec2 is None:
        return None
    lat1, lat2, lon = math.radians(dec1), math.radians(dec2), math.radians(ra2 - ra1)
    sin1, cos1, sin2, cos2 = math.sin(lat1), math.cos(lat1), math.sin(lat2), math.cos(lat2)
    across = math.hypot(cos2 * math.sin(lon), cos1 * sin2 - sin1 * cos2 * math.cos(lon))
    return math.degrees(math.atan2(across, sin1 * sin2 + cos1 * cos2 * math.cos(lon)))


def in_cone(
    ra: float | None, dec: float | None, ra0: float | None, dec0: float | None, radius: float | None
) -> bool | None:
    """Whether (ra, dec) is at most `radius` degrees from (ra0, dec0); all in degrees. Null where one is null."""
    separation = sky_separation(ra, dec, ra0, dec0)
    return None if separation is None or radius is None else separation <= radius


def skycell_name(skycell_id: int | None) -> str | None:
    """The name of the sky cell with this id; null where there is none."""
    if skycell_id is None or not 0 <= skycell_id < _CELLS:
        return None
    return format_cell_name(CellId.from_index(skycell_id))


def skycell_name_of_position(projection_cell: int | None, x: int | None, y: int | None) -> str | None:
    """The name of the sky cell at column `x`, row `y` (1 to 21) of a projection cell; null where there is none."""
    if projection_cell is None or x is None or y is None:
        return None
    if not (1 <= x <= CELLS_PER_SIDE and 1 <= y <= CELLS_PER_SIDE):
        return None
    return skycell_name(CellId(projection_cell, x, y).index)


def _of_numbers(function: Callable[..., Any], kind: type[float] | type[int]) -> Callable[..., Any]:
    """The function for SQLite, which passes on texts: as PostgreSQL and SQLite's own do, it takes them for numbers.

    Datasette and `sqlite-utils -p` give all parameters as texts, and an empty one where there is none. What is no
    number is null.
    """

    @wraps(function)
    def converted(*values: Any) -> Any:
        return function(*(_number(value, kind) if isinstance(value, str) else value for value in values))

    return converted


def _number(text: str, kind: type[float] | type[int]) -> float | int | None:
    try:
        number = kind(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


SQLITE_FUNCTIONS: tuple[tuple[str, Callable[..., Any]], ...] = (
    ("sky_separation", _of_numbers(sky_separation, float)),
    ("in_cone", _of_numbers(in_cone, float)),
    ("skycell_name", _of_numbers(skycell_name, int)),
    ("skycell_name", _of_numbers(skycell_name_of_position, int)),
)
"""Name in SQL and function; functions of one name differ in their number of arguments."""

# `RETURN` bodies (PostgreSQL 14) are bound when they are created, so no search_path can change what they mean. They are
# not STRICT, as that would keep the planner from inlining in_cone. 1e-9 degrees: allows for rounding at the border.
_POSTGRESQL = (
    """sky_separation(ra1 float8, dec1 float8, ra2 float8, dec2 float8) RETURNS float8
       LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN atan2d(
         sqrt(power(cosd(dec2) * sind(ra2 - ra1), 2)
              + power(cosd(dec1) * sind(dec2) - sind(dec1) * cosd(dec2) * cosd(ra2 - ra1), 2)),
         sind(dec1) * sind(dec2) + cosd(dec1) * cosd(dec2) * cosd(ra2 - ra1))""",
    """in_cone(ra float8, "dec" float8, ra0 float8, dec0 float8, radius float8) RETURNS boolean
       LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
         "dec" >= dec0 - radius - 1e-9 AND "dec" <= dec0 + radius + 1e-9
         AND sky_separation(ra, "dec", ra0, dec0) <= radius""",
    f"""skycell_name(skycell_id integer) RETURNS text
       LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN CASE WHEN skycell_id >= 0 AND skycell_id < {_CELLS} THEN
         'skycell-p' || lpad((skycell_id / {CELLS_PER_PROJECTION_CELL})::text, 4, '0')
         || 'x' || lpad((skycell_id % {CELLS_PER_SIDE} + 1)::text, 2, '0')
         || 'y' || lpad((skycell_id / {CELLS_PER_SIDE} % {CELLS_PER_SIDE} + 1)::text, 2, '0') END""",
    f"""skycell_name(projection_cell integer, x integer, y integer) RETURNS text
       LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
         CASE WHEN projection_cell >= 0 AND projection_cell < {N_PROJECTION_CELLS}
                   AND x >= 1 AND x <= {CELLS_PER_SIDE} AND y >= 1 AND y <= {CELLS_PER_SIDE}
         THEN skycell_name((projection_cell * {CELLS_PER_SIDE} + y - 1) * {CELLS_PER_SIDE} + x - 1) END""",
)


def create_functions(connection: sa.Connection) -> None:
    """Create or replace the functions in a database that stores them itself (PostgreSQL)."""
    if connection.dialect.name == "postgresql":
        for function in _POSTGRESQL:
            connection.exec_driver_sql(f"CREATE OR REPLACE FUNCTION {function}".replace("%", "%%"))


def drop_functions(connection: sa.Connection) -> None:
    """Remove the functions from a database that stores them itself (PostgreSQL)."""
    if connection.dialect.name == "postgresql":
        for name in ("skycell_name(integer, integer, integer)", "skycell_name(integer)"):
            connection.exec_driver_sql(f"DROP FUNCTION IF EXISTS {name}")
        five = ", ".join(["float8"] * 5)
        connection.exec_driver_sql(f"DROP FUNCTION IF EXISTS in_cone({five}), sky_separation({five[8:]})")
