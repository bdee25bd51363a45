"""The frames of layers' members, in columns: which are kept, how many there are, and which layers mix them.

What the frame of an exposure is, mvmdb/frames.py decides.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mvmdb.frames import preference

UNKNOWN = "unknown"
"""The word for the frame of an exposure that no file tells of yet."""

IntArray = NDArray[np.int64]


def number_frames(column: Sequence[str | None]) -> tuple[list[str], IntArray]:
    """The distinct frames in the order of preference, and (n,) the index of each one's; -1 where it is not known."""
    frames = sorted({name for name in set(column) if name is not None}, key=preference)
    numbers: dict[str | None, int] = {name: number for number, name in enumerate(frames)}
    numbers[None] = -1
    return frames, np.array([numbers[name] for name in column], dtype=np.int64)


def keep_same_frame(layer: NDArray[np.int64], frame: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(n,) whether each member is of the frame that most members of its layer have; of several such, the lowest number.

    `layer`: (n,) the number of its layer. `frame`: (n,) the number of its frame, in the order of preference; -1
    where it is not known yet: such a member has no vote, and stays.
    """
    known = np.flatnonzero(frame >= 0)
    n_frames = int(frame.max(initial=0)) + 1
    pair, votes = np.unique(layer[known] * n_frames + frame[known], return_counts=True)
    order = np.lexsort((pair, -votes, pair // n_frames))
    winners = pair[order[np.flatnonzero(np.diff(pair[order] // n_frames, prepend=-1))]]
    chosen = np.full(int(layer.max(initial=-1)) + 1, -1, dtype=np.int64)
    chosen[winners // n_frames] = winners % n_frames
    return np.asarray((frame < 0) | (frame == chosen[layer]))


def mix_frames(start: IntArray, frame: IntArray, n_frames: int) -> NDArray[np.bool_]:
    """(m,) whether a layer has members of different frames; those whose frame is not known yet are not counted.

    `frame[start[i] : start[i + 1]]`: the numbers of the frames of layer i, 0 to `n_frames` - 1, or -1. Each layer has a
    member.
    """
    if len(start) < 2:
        return np.empty(0, dtype=bool)
    highest = np.maximum.reduceat(frame, start[:-1])
    lowest = np.minimum.reduceat(np.where(frame >= 0, frame, n_frames), start[:-1])
    return np.asarray(lowest < highest)


def count_frames(start: IntArray, frame: IntArray, frames: Sequence[str]) -> list[str]:
    """(m,) how many members each layer has of each frame, the most first: `gaia 3, gsc240-apriori 1`.

    Arguments as for `mix_frames`, with the names of the frames.
    """
    n_frames = len(frames) + 1
    layer = np.repeat(np.arange(len(start) - 1), np.diff(start))
    pair, count = np.unique(layer * n_frames + np.where(frame < 0, len(frames), frame), return_counts=True)
    order = np.lexsort((pair, -count, pair // n_frames))
    names = [*frames, UNKNOWN]
    texts: list[list[str]] = [[] for _ in range(len(start) - 1)]
    for number, votes in zip(pair[order].tolist(), count[order].tolist(), strict=True):
        texts[number // n_frames].append(f"{names[number % n_frames]} {votes}")
    return [", ".join(words) for words in texts]
