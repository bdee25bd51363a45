"""Whether a recorded number is the one that was computed: libraries and machines differ in the last digits."""

from __future__ import annotations

import math
from typing import Any

_MEASURED = {"area_arcmin2", "mean_exposures"}
"""Columns that geometry engines compute."""
_ANGLES = {"ra", "dec"}
"""Degrees, computed from vertices of 9 decimals."""
_ROUNDED = {"mixed_arcmin2": 2e-6}
"""Columns that are rounded, and how far the roundings of two numbers that differ in their last digits may be apart."""
_RELATIVE, _RELATIVE_MEASURED, _ABSOLUTE, _ABSOLUTE_ANGLE = 1e-11, 1e-6, 1e-9, 1e-8


def is_same(column: str, first: Any, second: Any) -> bool:
    """Whether two values of a column are equal; floating-point numbers may differ in their last digits."""
    if not (isinstance(first, float | int) and isinstance(second, float)):
        return bool(first == second)
    if not (math.isfinite(first) and math.isfinite(second)):  # nothing is near to infinity
        return bool(first == second)
    if column in _ANGLES:
        return abs((first - second + 180.0) % 360.0 - 180.0) <= _ABSOLUTE_ANGLE
    relative = _RELATIVE_MEASURED if column in _MEASURED else _RELATIVE
    return abs(first - second) <= max(_ROUNDED.get(column, _ABSOLUTE), relative * abs(second))
