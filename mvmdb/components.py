"""Connected components of graphs: which things pairs connect, directly or through others."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Int = NDArray[np.int64]
T = TypeVar("T", bound=Hashable)


def lowest_connected(n: int, first: Int, second: Int) -> Int:
    """(n,): for each of n things, the lowest number of those that pairs (m,), (m,) connect it with, or its own."""
    label: Int = np.arange(n, dtype=np.int64)
    while True:
        lowest = np.minimum(label[first], label[second])
        settled = label.copy()
        np.minimum.at(settled, label[first], lowest)  # the label's owner learns it too, so chains halve at each turn
        np.minimum.at(settled, label[second], lowest)
        settled = settled[settled]
        if np.array_equal(settled, label):
            return label
        label = settled


def label_components(n: int, first: Int, second: Int) -> Int:
    """(n,): for each of n things, the number of its component, from 0 in the order of their lowest things."""
    return np.asarray(np.unique(lowest_connected(n, first, second), return_inverse=True)[1], dtype=np.int64)


def group_connected(items: Iterable[T], pairs: Iterable[tuple[T, T]]) -> list[list[T]]:
    """Groups of items that pairs connect, in the order of items; pairs with anything else connect nothing."""
    number = {item: index for index, item in enumerate(items)}
    ends = [(number[a], number[b]) for a, b in pairs if a in number and b in number]
    first, second = np.array(ends, dtype=np.int64).reshape(-1, 2).T
    groups: dict[int, list[T]] = {}
    for item, label in zip(number, lowest_connected(len(number), first, second).tolist(), strict=True):
        groups.setdefault(label, []).append(item)
    return list(groups.values())
