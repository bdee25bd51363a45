"""How the noise of one pixel of a mosaic goes with that of its neighbours, and by how much sums are noisier for it.

An input pixel i has the share a_ip in the output pixel p: the area that its drop and p have in common. The noise that
p and q have in common is the sum of a_ip a_iq var_i over the input pixels. Drops lie anywhere with respect to the
output pixels, in one distorted exposure as in many dithered ones, so what counts is the mean over all positions, and
that depends on the offset between p and q alone:

    C(d) = integral of a(x) a(x + d) dx = integral of D(u) T(u - d) du

where D is the autocorrelation of the drop (a parallelogram) and T that of an output pixel, both products of triangles
in their own axes. The error of a large sum is larger than its pixels' errors say by R = sqrt(sum of C(d) / C(0)). For
a square drop of side r output pixels, parallel to these, this is what A. S. Fruchter and R. N. Hook give (2002, PASP
114, 144, section 7; S. Casertano et al. 2000, AJ 120, 2747, appendix A):

    R = r / (1 - 1/(3 r)) where r >= 1, R = 1 / (1 - r/3) where r <= 1

Turning the drop changes R by 0.4% at most. Nothing here asks for many dithers: with pixfrac 1 all pixels that one
exposure covers have the same weight, and C is the mean over its own pixels. With smaller drops it takes many exposures
to make weights even: see `patches`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mvmdb.errors import UsageError
from mvmdb.mosaic.noise.circles import circle_shares

STEPS = 32
"""Points along an output pixel at which C is integrated: R is then exact to 0.03%."""
RADII = (1, 2, 3, 5, 10, 20)
"""Radii in output pixels of the circular apertures whose R stands in headers."""
FACTOR, DROP = "CORRFACT", "CORRDROP"
"""Keywords of R of a large sum, and of the side in output pixels of the square drop that has it."""
_PLACES = (-0.4, -0.2, 0.0, 0.2, 0.4)  # of an aperture's centre in its pixel, over which R of a radius is averaged

Float = NDArray[np.float64]
Cards = dict[str, tuple[float | int | str, str]]


@dataclass(frozen=True, slots=True, eq=False)
class NoiseCorrelation:
    """How the noise of a mosaic's pixels is correlated.

    `covariance` is square with an odd side; its middle, which is 1, stands for a pixel with itself, the others for a
    pixel and the one at that offset (rows are y). It is in units of the square of ERR.
    """

    covariance: Float

    @property
    def factor(self) -> float:
        """R: the error of a sum of very many pixels, over the root of the sum of their squared ERR."""
        return math.sqrt(float(self.covariance.sum()))

    def factor_of(self, shares: NDArray[np.floating] | NDArray[np.bool_]) -> float:
        """R of a sum of pixels: `shares` (rows, columns) says how much of each is summed, 0 to 1, or whether it is.

        The error of `sum(shares * SCI)` is this times the root of `sum((shares * ERR)**2)`. Raises UsageError where
        nothing is summed.
        """
        weights = np.asarray(shares, np.float64)
        if weights.ndim != 2 or not np.any(weights):
            raise UsageError("found an aperture without pixels; expected (rows, columns) of shares, some above 0")
        half = len(self.covariance) // 2
        wide = np.pad(weights, half)
        rows, columns = weights.shape
        total = 0.0
        for dy in range(half + 1):  # an offset and its opposite are the same pairs
            for dx in range(-half if dy else 1, half + 1):
                value = self.covariance[half + dy, half + dx]
                if value:
                    shifted = wide[half + dy : half + dy + rows, half + dx : half + dx + columns]
                    total += 2.0 * value * float(np.vdot(weights, shifted))
        return math.sqrt(1.0 + total / float(np.vdot(weights, weights)))

    def factor_at(self, radius: float) -> float:
        """R of a circular aperture of this radius in output pixels, over all positions of its centre in a pixel.

        Pixels on the rim count by the part that is inside. Raises UsageError where the radius is not above 0.
        """
        squares = [self.factor_of(circle_shares(x, y, radius)[2]) ** 2 for x in _PLACES for y in _PLACES]
        return math.sqrt(sum(squares) / len(squares))

    def cards(self) -> Cards:
        """The keywords of a product's header."""
        return dict(_cards(self.covariance.tobytes(), len(self.covariance)))

    @classmethod
    def from_header(cls, header: Mapping[str, object]) -> NoiseCorrelation:
        """The correlation that a product's header tells, to 0.5% in R, with pixfrac below 1 to 2.3%.

        Raises UsageError where it tells nothing.
        """
        side = header.get(DROP)
        if isinstance(side, bool) or not isinstance(side, int | float) or not 0.0 <= side < 1000.0:
            raise UsageError(
                f"found no {DROP} in the header; expected the SCI header of a mosaic of mvmdb's; mosaics made before "
                "have none: give the mosaic's path, from whose HDRTAB it follows"
            )
        return cls(normalise(correlate_drop(((float(side), 0.0), (0.0, float(side))))))


Matrix = tuple[tuple[float, float], tuple[float, float]]


def has_area(sides: Matrix) -> bool:
    """Whether a drop with these sides is more than a point or a line."""
    (x1, x2), (y1, y2) = sides
    return abs(x1 * y2 - x2 * y1) > 1e-12


@lru_cache(maxsize=4096)
def correlate_drop(sides: Matrix) -> Float:
    """C of a drop: `sides` are the x and the y of the parallelogram's two sides in output pixels, ((x, x), (y, y)).

    (n, n) with n odd, for whole offsets up to where it is 0, of shares of the drop's area, so that they add up to 1. A
    drop without area is a point, and goes to one pixel.
    """
    if not has_area(sides):
        return np.ones((1, 1))
    (x1, x2), (y1, y2) = sides
    area = x1 * y2 - x2 * y1
    half = max(1, math.ceil(max(abs(x1) + abs(x2), abs(y1) + abs(y2)) + 1.0) - 1)
    u = (np.arange(-(half + 1) * STEPS, (half + 1) * STEPS) + 0.5) / STEPS
    along_first = np.abs(y2 * u[None, :] - x2 * u[:, None]) / abs(area)
    along_second = np.abs(x1 * u[:, None] - y1 * u[None, :]) / abs(area)
    drop = np.maximum(0.0, 1.0 - along_first) * np.maximum(0.0, 1.0 - along_second)
    pixel = np.maximum(0.0, 1.0 - np.abs(u[None, :] - np.arange(-half, half + 1)[:, None])) / STEPS
    covariance: Float = pixel @ drop @ pixel.T / abs(area)
    covariance.flags.writeable = False
    return covariance


def combine(parts: Mapping[Matrix, float]) -> NoiseCorrelation:
    """The correlation where several drops contribute, each with some weight (see `drops.share`)."""
    return add_up([(correlate_drop(sides), weight) for sides, weight in parts.items() if weight > 0.0])


def add_up(parts: Sequence[tuple[Float, float]]) -> NoiseCorrelation:
    """The correlation of covariances, square with odd sides, that count by a weight each."""
    size = max((len(array) for array, _ in parts), default=1)
    total = np.zeros((size, size))
    for array, weight in parts:
        edge = (size - len(array)) // 2
        total[edge : size - edge, edge : size - edge] += weight * array
    return NoiseCorrelation(normalise(total))


def normalise(covariance: Float) -> Float:
    """The covariance with 1 in its middle; without any, that of pixels which have nothing in common."""
    middle = float(covariance[len(covariance) // 2, len(covariance) // 2])
    if not middle > 0.0:
        return np.ones((1, 1))
    normal: Float = covariance / middle
    return normal


def side_of(factor: float) -> float:
    """The side in output pixels of the square drop whose large sums have this R: Fruchter and Hook's, inverted."""
    if factor >= 1.5:
        return (factor + math.sqrt(factor**2 - 4.0 * factor / 3.0)) / 2.0
    return 3.0 * (1.0 - 1.0 / factor)


@lru_cache(maxsize=64)
def _cards(data: bytes, size: int) -> tuple[tuple[str, tuple[float | int | str, str]], ...]:
    correlation = NoiseCorrelation(np.frombuffer(data).reshape(size, size))
    factor = round(correlation.factor, 4)
    cards = [(FACTOR, (factor, "error of a large sum / its pixels' ERR"))]
    cards.append((DROP, (round(side_of(correlation.factor), 4), "[pixel] side of a drop with this CORRFACT")))
    cards += [
        (f"CORRF{radius}", (round(correlation.factor_at(radius), 4), f"the same, radius of {radius} pixels"))
        for radius in RADII
    ]
    return tuple(cards)
