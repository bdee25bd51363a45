"""Of which layers an exposure is no member because most of their members are of another astrometric frame."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from mvmdb.catalog.layers.changed_keys import keys_of_exposures, write_changed_keys
from mvmdb.catalog.layers.recorded import load_candidates
from mvmdb.layers.members import gather_members
from mvmdb.layers.recipes import layer_name
from mvmdb.names import CellId, format_cell_name
from mvmdb.records import Policy


def find_outvoted(connection: sa.Connection, exposure: Any, policy: Policy) -> list[tuple[str, str]]:
    """(layer, reason) of the layers that would hold an exposure (its row) if any frame were taken.

    The layers are decided once with the policy and once without its wish for one frame; an exposure that is a member
    only without it was outvoted. Layers are named by their fine scale.
    """
    if policy.frames != "same" or not exposure.eligible or exposure.withdrawn_at is not None:
        return []
    keys = sorted(keys_of_exposures(connection, [exposure.id]))
    write_changed_keys(connection, keys)
    candidates = load_candidates(connection)
    members = gather_members(candidates, keys, policy)
    undecided = gather_members(candidates, keys, replace(policy, frames="any"))
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
            outvoted.append((str(name), f"its frame is {exposure.frame}, that of most members {frame[0]}"))
    return sorted(outvoted)
