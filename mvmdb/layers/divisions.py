"""Which of a cell's layers a member belongs to, if the archive divides them by exposure time or by date.

Labels are parts of layer names: `short`, `med`, `long`, `2010`, `20090101-20120630`, one of each joined with `-`, or
`all`.
"""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mvmdb.errors import UsageError
from mvmdb.records import Policy

CLASSES = ("short", "med", "long")
_CLASS_LIMITS = (15.0, 120.0)  # seconds: short < 15 <= med < 120 <= long, as in the HAP pipeline
_GAP = np.log(3.0)
"""Logarithm of the smallest ratio of exposure times between neighbouring clusters."""
_MJD_0 = np.datetime64("1858-11-17", "D")
UNDATED = "undated"

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


def parse_epochs(text: str) -> str:
    """The normal form of `none`, `yearly`, or comma-separated dates (YYYY-MM-DD) that bound ranges.

    That is an empty text, `yearly`, or the dates joined with commas. Raises UsageError for other text, for a single
    date, and for dates that do not increase.
    """
    text = text.strip().lower()
    if text in ("", "none"):
        return ""
    if text == "yearly":
        return text
    if not re.fullmatch(r"[\d,\s-]+", text):  # numpy accepts words like "now"
        raise UsageError(f"found epochs {text!r}; expected none, yearly, or dates like 2009-01-01,2012-06-30")
    try:
        dates = _read_dates(text)
    except ValueError as error:
        raise UsageError(f"found epochs {text!r} ({error}); expected dates like 2009-01-01,2012-06-30") from error
    if len(dates) < 2 or (np.diff(dates).astype(np.int64) <= 0).any():
        raise UsageError(f"found epochs {text!r}; expected two dates or more, each later than the previous one")
    return ",".join(dates.astype(str).tolist())


def label_members(policy: Policy, exptime: FloatArray, expstart: FloatArray) -> tuple[list[str], IntArray]:
    """The distinct labels, and (n,) the index of each member's label, -1 for a member that is in no layer.

    Labels follow the policy's classes of `exptime` (n,) in seconds, and its epochs of `expstart` (n,) in MJD, NaN where
    unknown. Date ranges include their first day, but not their last. `cluster_members` finds the clusters later.
    """
    classes = np.digitize(exptime, _CLASS_LIMITS) if policy.exptime_layers == "classes" else np.zeros(len(exptime), int)
    names = CLASSES if policy.exptime_layers == "classes" else ("all",)
    epochs, epoch = _label_epochs(policy.epochs, expstart)
    labels = [join_label(name, epoch_name) for epoch_name in epochs for name in names]
    return labels, np.where(epoch < 0, -1, epoch * len(names) + classes).astype(np.int64)


def cluster_members(layer: IntArray, exptime: FloatArray) -> IntArray:
    """(n,) the index of each member in `("all", *CLASSES)`, by clusters of exposure times within its layer.

    A layer is divided at its largest gaps of a factor 3 or more, at most two: into short and long, or short, med and
    long; a layer without such gaps stays whole. `layer`: (n,) the number of its layer. `exptime`: (n,) seconds.
    """
    labels = np.zeros(len(layer), dtype=np.int64)
    time = np.log(np.maximum(exptime, 1e-3))
    order = np.lexsort((time, layer))
    gaps = np.diff(time[order])
    gaps[np.diff(layer[order]) != 0] = 0.0
    bounds = np.append(np.flatnonzero(np.diff(layer[order], prepend=-1)), len(layer))
    for begin, end in pairwise(bounds.tolist()):
        layer_gaps = gaps[begin : end - 1]
        cuts = np.sort(np.argsort(-layer_gaps, kind="stable")[:2])
        cuts = cuts[layer_gaps[cuts] >= _GAP]
        if len(cuts):
            rank = np.searchsorted(cuts, np.arange(end - begin), side="left")
            labels[order[begin:end]] = np.array([1, 3] if len(cuts) == 1 else [1, 2, 3])[rank]
    return labels


def join_label(by_time: str, epoch: str) -> str:
    """The label of a layer by exposure time and epoch; only one of them if the other is `all` or empty."""
    if epoch in ("", "all"):
        return by_time
    return epoch if by_time == "all" else f"{by_time}-{epoch}"


def why_unexpected(layer: str, policy: Policy) -> str:
    """Why no exposure is expected in the layer of this name: its members left, or layers are now divided otherwise."""
    tied = {"gaia": " on gaia", "absolute": " on an absolute frame"}.get(policy.frames, "")
    why = f"no exposure{tied} is expected in this layer any more"
    undivided = layer.rsplit("_", 1)[-1] in ("all", "coarse-all")
    if undivided and policy.exptime_layers == "all" and not policy.epochs:
        return why
    return f"{why}: {describe_division(policy)}"


def describe_division(policy: Policy) -> str:
    """How the archive divides its layers, in words."""
    by_exptime = {"all": [], "classes": ["by exposure time"], "clusters": ["by clusters of exposure times"]}
    words = by_exptime[policy.exptime_layers]
    if policy.epochs == "yearly":
        words.append("by year")
    elif policy.epochs:
        words.append(f"by date ({policy.epochs})")
    return "layers are " + (" and ".join(words) if words else "undivided")


def _label_epochs(epochs: str, expstart: FloatArray) -> tuple[list[str], IntArray]:
    if not epochs:
        return [""], np.zeros(len(expstart), dtype=np.int64)
    known = np.isfinite(expstart)
    day = np.where(known, np.floor(np.where(known, expstart, 0.0)), 0.0).astype(np.int64)
    if epochs == "yearly":
        year = (_MJD_0 + day).astype("datetime64[Y]").astype(np.int64) + 1970
        distinct, index = np.unique(np.where(known, year, 0), return_inverse=True)
        names = [f"{value:04d}" if value else UNDATED for value in distinct.tolist()]
        return names or [UNDATED], index.reshape(-1).astype(np.int64)
    dates = _read_dates(epochs)
    index = np.searchsorted((dates - _MJD_0).astype(np.int64), day, side="right") - 1
    index = np.where(known & (index < len(dates) - 1), index, -1)
    names = [date.replace("-", "") for date in dates.astype(str).tolist()]
    return [f"{a}-{b}" for a, b in pairwise(names)], index.astype(np.int64)


def _read_dates(text: str) -> NDArray[np.datetime64]:
    return np.array([date.strip() for date in text.split(",")], dtype="datetime64[D]")
