"""Components of graphs, against a search from each thing."""

from __future__ import annotations

import numpy as np
import pytest

from mvmdb.components import group_connected, label_components, lowest_connected


def reached(n: int, pairs: list[tuple[int, int]]) -> list[set[int]]:
    near: list[set[int]] = [{i} for i in range(n)]
    for a, b in pairs:
        near[a].add(b)
        near[b].add(a)
    found = []
    for start in range(n):
        seen, todo = {start}, [start]
        while todo:
            fresh = near[todo.pop()] - seen
            seen |= fresh
            todo += fresh
        found.append(seen)
    return found


@pytest.mark.parametrize("n_pairs", [0, 5, 20, 60])
def test_components_are_what_a_search_reaches(n_pairs: int) -> None:
    n, rng = 40, np.random.default_rng(n_pairs)
    ends = rng.integers(0, n, (n_pairs, 2))
    pairs = [(int(a), int(b)) for a, b in ends]
    expected = reached(n, pairs)
    assert lowest_connected(n, *ends.T).tolist() == [min(seen) for seen in expected]
    labels = label_components(n, *ends.T).tolist()
    assert [labels[i] for i in sorted({min(seen) for seen in expected})] == list(range(max(labels) + 1))
    names = [f"{i:02d}" for i in reversed(range(n))]
    groups = group_connected(names, [(f"{a:02d}", f"{b:02d}") for a, b in pairs] + [("00", "no item"), ("x", "y")])
    assert sorted(name for group in groups for name in group) == sorted(names)
    assert {frozenset(int(name) for name in group) for group in groups} == {frozenset(seen) for seen in expected}
    assert all(group == sorted(group, reverse=True) for group in groups), "in the order of items"


def test_a_long_chain_is_one_component() -> None:
    n = 100_000
    order = np.random.default_rng(1).permutation(n)
    assert not lowest_connected(n, order[:-1], order[1:]).any()
    assert group_connected([], []) == []
