"""Which sky value each exposure gets, from the medians of overlapping pairs. measure.py measures them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from mvmdb.records import SkyPair


def solve_skies(members: Iterable[str], pairs: Sequence[SkyPair], kept: Mapping[str, float]) -> dict[str, float]:
    """The sky of every member (electrons/s/arcsec^2): `kept` values as they are, the others matched to them.

    Each pair says `weight * (s_first - s_second) = weight * (first_sky - second_sky)`; the equations are solved by
    weighted least squares, as `match` of stsci.skypac does. Only differences are known, so a group of connected members
    without a kept one is shifted until its lowest sky is 0. A member without a valid pair gets 0.
    """
    skies = {member: kept.get(member, 0.0) for member in members}
    unknown = [member for member in skies if member not in kept]
    valid = [
        p for p in pairs
        if p.first_pixels > 0 and p.second_pixels > 0 and p.first in skies and p.second in skies
        and (p.first not in kept or p.second not in kept)
    ]  # fmt: skip
    for group in _connect(unknown, valid):
        inside = set(group)
        skies.update(_solve_group(group, [p for p in valid if p.first in inside or p.second in inside], kept))
    return skies


def _solve_group(group: Sequence[str], pairs: Sequence[SkyPair], kept: Mapping[str, float]) -> dict[str, float]:
    if not pairs:
        return dict.fromkeys(group, 0.0)
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


def _connect(unknown: Sequence[str], pairs: Sequence[SkyPair]) -> list[list[str]]:
    """Groups of unknown members that pairs connect, directly or through other members, in the given order."""
    root = {member: member for member in unknown}

    def find(member: str) -> str:
        while root[member] != member:
            root[member] = root[root[member]]
            member = root[member]
        return member

    for pair in pairs:
        if pair.first in root and pair.second in root:
            root[find(pair.first)] = find(pair.second)
    groups: dict[str, list[str]] = {}
    for member in unknown:
        groups.setdefault(find(member), []).append(member)
    return list(groups.values())
