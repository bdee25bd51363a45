"""Tells of visits that make mosaics absurdly large, before these are made."""

from __future__ import annotations

import logging

from mvmdb.catalog.layers.growth import find_stretching
from mvmdb.catalog.open import Engine
from mvmdb.names import parse_cell_name
from mvmdb.records import Action, Plan, Policy

log = logging.getLogger(__name__)

MOST_NAMED = 5
"""How many visits are named; the others are counted."""


def warn_of_growth(engine: Engine, policy: Policy, plan: Plan) -> None:
    """Name the visits that make the mosaics of a plan absurdly large, in the log."""
    lines = (line for line in plan.layers if line.action is not Action.REMOVE and not line.n_waiting)
    cells = {line.skycell for line in lines}
    with engine.begin() as connection:
        stretching = find_stretching(connection, (parse_cell_name(cell).index for cell in cells), policy)
    for one in stretching[:MOST_NAMED]:
        log.warning("%s", one)
    if len(stretching) > MOST_NAMED:
        log.warning("%d more visits make mosaics absurdly large", len(stretching) - MOST_NAMED)
