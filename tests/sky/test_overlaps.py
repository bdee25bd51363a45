"""Overlapping exposures: pairs across sky cells, components, and how many lie on one another."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from itertools import combinations

import numpy as np
import pytest
import shapely

from mvmdb.sky.layer import Shapes
from mvmdb.sky.membership import match_each_region
from mvmdb.sky.overlaps import Overlap, count_overlapping, find_components, find_overlaps

SIDE = 0.01
"""Degrees of a footprint."""


def square(ra: float, dec: float) -> str:
    half = SIDE / 2
    width = half / math.cos(math.radians(dec))
    corners = [(ra - width, dec - half), (ra + width, dec - half), (ra + width, dec + half), (ra - width, dec + half)]
    return "POLYGON ICRS " + " ".join(f"{value:.9f}" for corner in corners for value in corner)


def place(regions: dict[str, str]) -> dict[int, list[str]]:
    """The exposures of each sky cell."""
    names, cells = sorted(regions), {}
    matched, _ = match_each_region([regions[name] for name in names], "overlap")
    for exposure, cell in zip(matched.exposure.tolist(), matched.cell_index.tolist(), strict=True):
        cells.setdefault(cell, []).append(names[exposure])
    return cells


def every_pair(_names: Sequence[str], shapes: Shapes, _silent: Collection[tuple[str, str]]) -> list[tuple[int, int]]:
    """All pairs that share more than an edge: a square fine pixel or more."""
    pairs = combinations(range(len(shapes)), 2)
    return [(i, j) for i, j in pairs if shapely.area(shapely.intersection(shapes[i], shapes[j])) >= 1.0]


@pytest.mark.parametrize(("ra", "dec"), [(52.68, -26.0), (53.0, -27.9), (0.0, 0.0), (359.999, 40.0)])
def test_pairs_are_those_that_overlap_on_the_sky_wherever_cells_end(ra: float, dec: float) -> None:
    rng = np.random.default_rng(1)
    spots = rng.uniform(-10 * SIDE, 10 * SIDE, (60, 2))
    regions = {f"e{n:03d}": square(ra + x / math.cos(math.radians(dec)), dec + y) for n, (x, y) in enumerate(spots)}
    found = find_overlaps(place(regions), regions, every_pair)
    assert found == sorted(found)
    close = np.abs(spots[:, None] - spots[None]).max(axis=2)
    expected = {(f"e{i:03d}", f"e{j:03d}") for i, j in np.argwhere(close < SIDE * 0.97).tolist() if i < j}
    possible = {(f"e{i:03d}", f"e{j:03d}") for i, j in np.argwhere(close < SIDE * 1.03).tolist() if i < j}
    pairs = {(overlap.first, overlap.second) for overlap in found}
    assert expected <= pairs <= possible


def test_components_hang_together_through_others() -> None:
    links = [Overlap("a", "c", 1), Overlap("c", "d", 2), Overlap("e", "f", 1)]
    assert find_components(["f", "b", "e", "d", "c", "a"], links) == [["a", "c", "d"], ["b"], ["e", "f"]]
    assert find_components([], []) == []


def test_chosen_pairs_take_the_place_of_all() -> None:
    regions = {name: square(10.0 + n * SIDE / 4, 0.0) for n, name in enumerate("abcd")}
    asked: list[Collection[tuple[str, str]]] = []

    def chain(names: Sequence[str], _shapes: object, silent: Collection[tuple[str, str]]) -> list[tuple[int, int]]:
        asked.append(silent)
        return [(n + 1, n) for n in range(len(names) - 1)]

    found = find_overlaps(place(regions), regions, chain, {("a", "b")})
    assert [(overlap.first, overlap.second) for overlap in found] == [("a", "b"), ("b", "c"), ("c", "d")]
    assert all(silent == {("a", "b")} for silent in asked)
    assert len(find_overlaps(place(regions), regions, every_pair)) == 6
    assert count_overlapping(place(regions), regions) == dict.fromkeys("abcd", 3)
