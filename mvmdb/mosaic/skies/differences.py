"""The pairs of a layer by differences of pixels: which pairs, and each exposure read as few times as memory allows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
import shapely

from mvmdb.mosaic.drizzle.chips import blame_member
from mvmdb.mosaic.grid import LayerGrid
from mvmdb.mosaic.skies.choose import along_curve, choose_pairs
from mvmdb.mosaic.skies.compare import SkyChip, compare_exposures, read_sky_chips
from mvmdb.mosaic.skies.source import MeasurePairs, SkySource
from mvmdb.recipe import Recipe
from mvmdb.records import SkyPair
from mvmdb.workers.background import map_in_threads

MEMORY_MB = 512
"""Memory for the pixels of exposures that wait for others, where a job has no limit."""

Names = tuple[str, str]


def find_sparse_pairs(
    sources: Sequence[SkySource], unknown: Collection[str], known: Mapping[Names, SkyPair], measure: MeasurePairs
) -> tuple[list[SkyPair], list[SkyPair]]:
    """(the pairs from which the skies of `unknown` sources follow, those of them that had to be measured).

    `known` pairs are not measured again. Where a pair says nothing, others are chosen that may connect its exposures.
    """
    pairs = dict(known)
    measured: list[SkyPair] = []
    silent: set[Names] = set()
    while True:
        chosen = {_names(sources, *pair): pair for pair in choose_pairs(sources, unknown, silent)}
        new = measure([pair for names, pair in sorted(chosen.items()) if names not in pairs])
        measured += new
        pairs |= {(pair.first, pair.second): pair for pair in new}
        unheard = {names for names in chosen if not pairs[names].speaks} - silent
        if not unheard:
            return [pairs[names] for names in sorted(chosen)], measured
        silent |= unheard


def measure_differences(
    sources: Sequence[SkySource],
    pairs: Collection[tuple[int, int]],
    grid: LayerGrid,
    recipe: Recipe,
    threads: int = 1,
    memory_mb: int = MEMORY_MB,
) -> list[SkyPair]:
    """The pairs of sources (by index, that of the lower name first), measured; sorted by name.

    Exposures that are read wait in at most `memory_mb` of memory for the others, two of them at least.
    """
    measured: list[SkyPair] = []
    shelf = _Shelf(sources, recipe, memory_mb * 1_000_000)
    for batch in _in_batches(sources, pairs, threads):
        chips = shelf.take(sorted({i for pair in batch for i in pair}), threads)

        def compare(pair: tuple[int, int], chips: Mapping[int, tuple[SkyChip, ...]] = chips) -> SkyPair:
            i, j = pair
            with blame_member(sources[i].ipppssoo):
                return compare_exposures(_names(sources, i, j), chips[i], chips[j], grid, recipe)

        measured += map_in_threads(compare, batch, threads if len(batch) > 1 else 1)
    return sorted(measured, key=lambda pair: (pair.first, pair.second))


def _names(sources: Sequence[SkySource], i: int, j: int) -> Names:
    return sources[i].ipppssoo, sources[j].ipppssoo


def _in_batches(
    sources: Sequence[SkySource], pairs: Collection[tuple[int, int]], size: int
) -> Iterator[list[tuple[int, int]]]:
    """The pairs so that those of exposures near each other come soon after each other, some with one in common."""
    wanted = sorted({i for pair in pairs for i in pair}, key=lambda i: sources[i].ipppssoo)
    if not wanted:
        return
    shapes = np.empty(len(wanted), dtype=object)
    shapes[:] = [shapely.union_all(sources[i].outlines) for i in wanted]
    place = {wanted[n]: at for at, n in enumerate(along_curve(shapes).tolist())}
    later: dict[int, list[tuple[int, int]]] = {}
    for pair in pairs:
        later.setdefault(min(pair, key=place.__getitem__), []).append(pair)
    for i in sorted(later, key=place.__getitem__):
        of_one = sorted(later[i], key=lambda pair: max(place[pair[0]], place[pair[1]]))
        for start in range(0, len(of_one), size):
            yield of_one[start : start + size]


class _Shelf:
    """Exposures that were read and may be needed again; the one not used for longest leaves first."""

    def __init__(self, sources: Sequence[SkySource], recipe: Recipe, size: int) -> None:
        self._sources, self._recipe, self._size = sources, recipe, size
        self._chips: OrderedDict[int, tuple[SkyChip, ...]] = OrderedDict()

    def take(self, wanted: Sequence[int], threads: int) -> Mapping[int, tuple[SkyChip, ...]]:
        """The chips of some exposures by their index, read if they are not there."""
        for i in wanted:
            if i in self._chips:
                self._chips.move_to_end(i)
        missing = [i for i in wanted if i not in self._chips]
        self._make_room(len(missing), set(wanted))
        for i, chips in zip(missing, map_in_threads(self._read, missing, min(threads, len(missing) or 1)), strict=True):
            self._chips[i] = chips
        return {i: self._chips[i] for i in wanted}

    def _read(self, i: int) -> tuple[SkyChip, ...]:
        with blame_member(self._sources[i].ipppssoo):
            return read_sky_chips(self._sources[i], self._recipe)

    def _make_room(self, n: int, wanted: set[int]) -> None:
        """Let exposures leave until there is room for n more of the largest size seen."""
        sizes = {i: sum(chip.brightness.nbytes for chip in chips) for i, chips in self._chips.items()}
        total, largest = sum(sizes.values()), max(sizes.values(), default=0)
        for i in [i for i in self._chips if i not in wanted]:
            if total + n * largest <= self._size:
                return
            total -= sizes[i]
            del self._chips[i]
