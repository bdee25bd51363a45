"""How the sky cells of a projection cell are shared out to files: whole cells in order, until a file is full."""

from __future__ import annotations

from collections.abc import Sequence


def share_out(weights: Sequence[int], full: int) -> list[int]:
    """The number of the file, from 0, of each thing in order; a file is closed when its weights reach `full`."""
    files, number, weight = [], 0, 0
    for one in weights:
        if weight and weight + one > full:
            number, weight = number + 1, 0
        files.append(number)
        weight += one
    return files
