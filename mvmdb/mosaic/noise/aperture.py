"""Errors of sums of a mosaic's pixels, with the correlation of their noise: `mvmdb.aperture_error`."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import shapely
from astropy.io import fits
from numpy.typing import ArrayLike, NDArray

from mvmdb.errors import ProductError, UsageError
from mvmdb.mosaic.noise.circles import Method, circle_shares
from mvmdb.mosaic.noise.correlation import NoiseCorrelation
from mvmdb.mosaic.noise.drops import ChipDrop, correlation_of_chips, correlation_of_layer, list_drops
from mvmdb.mosaic.product.read import StoredProduct, open_product
from mvmdb.names import parse_layer_name
from mvmdb.recipe import Recipe

Float = NDArray[np.float64]
Errors = NDArray[np.floating]


def aperture_error(
    errors: str | os.PathLike[str] | Errors,
    x: ArrayLike,
    y: ArrayLike,
    radius: ArrayLike,
    *,
    correlation: NoiseCorrelation | None = None,
    method: Method = "exact",
) -> float | Float:
    """The error of the sum of SCI in circular apertures, in electrons/s, with the noise that pixels have in common.

    `errors`: the path of a mosaic with ERR, or an array of ERR values (rows, columns) in electrons/s, such as a
    cut-out. `x`, `y`: centres in 0-based pixels of that array, pixel (0, 0) reaching from -0.5 to 0.5. `radius` in
    pixels, above 0. All three are numbers, or arrays that broadcast; the result has their shape, a number for numbers.
    `correlation`: how the noise is correlated (see `noise_correlation`); an array needs it. For a path it follows from
    the mosaic's own table, HDRTAB, for the exposures that are at each position: also for mosaics whose headers do not
    have it yet. `method` is as in photutils: `exact` counts pixels on the rim by their part inside, `center` counts
    those whose centre is inside.

    The result is R * sqrt(sum(ERR^2)), where R follows from the aperture's pixels and how drops of input pixels share
    out among them (S. Casertano et al. 2000, AJ 120, 2747, appendix A; A. S. Fruchter and R. N. Hook 2002, PASP 114,
    144, section 7): the mean over all positions of drops, which in one exposure are not all met within a small
    aperture. It is NaN where an aperture holds a pixel without ERR, or reaches beyond the array.

    Raises ProductError if the mosaic is missing, damaged, not mvmdb's, or without ERR; UsageError for an array without
    a correlation or not of two axes, positions that are not finite, radii that are not above 0, or another method.

    >>> mvmdb.aperture_error(path, 1024.2, 980.5, [3, 5, 10])  # doctest: +SKIP
    array([0.041, 0.074, 0.156])
    """
    if isinstance(errors, str | os.PathLike):
        stored = open_product(os.fspath(errors))
        plane: Errors = _error_plane(stored)
        at = _Local.of(stored).at if correlation is None else _everywhere(correlation)
    else:
        plane = np.asarray(errors)
        if correlation is None:
            raise UsageError("found an array of errors alone; expected correlation=mvmdb.noise_correlation(PATH), too")
        at = _everywhere(correlation)
    if plane.ndim != 2:
        raise UsageError(f"found errors with {plane.ndim} axes; expected 2, (rows, columns)")
    places = np.broadcast_arrays(*(np.asarray(value, np.float64) for value in (x, y, radius)))
    known: dict[tuple[float, float, float, int], float] = {}
    each = zip(*(values.ravel().tolist() for values in places), strict=True)
    results = [_one_error(plane, at, known, (x0, y0), size, method) for x0, y0, size in each]
    shape = places[0].shape
    return np.array(results).reshape(shape) if shape else results[0]


def noise_correlation(
    mosaic: str | os.PathLike[str] | fits.Header, x: float | None = None, y: float | None = None
) -> NoiseCorrelation:
    """How the noise of a mosaic is correlated, by its path, or by its SCI header.

    The header tells it to 0.5%, with pixfrac below 1 to 2.3% (apertures of 3 pixels or more: 0.8%).
    With `x` and `y` (0-based pixels), where that position's exposures are; else in the layer as a whole, its chips
    counted by area and exposure time. The result has `factor`, R of a large sum; `factor_at(radius)`, R of a circular
    aperture by its radius in pixels; and `factor_of(shares)`, R of any set of pixels. The mosaic needs no ERR: R times
    the scatter of single pixels and the root of their number is the error of a sum as well.

    Raises ProductError if the mosaic is missing, damaged or not mvmdb's; UsageError where no exposure is at the
    position, a position is given with a header, or the header tells nothing.
    """
    if (x is None) != (y is None):
        raise UsageError("found one of x and y; expected both, or neither")
    if isinstance(mosaic, fits.Header):
        if x is not None:
            raise UsageError("found a position with a header; expected the mosaic's path: HDRTAB has the exposures")
        return NoiseCorrelation.from_header(mosaic)
    local = _Local.of(open_product(os.fspath(mosaic)))
    if x is None or y is None:
        return correlation_of_layer(local.drops)
    correlation, _ = local.at(float(x), float(y))
    if correlation is None:
        raise UsageError(f"found no exposure at {x}, {y} in {mosaic}; expected a position that one covers")
    return correlation


@dataclass(slots=True)
class _Local:
    """The correlation at positions of one mosaic: that of the chips which are there."""

    drops: list[ChipDrop]
    tree: shapely.STRtree
    known: dict[tuple[int, ...], NoiseCorrelation] = field(default_factory=dict)

    @classmethod
    def of(cls, stored: StoredProduct) -> _Local:
        record = stored.record
        recipe = Recipe.from_json(record.recipe)
        drops = list_drops(parse_layer_name(record.layer), stored.grid, recipe, stored.rows)
        return cls(drops, shapely.STRtree([drop.shape for drop in drops]))

    def at(self, x: float, y: float) -> tuple[NoiseCorrelation | None, int]:
        """The correlation at a position and a number that stands for it; None where no chip is."""
        chips = tuple(sorted(self.tree.query(shapely.Point(x, y), predicate="intersects").tolist()))
        if not chips:
            return None, -1
        if chips not in self.known:
            self.known[chips] = correlation_of_chips([self.drops[chip] for chip in chips])
        return self.known[chips], list(self.known).index(chips)


def _everywhere(correlation: NoiseCorrelation) -> Callable[[float, float], tuple[NoiseCorrelation | None, int]]:
    return lambda x, y: (correlation, 0)


def _one_error(
    plane: Errors,
    at: Callable[[float, float], tuple[NoiseCorrelation | None, int]],
    known: dict[tuple[float, float, float, int], float],
    centre: tuple[float, float],
    radius: float,
    method: Method,
) -> float:
    """The error of one aperture; `known` has R of those that were met before, by place in their first pixel."""
    x, y = centre
    bottom, left, shares = circle_shares(x, y, radius, method)
    rows, columns = shares.shape
    if bottom < 0 or left < 0 or bottom + rows > plane.shape[0] or left + columns > plane.shape[1]:
        return math.nan
    inside = shares > 0.0
    values = np.asarray(plane[bottom : bottom + rows, left : left + columns], np.float64)[inside]
    if values.size and not np.isfinite(values).all():
        return math.nan
    correlation, number = at(x, y)
    if correlation is None:
        return math.nan
    place = (x - left, y - bottom, radius, number)  # equal apertures on other pixels have the same R
    if place not in known:
        known[place] = correlation.factor_of(shares)
    return known[place] * math.sqrt(float(np.sum((shares[inside] * values) ** 2)))


def _error_plane(stored: StoredProduct) -> Errors:
    """ERR of a mosaic, read as it is needed."""
    path = stored.record.path
    if "ERR" not in stored.places:
        raise ProductError(
            f"{path} has no ERR; expected a mosaic with errors: run mvmdb init --errors, and make the layer again "
            "(mvmdb reconcile)"
        )
    try:
        return np.memmap(Path(path), ">f4", "r", stored.places["ERR"], stored.grid.shape)
    except (OSError, ValueError) as error:
        raise ProductError(f"{path} cannot be read: {error}; check its disk") from error
