"""The members of many layers as columns: which exposures each one has, read from the catalog in one query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from mvmdb.catalog.touched import LayerKey, touched
from mvmdb.names import Kind
from mvmdb.reconcile.expected import digest_members, left_out, stays
from mvmdb.reconcile.sublayers import CLASSES, cluster_members, join_label, label_members
from mvmdb.records import Policy
from mvmdb.schema import tables as t

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LayerMembers:
    """n members of layers, sorted by layer and identity, and what the layers that have any are made of, m in parallel.

    `key`: (m,) number of the layer's key among those staged; a key has several layers where the policy divides them,
    which `label` tells apart. Layer i has the members `start[i]` to `start[i + 1]`.
    `exposure`: (n,) exposure keys. `overlap`: (n,) square arcmin inside the cell. `box`: (m, 4) x_min, x_max, y_min,
    y_max in fine pixels. `exptime`: (m,) seconds. `expstart`, `expend`: MJD, NaN where no member has it.
    """

    key: IntArray
    label: list[str]
    start: IntArray
    kind: list[Kind]
    box: IntArray
    exptime: FloatArray
    expstart: FloatArray
    expend: FloatArray
    digest: list[str]
    exposure: IntArray
    overlap: FloatArray

    @property
    def counts(self) -> IntArray:
        """How many members each layer has."""
        return np.diff(self.start)


def load_members(connection: sa.Connection, keys: Sequence[LayerKey], policy: Policy) -> LayerMembers:
    """The members of the layers of these keys, which are staged in `touched` in this order; others have none."""
    columns = _load_columns(connection)
    kept, layer, labels = _divide(columns, keys, policy)
    first = np.flatnonzero(np.diff(layer, prepend=-1))
    digests = [columns[3][row] for row in kept.tolist()]
    start = np.append(first, len(kept))
    bounds = zip(start[:-1].tolist(), start[1:].tolist(), strict=True)

    def pick(at: int) -> FloatArray:
        return np.array(columns[at], dtype=np.float64)[kept]  # NULL becomes NaN

    low = [_reduce(np.minimum, pick(at), first) for at in (4, 6)]
    high = [_reduce(np.maximum, pick(at), first) for at in (5, 7)]
    return LayerMembers(
        key=layer[first] // len(labels),
        label=[labels[place] for place in (layer[first] % len(labels)).tolist()],
        start=start,
        kind=[columns[2][row] for row in kept[first].tolist()],
        box=np.stack([low[0], high[0], low[1], high[1]], axis=1).astype(np.int64),
        exptime=_reduce(np.add, pick(8), first),
        expstart=_reduce(np.fmin, pick(9), first),
        expend=_reduce(np.fmax, pick(10), first),
        digest=[digest_members(digests[a:b]) for a, b in bounds],
        exposure=np.array(columns[1], dtype=np.int64)[kept],
        overlap=pick(11),
    )


def _divide(
    columns: Sequence[Sequence[Any]], keys: Sequence[LayerKey], policy: Policy
) -> tuple[IntArray, IntArray, list[str]]:
    """The rows that are in a layer, sorted by layer and identity; each one's layer, and the labels.

    A layer's number is its key's times the number of labels, plus its label's place. What the policy
    leaves out goes first, then members find their class and epoch, where one FLC evicts every FLT, and what is left is
    clustered.
    """
    key = np.array(columns[0], dtype=np.int64)
    is_flc = np.array([kind == "flc" for kind in columns[2]], dtype=bool)
    exptime, expstart = (np.array(columns[at], dtype=np.float64) for at in (8, 9))
    labels, label = label_members(policy, exptime, expstart)
    kept = np.flatnonzero(_allowed(keys, policy)[is_flc.astype(np.int64), key] & (label >= 0))
    layer = key[kept] * len(labels) + label[kept]
    staying = stays(layer, is_flc[kept])
    kept, layer = kept[staying], layer[staying]
    if policy.exptime_layers == "clusters":
        layer = layer * (1 + len(CLASSES)) + cluster_members(layer, exptime[kept])
        labels = [join_label(name, label) for label in labels for name in ("all", *CLASSES)]
    order = np.argsort(layer, kind="stable")
    return kept[order], layer[order], labels


def _allowed(keys: Sequence[LayerKey], policy: Policy) -> NDArray[np.bool_]:
    """(2, number of keys): whether the policy allows FLTs and FLCs into each key's layers."""
    kinds: tuple[Kind, Kind] = ("flt", "flc")
    cameras = {key[1:3] for key in keys}
    out = [{camera for camera in cameras if left_out(*camera, kind, policy)} for kind in kinds]
    return np.array([[key[1:3] not in own for key in keys] for own in out], dtype=bool).reshape(2, -1)


def _load_columns(connection: sa.Connection) -> list[Sequence[Any]]:
    """Key number, exposure, kind, digest, box, exptime, expstart, expend and overlap of everything that may be in."""
    e, m = t.exposure.c, t.membership.c
    cells = sa.select(touched.c.skycell_id).distinct().subquery()
    # From cells by way of memberships: from keys, each membership of a cell would be looked at once for each filter.
    own = sa.and_(*(touched.c[name] == e[name] for name in ("instrument", "detector", "filter")))
    query = (
        sa.select(
            touched.c.number, e.id, e.kind, e.member_digest, m.x_min, m.x_max, m.y_min, m.y_max,
            e.exptime, e.expstart, e.expend, m.area_arcmin2,
        )
        .select_from(
            cells.join(t.membership, m.skycell_id == cells.c.skycell_id)
            .join(t.exposure, e.id == m.exposure_id)
            .join(touched, sa.and_(touched.c.skycell_id == m.skycell_id, own))
        )
        .where(e.eligible, e.withdrawn_at.is_(None), e.wcs_digest.is_not(None))
        .order_by(touched.c.number, e.ipppssoo)
    )  # fmt: skip
    rows = connection.execute(query).all()
    return list(zip(*rows, strict=True)) if rows else [()] * 12


def _reduce(operation: np.ufunc, values: FloatArray, first: IntArray) -> FloatArray:
    if not len(first):
        return np.empty(0)
    reduced: FloatArray = operation.reduceat(values, first)
    return reduced
