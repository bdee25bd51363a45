"""How much of each pixel a circular aperture holds."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mvmdb.errors import UsageError

Method = Literal["exact", "center"]
Float = NDArray[np.float64]

LARGEST = 2000.0
"""Radius in pixels beyond which an aperture is refused: its pixels alone would take hundreds of megabytes."""


def circle_shares(x: float, y: float, radius: float, method: Method = "exact") -> tuple[int, int, Float]:
    """First row, first column, and the share (rows, columns) of each pixel inside a circle around x, y.

    Pixel (0, 0) reaches from -0.5 to 0.5. `exact`: the area inside the circle; `center`: 1 where the pixel's centre is
    inside. Raises UsageError where x and y are not finite, or the radius is not above 0 and at most 2000 pixels.
    """
    if not (math.isfinite(x) and math.isfinite(y)):
        raise UsageError(f"found the position {x}, {y}; expected two finite numbers, in pixels")
    if not 0.0 < radius <= LARGEST:
        raise UsageError(f"found the radius {radius}; expected pixels above 0, at most {LARGEST:.0f}")
    left, right = math.floor(x - radius + 0.5), math.ceil(x + radius - 0.5)
    bottom, top = math.floor(y - radius + 0.5), math.ceil(y + radius - 0.5)
    if method == "center":
        dx, dy = np.arange(left, right + 1) - x, np.arange(bottom, top + 1) - y
        return bottom, left, (np.hypot(dx[None, :], dy[:, None]) <= radius).astype(np.float64)
    if method != "exact":
        raise UsageError(f"found the method {method!r}; expected exact or center")
    edges_x = np.arange(left, right + 2, dtype=np.float64) - 0.5 - x
    edges_y = np.arange(bottom, top + 2, dtype=np.float64) - 0.5 - y
    below = _area_below(edges_x[None, :], edges_y[:, None], radius)
    shares = np.diff(np.diff(below, axis=0), axis=1)
    return bottom, left, np.clip(shares, 0.0, 1.0)


def _area_below(x: Float, y: Float, radius: float) -> Float:
    """The area of a circle around 0, 0 that lies left of x and below y."""
    x, y = np.broadcast_arrays(np.clip(x, -radius, radius), np.clip(y, -radius, radius))
    half_chord = np.sqrt(np.maximum(radius**2 - y**2, 0.0))
    reach = np.clip(x, -half_chord, half_chord)
    cap = _under_arc(reach, radius) + _under_arc(half_chord, radius)
    low = cap + y * (reach + half_chord)  # y below 0: what is left of x in the cap below y
    high = 2.0 * (_under_arc(x, radius) + math.pi * radius**2 / 4.0) - (cap - y * (reach + half_chord))
    area: Float = np.where(y >= 0.0, high, low)
    return area


def _under_arc(x: Float, radius: float) -> Float:
    """The integral of sqrt(radius^2 - t^2) from 0 to x."""
    root = np.sqrt(np.maximum(radius**2 - x**2, 0.0))
    value: Float = (x * root + radius**2 * np.arcsin(np.clip(x / radius, -1.0, 1.0))) / 2.0
    return value
