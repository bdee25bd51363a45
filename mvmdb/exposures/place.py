"""The sky cells that files overlap, and why others are in none; which may enter layers is not decided here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mvmdb.names import CellId
from mvmdb.records import Dataset, Rule
from mvmdb.sky.membership import match_each_region


class Places(NamedTuple):
    """Where files lie: places in the sequence of files, by sky cell; and why the others are in none, by their place."""

    cells: dict[CellId, list[int]]
    unplaced: dict[int, str]


def find_places(datasets: Sequence[Dataset], rule: Rule) -> Places:
    """The sky cells that each file's exposure overlaps, in order; whatever one file does, the others are placed."""
    matched, unplaced = match_each_region([dataset.exposure.s_region for dataset in datasets], rule)
    for index, dataset in enumerate(datasets):
        if not dataset.exposure.s_region:
            unplaced[index] = "; ".join(refusal.finding for refusal in dataset.exposure.refusals) or "no footprint"
    cells: dict[CellId, list[int]] = {}
    for index, cell in zip(matched.exposure.tolist(), matched.cell_index.tolist(), strict=True):
        cells.setdefault(CellId.from_index(cell), []).append(index)
    return Places(dict(sorted(cells.items())), unplaced)
