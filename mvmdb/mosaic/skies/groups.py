"""Groups of items that pairs connect."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


def connect(items: Iterable[T], pairs: Iterable[tuple[T, T]]) -> list[list[T]]:
    """Groups of items that pairs connect, directly or through other items, in the given order.

    Pairs with anything else connect nothing.
    """
    root = {item: item for item in items}

    def find(item: T) -> T:
        while root[item] != item:
            root[item] = root[root[item]]
            item = root[item]
        return item

    for first, second in pairs:
        if first in root and second in root:
            root[find(first)] = find(second)
    groups: dict[T, list[T]] = {}
    for item in root:
        groups.setdefault(find(item), []).append(item)
    return list(groups.values())
