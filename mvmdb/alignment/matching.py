"""Which sources of two lists are the same: a first shift by tweakwcs, then nearest neighbours ever closer.

Cosmic rays and noise match nothing, or by chance; what chance would give is computed and must be clearly exceeded.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvmdb.alignment.values import Fit

Float = NDArray[np.float64]
Int = NDArray[np.intp]

SEARCH = 2.0
"""arcsec: the largest shift that is looked for. Guide stars place exposures to about 1 arcsec."""
RADII = (0.25, 0.15, 0.1, 0.06)
"""arcsec: how close a source must be to its match, from step to step. A roll of 0.1 degrees moves the edge of a camera
by 0.17 arcsec, which the first step allows."""
SURENESS = 5.0
"""By how many of its standard deviations the number of matches must exceed that of chance matches."""
_BIN = 0.05  # arcsec: of the histogram of shifts; SEARCH is a multiple
_SEPARATION = 0.2  # arcsec: closer sources are not told apart
_BRIGHTEST = 1000  # sources that the first shift is found with


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Indices of the same sources in two lists; `chance` is the number of matches that unrelated lists would have."""

    first: Int
    second: Int
    chance: float

    def __len__(self) -> int:
        return len(self.first)

    def needed(self, fewest: int) -> int:
        """How many matches there must be to be believed."""
        return max(fewest, int(np.ceil(self.chance + SURENESS * np.sqrt(self.chance + 0.01))))


NONE = Matches(np.empty(0, np.intp), np.empty(0, np.intp), 0.0)


def match_lists(first: Float, second: Float, fit: Fit) -> Matches:
    """Match (n, 2) and (m, 2) positions of a tangent plane, in arcsec and brightest first.

    They differ by a shift of up to `SEARCH`, and a roll and a scale as `fit` says.
    """
    first_near, second_near = _common(first, second), _common(second, first)
    if not len(first_near) or not len(second_near):
        return NONE
    a, b = first[first_near], second[second_near]
    moved = _first_motion(a, b)
    if moved is None:
        return NONE
    pairs = np.empty((2, 0), np.intp)
    for radius in RADII:
        pairs = _nearest(moved, b, radius)
        if pairs.shape[1] < 3:
            return NONE
        moved = _fitted(a, b, pairs, fit)
    pairs = _nearest(moved, b, RADII[-1])
    return Matches(first_near[pairs[0]], second_near[pairs[1]], _by_chance(a, b, RADII[-1]))


def _common(points: Float, others: Float) -> Int:
    """Indices of the points within reach of the box around the others."""
    if not len(others):
        return np.empty(0, np.intp)
    low, high = others.min(axis=0) - SEARCH, others.max(axis=0) + SEARCH
    return np.flatnonzero(((points >= low) & (points <= high)).all(axis=1))


def _first_motion(a: Float, b: Float) -> Float | None:
    """`a` shifted onto `b` as the histogram of all differences says; None where nothing matches."""
    from astropy.table import Table
    from tweakwcs import MatchSourceConfusionError, XYXYMatch

    tables = [Table({"TPx": xy[:_BRIGHTEST, 0], "TPy": xy[:_BRIGHTEST, 1]}) for xy in (a, b)]
    match = XYXYMatch(searchrad=SEARCH, separation=_SEPARATION, use2dhist=True, tolerance=RADII[0])
    try:
        with _quiet():
            in_b, in_a = match(tables[1], tables[0], tp_pscale=_BIN, tp_units="arcsec")
    except (MatchSourceConfusionError, ValueError, RuntimeError):  # nothing left after close sources are removed
        return None
    if len(in_a) < 3:
        return None
    shift: Float = np.median(b[in_b] - a[in_a], axis=0)
    return a + shift


def _nearest(a: Float, b: Float, radius: float) -> Int:
    """(2, n): the pairs of which each is the other's nearest neighbour, within a radius."""
    from scipy.spatial import KDTree

    to_b, to_a = KDTree(b).query(a, distance_upper_bound=radius), KDTree(a).query(b, distance_upper_bound=radius)
    index = np.flatnonzero(np.isfinite(to_b[0]))
    mutual = to_a[1][to_b[1][index]] == index
    return np.stack([index[mutual], to_b[1][index[mutual]]])


def _fitted(a: Float, b: Float, pairs: Int, fit: Fit) -> Float:
    """`a` after the motion that puts its matches onto those in `b` best, without outliers."""
    from tweakwcs import iter_linear_fit

    geometry = fit if pairs.shape[1] > 5 else "shift"
    with _quiet():
        done = iter_linear_fit(b[pairs[1]], a[pairs[0]], fitgeom=geometry, nclip=5, sigma=(3.0, "mad"))
    centre = np.asarray(done["center"], dtype=np.float64)
    matrix, shift = (np.asarray(done[key], dtype=np.float64) for key in ("matrix", "shift"))
    return (a - centre) @ matrix.T + shift + centre


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to itself what tweakwcs logs of each pair: ten lines, some of them warnings of what is dealt with here."""
    logger, handler = logging.getLogger("tweakwcs"), logging.NullHandler()
    before = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.propagate = before
        logger.removeHandler(handler)


def _by_chance(a: Float, b: Float, radius: float) -> float:
    """How many of `a` would have a neighbour in `b` if `b` were spread evenly over the box that it fills."""
    sides = np.ptp(b, axis=0)
    area = max(float(sides[0] * sides[1]), 1.0)
    low, high = b.min(axis=0), b.max(axis=0)
    inside = np.count_nonzero(((a >= low) & (a <= high)).all(axis=1))
    return float(inside * (1.0 - np.exp(-len(b) * np.pi * radius**2 / area)))
