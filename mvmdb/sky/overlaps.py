"""Which exposures overlap: pairs, the components that they connect, and how many lie on a pixel of another.

Exposures overlap somewhere in a sky cell that both are in, so all is done cell by cell, in the plane of each.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import shapely

from mvmdb.components import group_connected
from mvmdb.names import CELLS_PER_PROJECTION_CELL
from mvmdb.sky.footprints import Footprints, IntArray
from mvmdb.sky.layer import Shapes, project_exposures

_AT_ONCE = 256

Names = tuple[str, str]
Choose = Callable[[Sequence[str], Shapes, Collection[Names]], Iterable[tuple[int, int]]]
"""Chooses pairs of overlapping exposures, as indices in these names (sorted) and their footprints in one plane, so that
what overlaps is connected. The last are pairs that are known to say nothing, for which others are to be chosen."""


class Overlap(NamedTuple):
    """Two exposures that overlap, the first the lower, and the first sky cell (key) that both are in."""

    first: str
    second: str
    cell: int


def find_overlaps(
    cells: Mapping[int, Sequence[str]],
    regions: Mapping[str, str],
    choose: Choose,
    silent: Collection[Names] = (),
) -> list[Overlap]:
    """Pairs of exposures that overlap, sorted, as `choose` chooses them in each sky cell.

    `cells` lists the exposures (ipppssoo) of each sky cell (key), `regions` has the `s_region` of each. `silent`: pairs
    (the lower name first) that say nothing.
    """
    found: dict[Names, int] = {}
    for cell, names, shapes in _project(cells, regions):
        for i, j in choose(names, shapes, silent):
            first, second = sorted((names[i], names[j]))
            found.setdefault((first, second), cell)
    return [Overlap(first, second, cell) for (first, second), cell in sorted(found.items())]


def count_overlapping(cells: Mapping[int, Sequence[str]], regions: Mapping[str, str]) -> dict[str, int]:
    """How many others may lie on a pixel of an exposure at most, by name: those whose bounding boxes meet in a cell.

    All that lie on a pixel are in its sky cell, so the largest number of any cell bounds them.
    """
    counts = dict.fromkeys(regions, 0)
    for _, names, shapes in _project(cells, regions):
        tree = shapely.STRtree(shapes)
        for start in range(0, len(names), _AT_ONCE):
            some = shapes[start : start + _AT_ONCE]
            numbers: IntArray = np.bincount(tree.query(some)[0], minlength=len(some))
            for name, number in zip(names[start : start + _AT_ONCE], numbers.tolist(), strict=True):
                counts[name] = max(counts[name], number - 1)
    return counts


def _project(cells: Mapping[int, Sequence[str]], regions: Mapping[str, str]) -> Iterator[tuple[int, list[str], Shapes]]:
    """Each sky cell, its exposures sorted, and their footprints in the plane of its projection cell."""
    for cell in sorted(cells):
        names = sorted(cells[cell])
        footprints = Footprints.from_regions([regions[name] for name in names])
        yield cell, names, project_exposures(cell // CELLS_PER_PROJECTION_CELL, footprints)


def find_components(names: Sequence[str], overlaps: Sequence[Overlap]) -> list[list[str]]:
    """The exposures in components of directly or indirectly overlapping ones; all are sorted."""
    return sorted(group_connected(sorted(names), [(overlap.first, overlap.second) for overlap in overlaps]))
