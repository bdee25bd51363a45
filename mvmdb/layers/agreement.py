"""Which exposures lie together on the sky, by places that are solved elsewhere: the largest number of them is right.

Places are known within a group, whose members measured shifts connect; those of different groups are not compared.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mvmdb.records import Placed

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
ComplexArray = NDArray[np.complex128]
BoolArray = NDArray[np.bool_]

TOGETHER = 0.4
"""Pixels: exposures that lie closer together agree. Half a pixel is to be seen with 99% certainty, and the shift of a
pair is known to some hundredths of a pixel."""
_AT_ONCE = 1 << 22


def find_together(place: ComplexArray, pixel: FloatArray, rank: IntArray) -> IntArray:
    """The numbers of the most of k exposures that lie together; places are east + i north, arcsec.

    They lie within `TOGETHER` of one of them, in pixels of the larger size; if there are as many around others, the one
    of the lowest rank counts, and of these the first.
    """
    k = len(place)
    count = np.empty(k, dtype=np.int64)
    step = max(1, _AT_ONCE // k)
    for start in range(0, k, step):
        some = np.arange(start, min(k, start + step))
        count[some] = np.count_nonzero(_near(place, pixel, some), axis=1)
    best = int(np.lexsort((np.arange(k), rank, -count))[0])
    return np.flatnonzero(_near(place, pixel, np.array([best]))[0])


def divide_by_place(place: ComplexArray, pixel: FloatArray, rank: IntArray) -> IntArray:
    """(k,): 0 for the exposures that most others agree with, 1 for those that most of the rest do, and so on.

    Beside those that lie together, each set has what lies within `TOGETHER` of their mean place.
    """
    sets = np.full(len(place), -1, dtype=np.int64)
    number = 0
    while len(left := np.flatnonzero(sets < 0)):
        together = left[find_together(place[left], pixel[left], rank[left])]
        near = np.abs(place[left] - place[together].mean()) <= TOGETHER * pixel[left]
        sets[together] = sets[left[near]] = number
        number += 1
    return sets


def keep_agreeing(layer: IntArray, placed: Sequence[Placed | None], frame: IntArray) -> BoolArray:
    """(n,) whether each member agrees with most members of its layer; one whose place is not known stays.

    `layer`: (n,) the number of its layer, sorted. `frame`: (n,) the number of its frame, in the order of preference, or
    -1; of two sets of as many members, the one with the lower frame stays, then that of the first member.
    """
    kept = np.ones(len(layer), dtype=bool)
    known = np.array([one is not None for one in placed], dtype=bool)
    groups = {name: number for number, name in enumerate(sorted({one.group for one in placed if one is not None}))}
    group = np.array([-1 if one is None else groups[one.group] for one in placed], dtype=np.int64)
    place = np.array([0j if one is None else complex(one.dx, one.dy) for one in placed], dtype=np.complex128)
    pixel = np.array([0.0 if one is None else one.pixel for one in placed], dtype=np.float64)
    rank = np.where(frame < 0, np.iinfo(np.int64).max, frame)
    order = np.flatnonzero(known)
    order = order[np.lexsort((order, group[order], layer[order]))]
    ends = np.flatnonzero((np.diff(layer[order]) != 0) | (np.diff(group[order]) != 0)) + 1
    for members in np.split(order, ends) if len(order) else ():
        kept[members] = divide_by_place(place[members], pixel[members], rank[members]) == 0
    return kept


def _near(place: ComplexArray, pixel: FloatArray, of: IntArray) -> BoolArray:
    """(len(of), k): whether exposures lie together with these."""
    limit = TOGETHER * np.maximum(pixel[None, :], pixel[of, None])
    return np.asarray(np.abs(place[None, :] - place[of, None]) <= limit)
