"""The sky of overlapping exposures, measured in the overlap of each pair. solve.py derives the skies from it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from mvmdb.exposures.fits.pixels import ChipData
from mvmdb.mosaic.drizzle.chips import blame_member, brightness_per_unit, good_pixels, read_member_chips
from mvmdb.mosaic.drizzle.raster import fill_mask, polygon_rings, scan_rings
from mvmdb.mosaic.grid import LayerGrid
from mvmdb.mosaic.skies.clipping import clipped_median
from mvmdb.mosaic.skies.source import MeasurePairs, SkySource, to_detector
from mvmdb.recipe import Recipe
from mvmdb.records import SkyPair
from mvmdb.workers.background import map_in_threads

EDGE_STEP = 32.0
"""Longest piece of an overlap's border, in output pixels: a straight piece of this length on the sky is straight on the
detector to a few hundredths of a pixel."""

REFERENCES = 4
"""How many members of known sky a new one is compared with. The median of one overlap is good to a thousandth of
a pixel's noise, and a few of them average out the differences between flat fields."""


def find_neighbours(sources: Sequence[SkySource], unknown: Collection[str]) -> dict[int, list[int]]:
    """Which sources are compared with which, by index in `sources`: each `unknown` one with those that it overlaps.

    Known skies are all on one level, so an unknown one is compared with only the `REFERENCES` known ones that it
    overlaps most: the cost of a new member does not depend on how many there are.
    """
    if not unknown:
        return {}
    neighbours: dict[int, set[int]] = {}
    whole = [shapely.union_all(source.outlines) for source in sources]
    tree = shapely.STRtree(whole)
    unknown_indices = [i for i, source in enumerate(sources) if source.ipppssoo in unknown]
    pairs = tree.query([whole[i] for i in unknown_indices], predicate="intersects").T.tolist()
    known: dict[int, list[int]] = {}
    for k, j in pairs:
        i = unknown_indices[k]
        if i != j and sources[j].ipppssoo in unknown:
            neighbours.setdefault(i, set()).add(j)
        elif i != j:
            known.setdefault(i, []).append(j)
    for i, overlapping in known.items():
        shared = shapely.intersection(whole[i], [whole[j] for j in overlapping])
        areas = dict(zip(overlapping, shapely.area(shared), strict=True))
        for j in sorted(overlapping, key=lambda j: (-areas[j], sources[j].ipppssoo))[:REFERENCES]:
            neighbours.setdefault(i, set()).add(j)
            neighbours.setdefault(j, set()).add(i)
    return {i: sorted(neighbours[i]) for i in sorted(neighbours)}


def find_pairs(
    sources: Sequence[SkySource],
    unknown: Collection[str],
    known: Mapping[tuple[str, str], SkyPair],
    measure: MeasurePairs,
) -> tuple[list[SkyPair], list[SkyPair]]:
    """(the pairs from which the skies of `unknown` sources follow, those of them that had to be measured)."""
    wanted = {}
    for i, overlapping in find_neighbours(sources, unknown).items():
        for j in overlapping:
            first, second = sorted((i, j), key=lambda n: sources[n].ipppssoo)
            wanted[sources[first].ipppssoo, sources[second].ipppssoo] = (first, second)
    measured = measure([pair for names, pair in sorted(wanted.items()) if names not in known])
    return sorted([*known.values(), *measured], key=lambda pair: (pair.first, pair.second)), measured


def neighbours_of(pairs: Collection[tuple[int, int]]) -> dict[int, list[int]]:
    """With which others each source is in a pair."""
    neighbours: dict[int, list[int]] = {}
    for i, j in pairs:
        neighbours.setdefault(i, []).append(j)
        neighbours.setdefault(j, []).append(i)
    return {i: sorted(neighbours[i]) for i in sorted(neighbours)}


def measure_pairs(
    sources: Sequence[SkySource],
    neighbours: Mapping[int, Sequence[int]],
    grid: LayerGrid,
    recipe: Recipe,
    threads: int = 1,
) -> list[SkyPair]:
    """The sky of both exposures of each pair in their overlap; `neighbours` are those of `find_neighbours`.

    Each exposure's pixels are read once; one chip per thread is in memory at a time. A pair has 0 pixels where none
    are good.
    """
    measured: dict[tuple[int, int], tuple[float, int]] = {}

    def measure(i: int) -> dict[tuple[int, int], tuple[float, int]]:
        with blame_member(sources[i].ipppssoo):
            return _measure_exposure(i, neighbours[i], sources, grid, recipe)

    for medians in map_in_threads(measure, neighbours, threads):
        measured.update(medians)
    return [
        SkyPair(sources[i].ipppssoo, sources[j].ipppssoo, *_interleave(measured[i, j], measured[j, i]))
        for (i, j) in sorted(measured)
        if i < j
    ]


def _measure_exposure(
    index: int, neighbours: Sequence[int], sources: Sequence[SkySource], grid: LayerGrid, recipe: Recipe
) -> dict[tuple[int, int], tuple[float, int]]:
    """For one exposure, its (sky, pixels) inside the overlap with each of its neighbours: chips weighted by pixels."""
    totals = dict.fromkeys(neighbours, (0.0, 0))
    source = sources[index]
    chips = read_member_chips(
        source.path, source.ipppssoo, recipe.used_bits, alternate=source.alternate, photflam=source.photflam
    )
    for chip, outline in zip(chips, source.outlines, strict=True):
        good = good_pixels(chip, recipe.sky_good_bits)
        for j in neighbours:
            for neighbour_outline in sources[j].outlines:
                overlap = shapely.intersection(outline, neighbour_outline)
                measured = _median_inside(chip, good, overlap, grid, recipe)
                if measured is not None:
                    total, pixels = totals[j]
                    totals[j] = total + measured[0] * measured[1], pixels + measured[1]
    return {(index, j): (total / max(pixels, 1), pixels) for j, (total, pixels) in totals.items()}


def _median_inside(
    chip: ChipData, good: NDArray[np.bool_], overlap: shapely.Geometry, grid: LayerGrid, recipe: Recipe
) -> tuple[float, int] | None:
    if overlap.area <= 0.0:
        return None
    shape = chip.science.shape
    rings = [to_detector(ring, chip.wcs, grid) for ring in polygon_rings(shapely.segmentize(overlap, EDGE_STEP))]
    mask = fill_mask(scan_rings(rings, (shape[0], shape[1])), (shape[0], shape[1]))
    lowest = recipe.sky_lower * chip.factor  # it is a limit of stored values
    clipped = clipped_median(chip.science[mask & good], lowest, recipe.sky_clips, recipe.sky_sigma)
    if clipped is None:
        return None
    return clipped[0] * brightness_per_unit(chip, recipe.sky_units), clipped[1]


def _interleave(first: tuple[float, int], second: tuple[float, int]) -> tuple[float, float, int, int]:
    return first[0], second[0], first[1], second[1]
