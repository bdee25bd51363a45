"""Of which layers an exposure is no member because most of their members are of another frame, or lie elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from mvmdb.catalog.layers.changed_keys import keys_of_exposures, write_changed_keys
from mvmdb.catalog.layers.recorded import load_candidates
from mvmdb.layers.members import gather_members
from mvmdb.layers.recipes import layer_name
from mvmdb.names import CellId, format_cell_name
from mvmdb.records import Placed, Policy


def find_outvoted(connection: sa.Connection, exposure: Any, policy: Policy) -> list[tuple[str, str]]:
    """(layer, reason) of the layers that would hold an exposure (its row) if any frame and place were taken.

    The layers are decided once with the policy and once without its wish; an exposure that is a member only without it
    was outvoted. Layers are named by their fine scale.
    """
    if policy.frames not in ("same", "agree") or not exposure.eligible or exposure.withdrawn_at is not None:
        return []
    keys = sorted(keys_of_exposures(connection, [exposure.id]))
    write_changed_keys(connection, keys)
    candidates = load_candidates(connection)
    members = gather_members(candidates, keys, policy)
    undecided = gather_members(candidates, keys, replace(policy, frames="any"))
    places = dict(zip(candidates.exposure, candidates.placed, strict=True))
    frames = {}
    for number, key in enumerate(members.key.tolist()):
        rows = slice(*members.start[number : number + 2].tolist())
        known = [members.frames[code] for code in members.frame[rows].tolist() if code >= 0]
        frames[key, members.label[number]] = (known[:1], members.exposure[rows].tolist())
    outvoted = []
    for number, key in enumerate(undecided.key.tolist()):
        rows = slice(*undecided.start[number : number + 2].tolist())
        frame, kept = frames[key, undecided.label[number]]
        if exposure.id in undecided.exposure[rows] and exposure.id not in kept:
            cell, *obsmode = keys[key]
            skycell = format_cell_name(CellId.from_index(cell))
            name = layer_name(skycell, tuple(obsmode), "fine", undecided.label[number])
            if policy.frames == "agree":
                why = _how_far(places[exposure.id], [places[one] for one in kept])
            else:
                why = f"its frame is {exposure.frame}, that of most members {frame[0]}"
            outvoted.append((str(name), why))
    return sorted(outvoted)


def _how_far(own: Placed | None, members: Sequence[Placed | None]) -> str:
    """How far a place is from those of the members, all of which lie together."""
    assert own is not None  # an exposure whose place is not known stays
    others = [complex(one.dx, one.dy) for one in members if one is not None and one.group == own.group]
    off = abs(complex(own.dx, own.dy) - sum(others) / len(others))
    return f"it lies {1000 * off:.1f} mas ({off / own.pixel:.2f} pixels) from where {len(others)} members agree"
