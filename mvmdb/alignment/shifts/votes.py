"""The shift between two lists of sources, by voting: most differences of places are chance, the common ones agree.

Cosmic rays, hot pixels and noise are in one exposure each: they vote for nothing in common. What chance gives is
computed, and must be clearly exceeded; else there is no shift.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, lgamma, log, pi

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Int = NDArray[np.intp]

SEARCH = 2.0
"""arcsec: the largest shift that is looked for. Guide stars place exposures to about 1 arcsec."""
FEWEST = 4
"""Common sources below which there is no shift, however improbable they are."""
IMPROBABLE = 1e-5
"""The probability at most with which unrelated lists may be taken for common sources."""
_BIN = 0.5  # of a pixel: of the histogram of differences
_NEAR = 1.5  # pixels around the most votes in which differences may be of common sources
_FLOOR = 0.03  # pixels: how exactly the place of the clearest source is known in an undersampled image
_PER_NOISE = 1.7  # pixels: the same for a source as high as the noise; seen in WFC3/IR, mostly galaxies
_HUBER = 2.0  # sigma from which a source counts less: galaxies are less certain than stars
_CLIP = 3.0  # sigma
_ROUNDS = 12
_TRIALS = 10.0  # per independent place: the shift and the radius are chosen where there are most


@dataclass(frozen=True, slots=True)
class Shift:
    """How far a second exposure's sources lie from the first's: east and north, with its error (1 sigma), arcsec.

    `n_sources` common sources give it, and `n_needed` must. Where there are fewer the numbers mean nothing.
    """

    dx: float
    dy: float
    error: float
    n_sources: int
    n_needed: int

    @property
    def measured(self) -> bool:
        """Whether there are enough common sources."""
        return self.n_sources >= self.n_needed


def find_shift(first: Float, second: Float, pixel: float) -> Shift:
    """The shift from (n, 3) sources to (m, 3) others: xi, eta in arcsec of one plane, and height over the noise.

    `pixel` is the size of the larger pixels, arcsec.
    """
    i, j, difference = _differences(first, second, SEARCH)
    if not len(i):
        return Shift(0.0, 0.0, 0.0, 0, FEWEST)
    per_area = len(i) / (2 * SEARCH) ** 2
    shift, radius = _most_votes(difference, pixel), _NEAR * pixel
    near = np.flatnonzero(np.hypot(*(difference - shift).T) < 2 * radius)
    i, j, difference = i[near], j[near], difference[near]
    sigma = pixel * np.hypot(_FLOOR, _PER_NOISE / np.minimum(first[i, 2], second[j, 2]))
    for _ in range(_ROUNDS):
        common = _closest(i, j, np.hypot(*(difference - shift).T), radius)
        if len(common) < 2:
            break
        shift = _weighted_median(difference[common], 1 / sigma[common])
        spread = float(np.median(np.hypot(*(difference[common] - shift).T))) / 1.1774
        radius = min(radius, max(_CLIP * spread, _CLIP * _FLOOR * pixel))
    common = _closest(i, j, np.hypot(*(difference - shift).T), radius)
    needed = _needed(per_area * pi * radius**2, _TRIALS * (2 * SEARCH) ** 2 / (pi * radius**2))
    return Shift(*_mean(difference[common], sigma[common]), len(common), needed)


def _differences(first: Float, second: Float, reach: float) -> tuple[Int, Int, Float]:
    """All (second - first) within `reach` along both axes: the index of either, and (n, 2) differences."""
    order = np.argsort(second[:, 1], kind="stable")
    ordered = second[order, 1]
    low = np.searchsorted(ordered, first[:, 1] - reach, side="left")
    count = np.searchsorted(ordered, first[:, 1] + reach, side="right") - low
    i = np.repeat(np.arange(len(first)), count)
    within = np.arange(len(i)) - np.repeat(np.cumsum(count) - count, count)
    j = order[np.repeat(low, count) + within]
    difference = second[j, :2] - first[i, :2]
    near = np.abs(difference[:, 0]) <= reach
    return i[near], j[near], difference[near]


def _most_votes(difference: Float, pixel: float) -> Float:
    """(2,): where most differences are: the mean of those in the 3 by 3 bins that hold most."""
    side = _BIN * pixel
    n = int(np.ceil(2 * SEARCH / side)) + 1
    place = np.minimum(((difference + SEARCH) / side).astype(int), n - 1)
    votes = np.bincount(place[:, 0] * n + place[:, 1], minlength=n * n).reshape(n, n)
    padded = np.pad(votes, 1)
    sums = sum(padded[a : a + n, b : b + n] for a in range(3) for b in range(3))
    best = np.array(np.unravel_index(int(np.argmax(sums)), (n, n)))
    mean: Float = difference[(np.abs(place - best) <= 1).all(axis=1)].mean(axis=0)
    return mean


def _closest(i: Int, j: Int, offset: Float, radius: float) -> Int:
    """The differences within a radius of which each is the closest one of both of its sources."""
    order = np.flatnonzero(offset < radius)
    order = order[np.argsort(offset[order], kind="stable")]
    of_first, of_second = (np.unique(column[order], return_index=True)[1] for column in (i, j))
    return order[np.intersect1d(of_first, of_second)]


def _weighted_median(values: Float, weight: Float) -> Float:
    """(2,): of each column the value at which half of the weight is reached."""
    result = np.empty(2)
    for axis in (0, 1):
        order = np.argsort(values[:, axis], kind="stable")
        total = np.cumsum(weight[order])
        result[axis] = values[order[np.searchsorted(total, 0.5 * total[-1])], axis]
    return result


def _mean(values: Float, sigma: Float) -> tuple[float, float, float]:
    """The weighted mean along both axes, and its error along one.

    Values farther off than `_HUBER` sigma weigh less (P. Huber 1964, Ann. Math. Stat. 35, 73). The error is that of the
    scatter of the values, and at least what `sigma` implies, as a few values may agree by chance.
    """
    n = len(values)
    if n < 2:
        return 0.0, 0.0, 0.0
    weight, mean = sigma**-2, np.zeros(2)
    for _ in range(_ROUNDS):
        mean = weight @ values / weight.sum()
        distance = np.hypot(*(values - mean).T) / sigma
        weight = sigma**-2 * np.minimum(1.0, _HUBER / np.maximum(distance, _HUBER))
    share = weight / weight.sum()
    scatter = float((share**2 @ (values - mean) ** 2).sum()) / 2 * n / (n - 1)
    return float(mean[0]), float(mean[1]), float(np.sqrt(max(scatter, 1 / weight.sum())))


def _needed(chance: float, trials: float) -> int:
    """The number of common sources that chance gives with `IMPROBABLE` at most, in so many trials.

    The numbers that chance gives are Poisson's, whose tail from n on is below P(n) / (1 - chance / (n + 1)).
    """
    n = max(FEWEST, int(np.ceil(chance)))
    while trials * exp(n * log(max(chance, 1e-12)) - chance - lgamma(n + 1)) / (1 - chance / (n + 1)) > IMPROBABLE:
        n += 1
    return n
