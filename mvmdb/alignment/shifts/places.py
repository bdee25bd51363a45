"""Solves for the place of each exposure from the shifts of pairs: where it lies, against most of those it is tied to.

A pair says how far apart the places of two exposures are. All of them together are solved by weighted least squares,
in which pairs that contradict the others lose their weight; only differences are known, so each group of connected
exposures is then moved as a whole, until most of its best ones are where they should be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvmdb.components import lowest_connected
from mvmdb.layers.agreement import find_together

Float = NDArray[np.float64]
Complex = NDArray[np.complex128]
Int = NDArray[np.int64]

SYSTEMATIC = 0.01
"""Pixels: what a pair's error leaves out: distortion, and the shapes of sources in undersampled images."""
_SPREAD = 0.3
"""arcsec: how far exposures lie from their places at first sight. It is far more than any error of a pair, so it moves
no exposure, but over chains of hundreds it keeps errors from adding up."""
_ROUNDS = 8
_HUBER, _CAUCHY = 2.0, 3.0  # sigma from which a pair loses weight: first so that nothing can go wrong, then for good
_PRECISION = 1e-8  # arcsec
_MOST_STEPS = 3000


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Measured shifts of m pairs of exposures, which are numbered: how far the second lies from the first.

    `ra`, `dec`: the middle of the overlap, degrees. `dx`, `dy` to the east and north there, and `error`: arcsec.
    """

    first: Int
    second: Int
    ra: Float
    dec: Float
    dx: Float
    dy: Float
    error: Float


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where n exposures lie, (n,) each: `dx`, `dy` to the east and north of where their group has them, arcsec.

    `error` (arcsec, 1 sigma along one axis) is that of an exposure's own pairs. `group`: the lowest number of the
    exposures that pairs connect it with. `rank` is that of the exposures which its group is tied to.
    """

    dx: Float
    dy: Float
    error: Float
    group: Int
    rank: Int


def solve_places(ra: Float, dec: Float, pixel: Float, rank: Int, worst: int, pairs: Pairs) -> Places:
    """The places of n exposures, of which `ra`, `dec` are the middles (degrees) and `pixel` the pixels (arcsec).

    A group is tied to its exposures of the lowest `rank`, and of these to the ones that agree: the largest number that
    lie together. If there are as many elsewhere, those count that have the lower rank, then the lower number. Ranks
    from `worst` on are those of exposures that are tied to nothing: where no other is in a group, all of it counts.
    """
    n = len(ra)
    turns = tuple(_turn(ra[side], dec[side], pairs.ra, pairs.dec) for side in (pairs.first, pairs.second))
    links = _Links(n, pairs.first, pairs.second, *turns)
    shift = pairs.dx + 1j * pairs.dy
    sigma = np.hypot(pairs.error, SYSTEMATIC * np.maximum(pixel[pairs.first], pixel[pairs.second]))
    place, weight = np.zeros(n, dtype=np.complex128), sigma**-2
    for loss in (_huber, _cauchy) if len(sigma) else ():
        for _ in range(_ROUNDS):
            place = links.solve(place, weight, shift)
            weight = sigma**-2 * loss(np.abs(links.apart(place) - shift) / sigma)
    held = links.total(weight)
    error = np.where(held > 0, 1 / np.sqrt(np.where(held > 0, held, 1.0)), 0.0)
    group, tied = lowest_connected(n, pairs.first, pairs.second), np.empty(n, dtype=np.int64)
    for members in _members(group):
        tied[members] = lowest = min(int(rank[members].min()), worst)
        best = members[rank[members] == lowest] if lowest < worst else members
        centre = complex(place[best[find_together(place[best], pixel[best], rank[best])]].mean())
        middle = np.full(len(members), best[int(np.argmin(np.abs(place[best] - centre)))])
        place[members] -= centre * _turn(ra[middle], dec[middle], ra[members], dec[members])
    return Places(place.real, place.imag, error, group, tied)


def _members(group: Int) -> list[Int]:
    order = np.argsort(group, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(group[order])) + 1) if len(order) else []


def _turn(from_ra: Float, from_dec: Float, to_ra: Float, to_dec: Float) -> Complex:
    """(m,): the factor that makes of east + i north at one place the same direction at another one nearby."""
    east_from, north_from = _axes(from_ra, from_dec)
    east_to, north_to = _axes(to_ra, to_dec)
    cosine = (east_from * east_to).sum(axis=1) + (north_from * north_to).sum(axis=1)
    sine = (east_from * north_to).sum(axis=1) - (north_from * east_to).sum(axis=1)
    turn: Complex = (cosine + 1j * sine) / np.hypot(cosine, sine)
    return turn


def _axes(ra: Float, dec: Float) -> tuple[Float, Float]:
    """(m, 3) unit vectors to the east and to the north."""
    a, d = np.radians(ra), np.radians(dec)
    east = np.stack([-np.sin(a), np.cos(a), np.zeros_like(a)], axis=1)
    north = np.stack([-np.sin(d) * np.cos(a), -np.sin(d) * np.sin(a), np.cos(d)], axis=1)
    return east, north


@dataclass(frozen=True, slots=True, eq=False)
class _Links:
    """Which of n exposures m pairs connect, and how directions at either turn into those at the pair's place.

    Vectors are complex: east + i north.
    """

    n: int
    first: Int
    second: Int
    turn_first: Complex
    turn_second: Complex

    def apart(self, place: Complex) -> Complex:
        """(m,) how far the seconds lie from the firsts."""
        return self.turn_second * place[self.second] - self.turn_first * place[self.first]

    def total(self, weight: Float) -> Float:
        """(n,) the weight of each exposure's pairs."""
        both = np.bincount(self.first, weight, self.n) + np.bincount(self.second, weight, self.n)
        return both.astype(np.float64)

    def _gather(self, values: Complex) -> Complex:
        """(n,) the transpose of `apart`."""
        back = np.concatenate([-self.turn_first.conj() * values, self.turn_second.conj() * values])
        side = np.concatenate([self.first, self.second])
        total: Complex = np.bincount(side, back.real, self.n) + 1j * np.bincount(side, back.imag, self.n)
        return total

    def solve(self, start: Complex, weight: Float, shift: Complex) -> Complex:
        """The places (n,) that fit weighted shifts best: conjugate gradients, for which no matrix is made.

        Hestenes & Stiefel 1952, J. Res. NBS 49, 409, with the diagonal as preconditioner.
        """
        diagonal = self.total(weight) + _SPREAD**-2
        place = start.copy()
        missing = self._gather(weight * (shift - self.apart(place))) - place * _SPREAD**-2
        scaled = missing / diagonal
        direction, product = scaled.copy(), float(np.vdot(missing, scaled).real)
        for _ in range(_MOST_STEPS):
            if np.abs(scaled).max(initial=0.0) < _PRECISION:
                break
            change = self._gather(weight * self.apart(direction)) + direction * _SPREAD**-2
            step = product / float(np.vdot(direction, change).real)
            place += step * direction
            missing -= step * change
            scaled = missing / diagonal
            before, product = product, float(np.vdot(missing, scaled).real)
            direction = scaled + (product / before) * direction
        return place


def _huber(distance: Float) -> Float:
    weight: Float = np.minimum(1.0, _HUBER / np.maximum(distance, _HUBER))
    return weight


def _cauchy(distance: Float) -> Float:
    weight: Float = 1 / (1 + (distance / _CAUCHY) ** 2)
    return weight
