"""The two arrays of a mosaic while it is made, with the margin that drizzling needs; filling them is not done here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

MARGIN = 8
"""Output pixels drizzled around the canvas and thrown away: drizzle leaves out an input pixel whose centre is off its
array, so without them pixels on the rim would depend on where the canvas ends. Half an input pixel is 2.4 at most."""


@dataclass(frozen=True, slots=True)
class Planes:
    """The two arrays of a mosaic, float32, rows by columns: `science` in electrons/s per output pixel, and `weight`.

    Both are views without the `MARGIN` that they are drizzled with. While members are being added, science is 0 where
    weight is 0; `blank_unexposed` puts the NaNs of a finished one.
    """

    wide_science: Plane
    wide_weight: Plane

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> Planes:
        """Planes of `shape` (rows, columns) that nothing has been drizzled onto."""
        wide = (shape[0] + 2 * MARGIN, shape[1] + 2 * MARGIN)
        return cls(np.zeros(wide, np.float32), np.zeros(wide, np.float32))

    @property
    def science(self) -> Plane:
        """Electrons/s per output pixel, of the canvas' shape."""
        return self.wide_science[MARGIN:-MARGIN, MARGIN:-MARGIN]

    @property
    def weight(self) -> Plane:
        """Exposure time by covered area, of the canvas' shape."""
        return self.wide_weight[MARGIN:-MARGIN, MARGIN:-MARGIN]


def blank_unexposed(planes: Planes) -> None:
    """Put NaN into science wherever weight is 0, in place."""
    for science, weight in zip(planes.science, planes.weight, strict=True):
        science[weight == 0.0] = np.nan
