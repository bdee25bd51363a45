"""Chooses which overlapping exposures are compared: of each those that it overlaps most, and no group torn apart.

Time grows with the number of exposures, not with that of pairs that overlap.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Shapes = NDArray[Any]
"""(n,) geometries of shapely."""

LIKELY = 4
"""How many others of an exposure are looked at for each partner that it should have: those whose boxes share most."""
LEAST_OVERLAP = 4.0
"""Square arcsec in which two exposures may have common sources."""
_AT_ONCE = 256


class Common(NamedTuple):
    """What two outlines have in common, and its area; `pair` are their indices."""

    pair: tuple[int, int]
    common: shapely.Geometry
    area: float


def choose_partners(outlines: Shapes, partners: int, known: Collection[tuple[int, int]] = ()) -> list[Common]:
    """Of each outline its `partners` largest overlaps at least, and what else connects those that overlap.

    `outlines` are in a plane, arcsec. `known` pairs, of indices with the lower first, are compared already: they count,
    and are left out. Equal overlaps are taken in the order of outlines, so the choice can be repeated.
    """
    graph = _Graph(len(outlines))
    for i, j in sorted(known):
        graph.add(i, j)
    chosen = []
    for one in _largest_first(outlines, _likely_pairs(outlines, LIKELY * partners)):
        if one.pair not in known and graph.wants(*one.pair, partners):
            graph.add(*one.pair)
            chosen.append(one)
    for one in _largest_first(outlines, _pairs_between(outlines, graph.groups())):
        if graph.would_join(*one.pair):
            graph.add(*one.pair)
            chosen.append(one)
    return chosen


def _largest_first(outlines: Shapes, pairs: Int) -> Iterator[Common]:
    """The pairs that overlap by `LEAST_OVERLAP` at least; equal ones in the order of indices."""
    common = shapely.intersection(outlines[pairs[:, 0]], outlines[pairs[:, 1]])
    areas = shapely.area(common).round(3)
    for n in np.lexsort((pairs[:, 1], pairs[:, 0], -areas)).tolist():
        if areas[n] < LEAST_OVERLAP:
            return
        i, j = pairs[n].tolist()
        yield Common((i, j), common[n], float(areas[n]))


def _likely_pairs(outlines: Shapes, likely: int) -> Int:
    """(n, 2): of each outline the `likely` that it may overlap most, by the boxes around both."""
    found = [np.empty((0, 2), np.int64)]
    for i, j, shared in _meeting_boxes(outlines):
        order = np.lexsort((j, -shared, i))
        rank = np.arange(i.size) - np.searchsorted(i[order], i[order])  # among the pairs of one outline
        kept = order[rank < likely]
        found.append(np.sort(np.column_stack([i[kept], j[kept]]), axis=1))
    pairs: Int = np.unique(np.concatenate(found), axis=0)
    return pairs


def _pairs_between(outlines: Shapes, group: Int) -> Int:
    """(n, 2): pairs of outlines of different groups whose boxes meet."""
    found = [np.empty((0, 2), np.int64)]
    if np.any(group != group[0]):
        for i, j, _ in _meeting_boxes(outlines):
            apart = (i < j) & (group[i] != group[j])
            found.append(np.column_stack([i[apart], j[apart]]))
    return np.concatenate(found)


def _meeting_boxes(outlines: Shapes) -> Iterator[tuple[Int, Int, Float]]:
    """Pairs of outlines whose boxes meet, each both ways, and the area that boxes share; some outlines at a time."""
    tree, box = shapely.STRtree(outlines), shapely.bounds(outlines)
    for start in range(0, len(outlines), _AT_ONCE):
        i, j = tree.query(outlines[start : start + _AT_ONCE])
        i = i + start
        i, j = i[i != j], j[i != j]
        sides = np.minimum(box[i, 2:], box[j, 2:]) - np.maximum(box[i, :2], box[j, :2])
        yield i, j, sides.prod(axis=1)


class _Graph:
    """Which of n things are connected, and how many partners each has."""

    def __init__(self, n: int) -> None:
        self.partners = [0] * n
        self._root = list(range(n))

    def groups(self) -> Int:
        """(n,): a number for each thing, the same for those that are connected."""
        return np.array([self._find(one) for one in range(len(self._root))], np.int64)

    def wants(self, i: int, j: int, partners: int) -> bool:
        """Whether a pair would connect what is apart, or one of both has fewer partners than it should have."""
        return self.would_join(i, j) or min(self.partners[i], self.partners[j]) < partners

    def _find(self, one: int) -> int:
        while self._root[one] != one:
            self._root[one] = self._root[self._root[one]]
            one = self._root[one]
        return one

    def would_join(self, i: int, j: int) -> bool:
        return self._find(i) != self._find(j)

    def add(self, i: int, j: int) -> None:
        self._root[self._find(i)] = self._find(j)
        self.partners[i] += 1
        self.partners[j] += 1
