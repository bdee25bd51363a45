"""How many layers were fresh and stale at what time, as the history tells it of the layers that are expected now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from mvmdb.catalog.clock import now
from mvmdb.catalog.history.events import Happened
from mvmdb.schema import tables as t

_CHANGED = (
    Happened.EXPOSURE_NEW, Happened.EXPOSURE_CHANGED, Happened.EXPOSURE_REALIGNED, Happened.EXPOSURE_MOVED,
    Happened.EXPOSURE_REFUSED, Happened.EXPOSURE_ADMITTED, Happened.EXPOSURE_WITHDRAWN, Happened.EXPOSURE_READMITTED,
    Happened.EXPOSURE_PRUNED, Happened.EXPOSURE_RETURNED,
)  # fmt: skip
_MADE = (
    Happened.LAYER_DRIZZLED, Happened.LAYER_ADDED, Happened.LAYER_RECANVASED, Happened.LAYER_SHIFTED,
    Happened.LAYER_RESCALED,
    Happened.LAYER_ADOPTED, Happened.LAYER_FOUND,
)  # fmt: skip
_ROWS_AT_ONCE = 10_000
_Columns = tuple[NDArray[np.int64], NDArray[np.datetime64], NDArray[np.bool_]]
_LOST = (Happened.LAYER_MISSING, Happened.LAYER_DAMAGED)


@dataclass(frozen=True, slots=True)
class Standing:
    """How many layers were `fresh` and `stale` from each of these times (UTC, ascending) on; the last is now.

    `waiting`: how many of those that are stale now wait for files: as `status`, a plot tells them apart.
    """

    at: NDArray[np.datetime64]
    fresh: NDArray[np.int64]
    stale: NDArray[np.int64]
    waiting: int = 0


def load_standing(connection: sa.Connection) -> Standing:
    """How many of the layers that are expected now were fresh and stale at what time.

    A layer is stale from an event of one of its members on, and from the loss of its mosaic, until it is made. One that
    is made without such an event, as when its canvas grew, counts as stale from the start of the run that made it. The
    last values are those of now, whatever the history tells: it may have been pruned, or may not hold the reason.
    """
    e = t.event.c
    changes = t.event.join(t.exposure, t.exposure.c.ipppssoo == e.exposure).join(
        t.layer_member, t.layer_member.c.exposure_id == t.exposure.c.id
    )
    of_layer = t.event.join(t.layer, t.layer.c.name == e.layer)
    member = t.layer_member.c.layer_id
    parts = [
        _load(connection, sa.select(member, e.at).distinct().select_from(changes).where(e.kind.in_(_CHANGED)), False),
        _load(connection, sa.select(t.layer.c.id, e.at).select_from(of_layer).where(e.kind.in_(_LOST)), False),
        _load(connection, sa.select(t.layer.c.id, e.at).select_from(of_layer).where(e.kind.in_(_MADE)), True),
        _load(
            connection,
            sa.select(t.layer.c.id, t.run.c.started_at)
            .select_from(of_layer.join(t.run, t.run.c.id == e.run_id))
            .where(e.kind.in_(_MADE)),
            False,
        ),
    ]
    layer, at, fresh = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((fresh, at, layer))
    layer, at, fresh = layer[order], at[order], fresh[order]
    first = np.diff(layer, prepend=-1) != 0
    before = np.roll(fresh, 1)
    steps_fresh = np.where(first, fresh, fresh.astype(np.int64) - before)
    steps_stale = np.where(first, ~fresh, before.astype(np.int64) - fresh)
    times, place = np.unique(at, return_inverse=True)
    counts = [
        np.cumsum(np.bincount(place, weights=steps, minlength=len(times))).astype(np.int64)
        for steps in (steps_fresh, steps_stale)
    ]
    layers = sa.func.count()
    stale, waits = t.layer.c.stale, t.layer.c.n_waiting > 0
    query = sa.select(layers.filter(~stale), layers.filter(stale), layers.filter(stale, waits)).select_from(t.layer)
    today = connection.execute(query).one()
    return Standing(
        np.append(times, np.datetime64(now().replace(tzinfo=None), "us")),
        np.append(counts[0], today[0]),
        np.append(counts[1], today[1]),
        today[2],
    )


def _load(connection: sa.Connection, query: sa.Select[Any], fresh: bool) -> _Columns:
    """The layers (keys) and times that a query gives, in columns: there may be millions."""
    layers, times = [np.zeros(0, np.int64)], [np.zeros(0, "datetime64[us]")]
    result = connection.execute(query.execution_options(stream_results=True))
    for rows in result.partitions(_ROWS_AT_ONCE):
        layers.append(np.array([row[0] for row in rows], np.int64))
        times.append(np.array([row[1] for row in rows], "datetime64[us]"))
    found = np.concatenate(layers)
    return found, np.concatenate(times), np.full(len(found), fresh)
