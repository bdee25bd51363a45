"""Which exposures are compared: of a few all that overlap, of many a sparse graph that is connected as all pairs are.

An exposure's noise is the same in all pairs in which the same of its pixels are compared, so many pairs determine
skies hardly better than a few (tests/mosaic/skies/test_precision.py). Each exposure is compared with those that it
overlaps most, and with one farther away, since errors add up along a chain of neighbours. Where that leaves the graph
in parts that overlap, the strongest overlaps between them are added.

Nothing here looks at all pairs: those that may overlap most are neighbours on a curve that fills the plane. The choice
depends on names and outlines, not on the order in which exposures are given.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from mvmdb.components import group_connected
from mvmdb.mosaic.skies.source import SkySource

FEW = 8
"""Of so many exposures, all overlapping pairs are compared."""
BEST = 4
"""With how many exposures, of those that it overlaps most, each one is compared."""
FAR_OVERLAP = 0.5
"""The least part of an exposure that a farther one must overlap to be compared with it."""
NEAR = 6
"""How many places before and after it on each curve are looked at for an exposure's largest overlaps."""
TURNS = (0.0, 0.5, 1.0)
"""Angles (radians) of the curves: what one of them parts, another joins."""
FAR_STEPS = tuple(8 * 4**n for n in range(12))
"""How many places farther on the first curve the farther exposures are."""
_CURVE_BITS = 16

Shapes = NDArray[np.object_]
Int = NDArray[np.int64]
Float = NDArray[np.float64]
Names = tuple[str, str]


def choose_pairs(
    sources: Sequence[SkySource], unknown: Collection[str], silent: Collection[Names] = ()
) -> set[tuple[int, int]]:
    """The pairs to be compared, as indices in `sources`, the one of the lower name first.

    They connect all `unknown` exposures that overlap, directly or through others, and each of them with up to `BEST`
    others, whose skies are known. `silent` are pairs (of names, the lower first) that were compared and said nothing,
    for which others are chosen.
    """
    order = sorted(range(len(sources)), key=lambda i: sources[i].ipppssoo)
    names = [sources[i].ipppssoo for i in order]
    shapes = np.empty(len(order), dtype=object)
    shapes[:] = [shapely.union_all(sources[i].outlines) for i in order]
    shapely.prepare(shapes)
    overlaps = _Overlaps(shapes, names, silent)
    is_unknown = np.array([name in unknown for name in names], dtype=np.bool_)
    chosen = _among(overlaps, np.flatnonzero(is_unknown))
    known = np.flatnonzero(~is_unknown)
    if known.size:
        chosen |= _best(overlaps, np.flatnonzero(is_unknown), known)
    return {(order[i], order[j]) for i, j in chosen}


def choose_overlapping(names: Sequence[str], shapes: Shapes, silent: Collection[Names] = ()) -> list[tuple[int, int]]:
    """The same of exposures of which no sky is known, by their names (sorted) and footprints in one plane; sorted."""
    shapely.prepare(shapes)
    return sorted(_among(_Overlaps(shapes, names, silent), np.arange(len(names))))


def along_curve(shapes: Shapes, turn: float = 0.0) -> Int:
    """Indices of shapes in an order in which those near each other in the plane are mostly near (Morton's curve)."""
    bounds = shapely.bounds(shapes)
    x, y = (bounds[:, 0] + bounds[:, 2]) / 2, (bounds[:, 1] + bounds[:, 3]) / 2
    places = np.stack([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)])
    places -= places.min(axis=1, keepdims=True)
    scaled = (places * ((1 << _CURVE_BITS) - 1) / max(float(places.max()), 1.0)).astype(np.int64)
    code = np.zeros(len(shapes), np.int64)
    for bit in range(_CURVE_BITS):
        code |= ((scaled[0] >> bit) & 1) << (2 * bit) | ((scaled[1] >> bit) & 1) << (2 * bit + 1)
    return np.argsort(code, kind="stable")


class _Overlaps:
    """Areas of overlaps of exposures, sorted by name; that of a silent pair is 0."""

    def __init__(self, shapes: Shapes, names: Sequence[str], silent: Collection[Names]) -> None:
        self.shapes, self.names = shapes, names
        number = {name: i for i, name in enumerate(names)}
        pairs = [(number[a], number[b]) for a, b in silent if a in number and b in number]
        self._silent = np.array(sorted(_key(i, j, len(names)) for i, j in pairs), np.int64)

    def areas(self, i: Int, j: Int) -> Float:
        """(n,) of the overlaps of exposures i and j, in canvas pixels."""
        areas = np.zeros(i.size)
        allowed = (i != j) & ~np.isin(np.minimum(i, j) * len(self.names) + np.maximum(i, j), self._silent)
        touching = np.flatnonzero(allowed)
        touching = touching[shapely.intersects(self.shapes[i[touching]], self.shapes[j[touching]])]
        areas[touching] = shapely.area(shapely.intersection(self.shapes[i[touching]], self.shapes[j[touching]]))
        return areas


def _key(i: int, j: int, n: int) -> int:
    return min(i, j) * n + max(i, j)


def _among(overlaps: _Overlaps, members: Int) -> set[tuple[int, int]]:
    if members.size <= FEW:
        i, j = (members[side] for side in np.triu_indices(members.size, 1))
        return _pairs(i, j, overlaps.areas(i, j) > 0.0)
    chosen = _best(overlaps, members, members) | _far(overlaps, members)
    while bridges := set(_bridges(overlaps, members, chosen)):
        chosen |= bridges
    return chosen


def _pairs(i: Int, j: Int, kept: NDArray[np.bool_]) -> set[tuple[int, int]]:
    return {(min(a, b), max(a, b)) for a, b in zip(i[kept].tolist(), j[kept].tolist(), strict=True)}


def _best(overlaps: _Overlaps, members: Int, others: Int) -> set[tuple[int, int]]:
    """For each member the `BEST` of others that it overlaps most, of equal ones those of the lowest names."""
    i, j = _candidates(overlaps.shapes, members, others)
    areas = overlaps.areas(i, j)
    order = np.lexsort((j, -areas, i))
    i, j, areas = i[order], j[order], areas[order]
    starts = np.concatenate([[0], np.cumsum(np.bincount(np.searchsorted(members, i), minlength=members.size))])
    rank = np.arange(i.size) - starts[np.searchsorted(members, i)]
    return _pairs(i, j, (rank < BEST) & (areas > 0.0))


def _candidates(shapes: Shapes, members: Int, others: Int) -> tuple[Int, Int]:
    """Pairs of a member and one of the others that may overlap most: all of a few, else neighbours on the curves."""
    if others.size <= 2 * NEAR * len(TURNS):
        return np.repeat(members, others.size), np.tile(others, members.size)
    everyone = np.union1d(members, others)
    offsets = np.arange(-NEAR, NEAR + 1)
    found = []
    for turn in TURNS:
        place = np.empty(everyone.size, np.int64)
        place[along_curve(shapes[everyone], turn)] = np.arange(everyone.size)
        of_others = place[np.searchsorted(everyone, others)]
        in_order, of_members = others[np.argsort(of_others)], place[np.searchsorted(everyone, members)]
        at = np.searchsorted(np.sort(of_others), of_members)[:, None] + offsets
        inside = (at >= 0) & (at < others.size)
        found.append(
            np.repeat(members, offsets.size)[inside.ravel()] * len(shapes)
            + in_order[np.clip(at, 0, others.size - 1)][inside]
        )
    i, j = np.divmod(np.unique(np.concatenate(found)), len(shapes))
    return i, j


def _far(overlaps: _Overlaps, members: Int) -> set[tuple[int, int]]:
    """For each member one that is farther away and still overlaps it well: at another distance for each name."""
    order = members[along_curve(overlaps.shapes[members])]
    areas = shapely.area(overlaps.shapes[order])
    steps = [step for step in FAR_STEPS if step <= order.size // 2]
    if not steps:
        return set()
    partners = np.stack([np.roll(order, -step) for step in steps], axis=1)
    shared = overlaps.areas(np.repeat(order, len(steps)), partners.ravel()).reshape(partners.shape)
    chosen = set()
    for i, found, enough in zip(order.tolist(), partners, shared >= FAR_OVERLAP * areas[:, None], strict=True):
        valid = found[enough].tolist()
        if valid:
            j = valid[zlib.crc32(overlaps.names[i].encode()) % len(valid)]
            chosen.add((min(i, j), max(i, j)))
    return chosen


def _bridges(overlaps: _Overlaps, members: Int, chosen: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """For each part of the graph, one pair with each other part that it overlaps: a strong one."""
    parts = group_connected(members.tolist(), chosen)
    if len(parts) == 1:
        return
    unions = np.array([shapely.union_all(overlaps.shapes[part]) for part in parts], dtype=object)
    touching = shapely.STRtree(unions).query(unions, predicate="intersects").T
    for a, b in touching[touching[:, 0] < touching[:, 1]].tolist():
        pair = _strong_pair(overlaps, parts[a], parts[b], unions[b])
        if pair is not None:
            yield pair


def _strong_pair(
    overlaps: _Overlaps, part: list[int], other: list[int], union: shapely.Geometry
) -> tuple[int, int] | None:
    """The exposure that overlaps the other part most, and the one there that it overlaps most; None if none does."""
    members, others = np.array(part), np.array(other)
    shared = shapely.area(shapely.intersection(overlaps.shapes[members], union))
    for i in members[np.argsort(-shared, kind="stable")][: np.count_nonzero(shared > 0.0)].tolist():
        areas = overlaps.areas(np.full(others.size, i), others)
        if areas.max() > 0.0:
            j = int(others[areas.argmax()])
            return min(i, j), max(i, j)
    return None
