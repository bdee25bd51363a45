"""Skies of many exposures: the normal equations of their pairs by conjugate gradients, as sparse as the pairs are.

The matrix of the normal equations is the Laplacian of the graph of pairs. The iteration begins with the skies that the
pairs of a spanning tree give by themselves, which are those of all pairs but for their noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvmdb.errors import ProductError
from mvmdb.records import SkyPair

ACCURACY = 1e-13
"""How little the last correction of any sky is at the end, relative to the largest sky or offset."""

Float = NDArray[np.float64]
Int = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Equations:
    """`x[first] - x[second] = offset` with a `weight` each; where `fixed`, the value of x is known."""

    first: Int
    second: Int
    offset: Float
    weight: Float
    fixed: NDArray[np.bool_]

    def normal(self, x: Float) -> Float:
        """The matrix of the normal equations times x, 0 where x is known."""
        return self._gather(self.weight**2 * (x[self.first] - x[self.second]))

    def right(self) -> Float:
        """The right side of the normal equations."""
        return self._gather(self.weight**2 * self.offset)

    def diagonal(self) -> Float:
        """The diagonal of the matrix."""
        return self._sum(self.first, self.weight**2) + self._sum(self.second, self.weight**2)

    def _sum(self, places: Int, terms: Float) -> Float:
        return np.bincount(places, terms, self.fixed.size).astype(np.float64)

    def _gather(self, terms: Float) -> Float:
        gathered = self._sum(self.first, terms) - self._sum(self.second, terms)
        gathered[self.fixed] = 0.0
        return gathered


def solve_sparse(group: Sequence[str], pairs: Sequence[SkyPair], kept: Mapping[str, float]) -> dict[str, float]:
    """The skies of a group that pairs connect, matched to `kept` ones, or with the lowest at 0; as `solve_skies`.

    Raises ProductError if the equations cannot be solved: weights that differ by more than numbers have digits.
    """
    known = sorted({name for pair in pairs for name in (pair.first, pair.second)} - set(group))
    column = {name: n for n, name in enumerate((*group, *known))}
    equations = _Equations(
        np.array([column[pair.first] for pair in pairs]),
        np.array([column[pair.second] for pair in pairs]),
        np.array([pair.offset for pair in pairs]),
        np.array([pair.weight for pair in pairs]),
        np.arange(len(column)) >= len(group),
    )
    skies = np.zeros(len(column))
    skies[equations.fixed] = [kept[name] for name in known]
    _walk(equations, skies)
    solution = _iterate(equations, skies)[: len(group)]
    if not known:
        solution = solution - solution.min()
    return dict(zip(group, solution.tolist(), strict=True))


def _walk(equations: _Equations, skies: Float) -> None:
    """Set the unknown skies, in place, by the pairs of a spanning tree, the heaviest pairs first."""
    joined: dict[int, list[tuple[int, float]]] = {n: [] for n in range(skies.size)}
    root = list(range(skies.size))

    def find(n: int) -> int:
        while root[n] != n:
            root[n] = root[root[n]]
            n = root[n]
        return n

    fixed = np.flatnonzero(equations.fixed).tolist()
    for n in fixed[1:]:  # one root for all known skies
        root[n] = fixed[0]
    first, second, offset = equations.first.tolist(), equations.second.tolist(), equations.offset.tolist()
    for k in np.argsort(-equations.weight, kind="stable").tolist():
        i, j = find(first[k]), find(second[k])
        if i != j:
            root[i] = j
            joined[first[k]].append((second[k], -offset[k]))
            joined[second[k]].append((first[k], offset[k]))
    begin = fixed or [0]
    reached, seen = list(begin), set(begin)
    for n in reached:  # grows as it is walked
        for other, step in joined[n]:
            if other not in seen:
                seen.add(other)
                skies[other] = skies[n] + step
                reached.append(other)


def _iterate(equations: _Equations, skies: Float) -> Float:
    """Conjugate gradients with the diagonal as preconditioner (Hestenes & Stiefel 1952), from `skies`."""
    right = equations.right()
    inverse = np.where(equations.fixed, 0.0, 1.0 / equations.diagonal())
    largest = max(float(np.abs(skies).max()), float(np.abs(equations.offset).max()))
    x = skies.copy()
    residual = right - equations.normal(x)
    direction = preconditioned = inverse * residual
    product = float(residual @ preconditioned)
    for _ in range(20 * x.size + 100):
        if float(np.abs(preconditioned).max()) <= ACCURACY * largest:
            return x
        along = equations.normal(direction)
        step = product / float(direction @ along)
        x += step * direction
        residual -= step * along
        preconditioned = inverse * residual
        product, before = float(residual @ preconditioned), product
        direction = preconditioned + product / before * direction
    raise ProductError(
        f"the skies of {x.size} exposures do not converge; expected pairs of comparable errors; "
        "measure them again: mvmdb reconcile --resky"
    )
