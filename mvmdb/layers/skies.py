"""What a mosaic needs whose members' skies have moved since it was made."""

from __future__ import annotations

from collections.abc import Mapping

from mvmdb.recipe import SAME_SKY
from mvmdb.records import ExpectedLayer, ObservedProduct

_SAME = 1e-9
"""Changes of skies that differ by less (of 1 electron/s/arcsec^2, or of the change) are one: sums are rounded."""


def compare_skies(layer: ExpectedLayer, product: ObservedProduct) -> dict[str, tuple[float, float]]:
    """The members (ipppssoo, sorted) whose sky is not the one that a product subtracted: both of them.

    Nothing where the product does not take its skies from the archive's solution, or either is not known.
    """
    if not product.takes_solved_skies:
        return {}
    was = {member.ipppssoo: member.sky for member in product.members}
    moved = {}
    for member in layer.members:
        before = was.get(member.ipppssoo)
        if member.sky is not None and before is not None and abs(member.sky - before) > SAME_SKY:
            moved[member.ipppssoo] = (member.sky, before)
    return moved


def common_shift(now: Mapping[str, float | None], was: Mapping[str, float | None]) -> float | None:
    """How much more is to be subtracted from a mosaic (electrons/s/arcsec^2) that subtracted the skies `was`.

    All are in the mosaic's electrons. None if its members do not have that in common, or a sky is not known.
    """
    changes = []
    for name, before in was.items():
        after = now.get(name)
        if before is None or after is None:
            return None
        changes.append(after - before)
    if not changes:
        return None
    size = max(map(abs, changes))
    return sum(changes) / len(changes) if max(changes) - min(changes) <= _SAME * max(1.0, size) else None
