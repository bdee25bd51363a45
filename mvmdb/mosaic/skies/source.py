"""An exposure as sky matching needs it: its file, and where its chips are."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import shapely
from astropy.wcs import WCS
from numpy.typing import NDArray

from mvmdb.mosaic.grid import LayerGrid
from mvmdb.records import SkyPair

MeasurePairs = Callable[[Collection[tuple[int, int]]], list[SkyPair]]
"""Measures pairs of sources, given by their indices, that of the lower name first."""


@dataclass(frozen=True, slots=True)
class SkySource:
    """One exposure as sky matching needs it: its file, and the outline of each chip in 0-based canvas pixels.

    `alternate` is the text of the solution that takes the place of the file's, if any. Its sky is measured in electrons
    of the PHOTFLAM `photflam`, None for the chips' own.
    """

    ipppssoo: str
    path: str
    outlines: tuple[shapely.Geometry, ...]
    alternate: str = ""
    photflam: float | None = None

    @property
    def reach(self) -> tuple[float, float]:
        """The first and last row of the canvas, 0-based, that a chip's outline touches."""
        bounds = shapely.bounds(list(self.outlines))
        return float(bounds[:, 1].min()), float(bounds[:, 3].max())


def to_detector(ring: NDArray[np.float64], wcs: WCS, grid: LayerGrid) -> NDArray[np.float64]:
    """(n, 2): 0-based pixels of a chip at which points (n, 2), in 0-based canvas pixels, lie."""
    ra, dec = grid.pixel_to_sky(ring[:, 0], ring[:, 1])
    # 5e-4 pixels is plenty for a border; near a chip's edge the inverse may not reach the default of 1e-4.
    x, y = wcs.all_world2pix(ra, dec, 0, tolerance=5e-4, quiet=True)
    return np.column_stack([x, y])
