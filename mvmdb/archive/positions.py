"""Positions and angles as programs give them: values of astropy, or plain numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from mvmdb.errors import UsageError
from mvmdb.inputs import read_entries

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord

Position: TypeAlias = "SkyCoord | tuple[float, float]"


def to_degrees(position: Any) -> tuple[float, float]:
    """(ra, dec) in degrees (ICRS) of a SkyCoord of one position in any frame, or of two numbers.

    Raises UsageError for anything else.
    """
    icrs = getattr(position, "icrs", None)
    if icrs is not None and icrs.isscalar:
        return float(icrs.ra.deg), float(icrs.dec.deg)
    try:
        ra, dec = position
        return float(ra), float(dec)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{position!r} is no position; expected a SkyCoord, or ra and dec in degrees") from error


def to_positions(positions: Any) -> tuple[tuple[float, float], ...]:
    """(ra, dec) in degrees (ICRS) of each position: a SkyCoord of one or many, one pair of numbers, or several pairs.

    Raises UsageError for anything else.
    """
    if positions is None:
        return ()
    icrs = getattr(positions, "icrs", None)
    if icrs is not None and not icrs.isscalar:
        return tuple(zip(icrs.ra.deg.ravel().tolist(), icrs.dec.deg.ravel().tolist(), strict=True))
    several = icrs is None and not any(isinstance(one, int | float) for one in positions)
    return tuple(map(to_degrees, positions)) if several else (to_degrees(positions),)


def read_position(ra: str, dec: str) -> tuple[float, float]:
    """(ra, dec) in degrees of two texts: degrees, or sexagesimal as in `03:32:14.4 -27:42:36` or `3h32m14s -27d42m36s`.

    Sexagesimal right ascensions are in hours. Raises UsageError for other texts.
    """
    try:
        return float(ra), float(dec)
    except ValueError:
        pass
    from astropy.coordinates import Angle

    try:
        return float(Angle(ra, unit="hourangle").deg), float(Angle(dec, unit="deg").deg)
    except ValueError as error:
        raise UsageError(
            f"{ra} {dec} is no position; expected degrees like 53.06 -27.71, or 03:32:14.4 -27:42:36"
        ) from error


def read_positions(path: str) -> list[tuple[float, float]]:
    """The positions in a text file: one per line, ra and dec as for `read_position`, with blanks or a comma between.

    Blank lines, and those that begin with `#`, are skipped. Raises InputError if it cannot be read, UsageError for a
    line that is no position.
    """
    positions = []
    for number, line in read_entries(path, "the positions", "a text file, one per line"):
        words = line.replace(",", " ").split()
        if len(words) != 2:
            raise UsageError(f"{path}, line {number}: found {len(words)} words; expected ra and dec")
        positions.append(read_position(*words))
    return positions


def to_deg(angle: Any) -> float:
    """An angle in degrees: a Quantity, or a number of degrees. Raises UsageError for anything else."""
    return _to_unit(angle, "deg")


def to_arcmin(angle: Any) -> float:
    """An angle in arcmin: a Quantity, or a number of arcmin. Raises UsageError for anything else."""
    return _to_unit(angle, "arcmin")


def _to_unit(angle: Any, unit: str) -> float:
    try:
        return float(angle.to_value(unit)) if hasattr(angle, "to_value") else float(angle)
    except (TypeError, ValueError) as error:  # UnitConversionError is both
        raise UsageError(f"{angle!r} is no angle; expected a Quantity, or a number in {unit}") from error
