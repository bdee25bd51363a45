"""Which exposures each layer is made of: by policy, kind of file, exposure time, date, frame and place.

Many layers are decided at once, in columns. All callers use it: the catalog, `process` and `mosaic`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mvmdb.layers.admission import frame_left_out, left_out, stays
from mvmdb.layers.agreement import keep_agreeing
from mvmdb.layers.digests import digest_members
from mvmdb.layers.divisions import CLASSES, cluster_members, join_label, label_members
from mvmdb.layers.frames import keep_same_frame, number_frames
from mvmdb.names import Kind
from mvmdb.records import Placed, Policy

LayerKey = tuple[int, str, str, str]
"""(sky cell, instrument, detector, filter): one layer per scale, or several if the policy divides them."""
IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


class Candidates(NamedTuple):
    """Eligible exposures that overlap a sky cell, as n parallel columns sorted by `key` and identity.

    `key`: index of the exposure's layer key among the requested keys. `exposure`: the caller's number for it.
    `digest`: `digest_member`. `x_min` ... `y_max`: the bounding box of the overlap, fine pixels. `exptime`: seconds.
    `expstart`, `expend`: MJD, None if unknown. `area_arcmin2`: area of the overlap. `has_file`: false if the exposure
    is known only from a table. `frame`: what its positions are tied to (mvmdb.frames), None where no file tells.
    `placed`: where it lies by measured shifts, None where that is not known; needed if members are to agree.
    """

    key: Sequence[int]
    exposure: Sequence[int]
    kind: Sequence[Kind]
    digest: Sequence[str]
    x_min: Sequence[int]
    x_max: Sequence[int]
    y_min: Sequence[int]
    y_max: Sequence[int]
    exptime: Sequence[float]
    expstart: Sequence[float | None]
    expend: Sequence[float | None]
    area_arcmin2: Sequence[float]
    has_file: Sequence[bool]
    frame: Sequence[str | None]
    placed: Sequence[Placed | None]

    @classmethod
    def of_rows(cls, rows: Sequence[Sequence[Any]]) -> Candidates:
        """The columns of rows that hold these fields in this order."""
        return cls(*zip(*rows, strict=True)) if rows else cls(*((),) * len(cls._fields))


@dataclass(frozen=True, slots=True)
class LayerMembers:
    """n members of layers, sorted by layer and identity, and the properties of the m layers that have members.

    `key`: (m,) index of the layer's key among the requested keys; if the policy divides layers, a key has several, with
    different `label`. Layer i has the members `start[i]` to `start[i + 1]`, exclusive; `start` is (m + 1,).
    `exposure`: (n,) the caller's numbers. `overlap`: (n,) square arcmin inside the cell. `box`: (m, 4) x_min, x_max,
    y_min, y_max in fine pixels. `exptime`: (m,) seconds. `expstart`, `expend`: (m,) MJD, NaN if no member has it.
    `waiting`: (m,) the number of members without a file. `frame`: (n,) indices in `frames`, which are in the order of
    preference; -1 where it is not known yet.
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
    waiting: IntArray
    frame: IntArray
    frames: list[str]

    @property
    def counts(self) -> IntArray:
        """(m,) number of members of each layer."""
        return np.diff(self.start)


def gather_members(candidates: Candidates, keys: Sequence[LayerKey], policy: Policy) -> LayerMembers:
    """The members of the layers of these keys; a key without members has no layer."""
    frames, frame = number_frames(candidates.frame)
    kept, layer, labels = _divide(candidates, frames, frame, keys, policy)
    first = np.flatnonzero(np.diff(layer, prepend=-1))
    digests = [candidates.digest[row] for row in kept.tolist()]
    start = np.append(first, len(kept))
    bounds = zip(start[:-1].tolist(), start[1:].tolist(), strict=True)

    def pick(column: Sequence[float | None]) -> FloatArray:
        return np.array(column, dtype=np.float64)[kept]  # None becomes NaN

    low = [_reduce(np.minimum, pick(column), first) for column in (candidates.x_min, candidates.y_min)]
    high = [_reduce(np.maximum, pick(column), first) for column in (candidates.x_max, candidates.y_max)]
    return LayerMembers(
        key=layer[first] // len(labels),
        label=[labels[number] for number in (layer[first] % len(labels)).tolist()],
        start=start,
        kind=[candidates.kind[row] for row in kept[first].tolist()],
        box=np.stack([low[0], high[0], low[1], high[1]], axis=1).astype(np.int64),
        exptime=_reduce(np.add, pick(candidates.exptime), first),
        expstart=_reduce(np.fmin, pick(candidates.expstart), first),
        expend=_reduce(np.fmax, pick(candidates.expend), first),
        digest=[digest_members(digests[begin:end]) for begin, end in bounds],
        exposure=np.array(candidates.exposure, dtype=np.int64)[kept],
        overlap=pick(candidates.area_arcmin2),
        waiting=_reduce(np.add, 1.0 - np.array(candidates.has_file, dtype=np.float64)[kept], first).astype(np.int64),
        frame=frame[kept],
        frames=frames,
    )


def _divide(
    candidates: Candidates, frames: Sequence[str], frame: IntArray, keys: Sequence[LayerKey], policy: Policy
) -> tuple[IntArray, IntArray, list[str]]:
    """The indices of candidates that are in a layer, sorted by layer and identity; the layer of each; and the labels.

    A layer's number is the index of its key times the number of labels, plus the index of its label. Exposures that the
    policy leaves out are dropped first. The others get their class and epoch. Within these, one FLC evicts every FLT.
    The remaining exposures are clustered. At last, if each layer is to have one frame, those of other frames go, and if
    its members are to agree, those that lie elsewhere than most.
    """
    key = np.array(candidates.key, dtype=np.int64)
    is_flc = np.array([kind == "flc" for kind in candidates.kind], dtype=bool)
    exptime = np.array(candidates.exptime, dtype=np.float64)
    labels, label = label_members(policy, exptime, np.array(candidates.expstart, dtype=np.float64))
    admitted = np.array([not frame_left_out(name, policy) for name in (*frames, None)], dtype=bool)[frame]
    kept = np.flatnonzero(_allowed(keys, policy)[is_flc.astype(np.int64), key] & (label >= 0) & admitted)
    layer = key[kept] * len(labels) + label[kept]
    staying = stays(layer, is_flc[kept])
    kept, layer = kept[staying], layer[staying]
    if policy.exptime_layers == "clusters":
        layer = layer * (1 + len(CLASSES)) + cluster_members(layer, exptime[kept])
        labels = [join_label(name, label) for label in labels for name in ("all", *CLASSES)]
    order = np.argsort(layer, kind="stable")
    kept, layer = kept[order], layer[order]
    if policy.frames == "same":
        same = keep_same_frame(layer, frame[kept])
        kept, layer = kept[same], layer[same]
    if policy.frames == "agree":
        agreeing = keep_agreeing(layer, [candidates.placed[row] for row in kept.tolist()], frame[kept])
        kept, layer = kept[agreeing], layer[agreeing]
    return kept, layer, labels


def _allowed(keys: Sequence[LayerKey], policy: Policy) -> NDArray[np.bool_]:
    """(2, number of keys): whether the policy admits FLTs (row 0) and FLCs (row 1) to the layers of each key."""
    kinds: tuple[Kind, Kind] = ("flt", "flc")
    cameras = {key[1:3] for key in keys}
    refused = [{camera for camera in cameras if left_out(*camera, kind, policy)} for kind in kinds]
    return np.array([[key[1:3] not in cameras for key in keys] for cameras in refused], dtype=bool).reshape(2, -1)


def _reduce(operation: np.ufunc, values: FloatArray, first: IntArray) -> FloatArray:
    if not len(first):
        return np.empty(0)
    reduced: FloatArray = operation.reduceat(values, first)
    return reduced
