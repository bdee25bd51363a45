"""Which pairs are compared, on fields of squares."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
import shapely
from skysources import everything, scattered, squares

from mvmdb.components import group_connected
from mvmdb.mosaic.skies.choose import BEST, FEW, choose_pairs
from mvmdb.mosaic.skies.source import SkySource


def all_overlapping(sources: list[SkySource]) -> set[tuple[int, int]]:
    shapes = [source.outlines[0] for source in sources]
    pairs = shapely.STRtree(shapes).query(shapes, predicate="intersects").T.tolist()
    return {(i, j) for i, j in pairs if i < j and shapes[i].intersection(shapes[j]).area > 0}


def groups(n: int, pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    return sorted(sorted(group) for group in group_connected(range(n), pairs))


FIELDS = ["one field", "one place", "a strip", "a wide field", "three fields in a chain", "two fields apart"]


@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize("n", [FEW + 1, 40, 150])
def test_a_few_pairs_of_each_connect_what_all_pairs_connect_whatever_the_order(kind: str, n: int) -> None:
    sources = squares(scattered(kind, n))
    chosen, overlapping = choose_pairs(sources, everything(sources)), all_overlapping(sources)
    assert chosen <= overlapping
    assert len(chosen) <= (BEST + 2) * n
    assert groups(n, chosen) == groups(n, overlapping)
    shuffled = np.random.default_rng(1).permutation(n).tolist()
    again = choose_pairs([sources[k] for k in shuffled], everything(sources))
    assert {(shuffled[i], shuffled[j]) for i, j in again} == chosen


def test_of_a_few_all_overlapping_pairs_are_compared() -> None:
    sources = squares(scattered("a strip", FEW))
    assert choose_pairs(sources, everything(sources)) == all_overlapping(sources)
    assert choose_pairs(sources, set()) == set()


def test_each_is_compared_with_those_that_it_overlaps_most() -> None:
    sources = squares(np.column_stack([3.0 * np.arange(60), np.zeros(60)]))
    chosen = choose_pairs(sources, everything(sources))
    assert {(20, 18), (20, 19), (20, 21), (20, 22)} <= chosen | {(j, i) for i, j in chosen}


def test_a_new_one_is_compared_with_the_few_known_ones_that_it_overlaps_most() -> None:
    places = np.concatenate([np.column_stack([3.0 * np.arange(200), np.zeros(200)]), [[100.0, 0.0], [101.0, 0.0]]])
    sources = squares(places)
    chosen = choose_pairs(sources, {sources[200].ipppssoo, sources[201].ipppssoo})
    assert chosen == {
        *((i, 200) for i in (32, 33, 34, 35)), *((i, 201) for i in (32, 33, 34, 35)), (200, 201)
    }  # fmt: skip


def test_others_are_chosen_for_pairs_that_say_nothing() -> None:
    sources = squares(scattered("three fields in a chain", 60))
    silent: set[tuple[str, str]] = set()
    overlapping = all_overlapping(sources)
    for _ in range(3):
        chosen = choose_pairs(sources, everything(sources), silent)
        assert not silent & {(sources[i].ipppssoo, sources[j].ipppssoo) for i, j in chosen}
        assert groups(60, chosen) == groups(60, overlapping)
        silent |= {(sources[i].ipppssoo, sources[j].ipppssoo) for i, j in chosen if i // 20 != j // 20}
    every = {(sources[i].ipppssoo, sources[j].ipppssoo) for i, j in overlapping}
    assert choose_pairs(sources, everything(sources), every) == set()
