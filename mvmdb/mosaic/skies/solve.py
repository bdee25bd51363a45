"""Which sky value each exposure gets, from its pairs with others. measure.py and differences.py measure them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from mvmdb.components import group_connected
from mvmdb.mosaic.skies.sparse import solve_sparse
from mvmdb.records import SkyPair


def solve_skies(members: Iterable[str], pairs: Sequence[SkyPair], kept: Mapping[str, float]) -> dict[str, float]:
    """The sky of every member (electrons/s/arcsec^2): `kept` values as they are, the others matched to them.

    Each pair says `weight * (s_first - s_second) = weight * offset`; the equations are solved by weighted least
    squares, as `match` of stsci.skypac does. Only differences are known, so a group of connected members
    without a kept one is shifted until its lowest sky is 0. A member without a valid pair gets 0.
    """
    skies = {member: kept.get(member, 0.0) for member in members}
    unknown = [member for member in skies if member not in kept]
    valid = [
        p for p in pairs
        if p.speaks and p.first in skies and p.second in skies and (p.first not in kept or p.second not in kept)
    ]  # fmt: skip
    groups = group_connected(unknown, [(p.first, p.second) for p in valid])
    number = {member: n for n, group in enumerate(groups) for member in group}
    pairs_of: list[list[SkyPair]] = [[] for _ in groups]
    for pair in valid:
        pairs_of[number[pair.first if pair.first in number else pair.second]].append(pair)
    for group, of_group in zip(groups, pairs_of, strict=True):
        skies.update(_solve_group(group, of_group, kept))
    return skies


def _solve_group(group: Sequence[str], pairs: Sequence[SkyPair], kept: Mapping[str, float]) -> dict[str, float]:
    if not pairs:
        return dict.fromkeys(group, 0.0)
    if all(pair.difference is not None for pair in pairs):
        return solve_sparse(group, pairs, kept)
    column = {member: index for index, member in enumerate(group)}
    matrix = np.zeros((len(pairs), len(group)))
    right = np.zeros(len(pairs))
    anchored = False
    for row, pair in enumerate(pairs):
        right[row] = pair.weight * pair.offset
        for member, sign in ((pair.first, 1.0), (pair.second, -1.0)):
            if member in column:
                matrix[row, column[member]] = sign * pair.weight
            else:
                anchored = True
                right[row] -= sign * pair.weight * kept[member]
    solution = np.linalg.pinv(matrix, rcond=1e-12) @ right
    if not anchored:
        solution -= solution.min()
    return dict(zip(group, solution.tolist(), strict=True))
