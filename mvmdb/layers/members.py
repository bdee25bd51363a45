"""The members of many layers as columns: which exposures each one has, and what the layer is made of; no database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvmdb.layers.admission import left_out, stays
from mvmdb.layers.digests import digest_members
from mvmdb.layers.divisions import CLASSES, cluster_members, join_label, label_members
from mvmdb.names import Kind
from mvmdb.records import Policy

LayerKey = tuple[int, str, str, str]
"""(sky cell, instrument, detector, filter)."""
Columns = Sequence[Sequence[Any]]
"""What may be a member, sorted by key and identity: key number, exposure, kind, digest, x_min, x_max, y_min, y_max,
exptime, expstart, expend and overlap."""
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


def gather_members(columns: Columns, keys: Sequence[LayerKey], policy: Policy) -> LayerMembers:
    """The members of the layers of these keys, by whose places `columns` number them; others have none."""
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


def _divide(columns: Columns, keys: Sequence[LayerKey], policy: Policy) -> tuple[IntArray, IntArray, list[str]]:
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


def _reduce(operation: np.ufunc, values: FloatArray, first: IntArray) -> FloatArray:
    if not len(first):
        return np.empty(0)
    reduced: FloatArray = operation.reduceat(values, first)
    return reduced
