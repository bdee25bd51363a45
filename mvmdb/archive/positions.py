"""Positions and angles as programs give them: values of astropy, or plain numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from mvmdb.errors import UsageError

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


def to_arcmin(angle: Any) -> float:
    """An angle in arcmin: a Quantity, or a number of arcmin. Raises UsageError for anything else."""
    from astropy import units

    try:
        quantity = units.Quantity(angle, units.arcmin, dtype=float) if not hasattr(angle, "unit") else angle
        return float(quantity.to_value(units.arcmin))
    except (TypeError, ValueError, units.UnitConversionError) as error:
        raise UsageError(f"{angle!r} is no angle; expected a Quantity, or a number of arcmin") from error


__all__ = ["Position", "to_arcmin", "to_degrees"]
