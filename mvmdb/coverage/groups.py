"""How exposures are divided when their coverage is asked for: by filter, camera, program, epoch and so on."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mvmdb.coverage.values import CoveringExposures
from mvmdb.errors import UsageError
from mvmdb.sky.footprints import IntArray

By = Literal["all", "filter", "instrument", "camera", "program", "target", "year", "month", "epoch", "region"]
BYS: tuple[By, ...] = get_args(By)

UNDATED = "undated"
_MJD_0 = np.datetime64("1858-11-17", "D")
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*d(?:ays?)?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

Labels = NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Epochs:
    """Divides time: by calendar (`unit` Y or M), or between `edges` in MJD, whose names are in `names`.

    With `length` in days, the edges lie at whole multiples of it from the first start on.
    """

    unit: str = ""
    edges: tuple[float, ...] = ()
    names: tuple[str, ...] = ()
    length: float = 0.0


def parse_epochs(text: str) -> Epochs:
    """The epochs of `yearly`, `monthly`, a length such as `30d`, or dates (YYYY-MM-DD) with commas between.

    Raises UsageError for any other text, for fewer than two dates, and for dates that do not increase.
    """
    words = text.strip().lower()
    if words in ("yearly", "monthly"):
        return Epochs(unit=words[0].upper())
    length = _LENGTH.fullmatch(words)
    if length is not None and float(length[1]) > 0:
        return Epochs(length=float(length[1]))
    dates = [part.strip() for part in words.split(",")]
    expected = "expected yearly, monthly, a length like 30d, or dates like 2009-01-01,2012-06-30"
    if len(dates) < 2 or not all(map(_DATE.fullmatch, dates)):
        raise UsageError(f"found epochs {text!r}; {expected}")
    try:
        days = (np.array(dates, "datetime64[D]") - _MJD_0).astype(float).tolist()
    except ValueError as error:
        raise UsageError(f"found epochs {text!r} ({error}); {expected}") from error
    if not all(a < b for a, b in zip(days, days[1:], strict=False)):
        raise UsageError(f"found epochs {text!r}; expected each date later than the previous one")
    names = tuple(f"{a}/{b}" for a, b in zip(dates, dates[1:], strict=False))
    return Epochs(edges=tuple(days), names=names)


@dataclass(frozen=True, slots=True)
class Groups:
    """Which group each of n exposures is in: `number` (n,), -1 for none; `keys[i]`: the values of group i."""

    number: IntArray
    keys: tuple[tuple[Any, ...], ...]


def group(exposures: CoveringExposures, by: Sequence[By], epochs: Epochs) -> Groups:
    """The exposures divided by these properties at once; groups are sorted by their values.

    Years, months and epochs are those of the start. Exposures outside all epochs are in no group.
    """
    columns = [_COLUMNS[name](exposures, epochs) for name in by if name not in ("all", "region")]
    if not columns:
        return Groups(np.zeros(len(exposures), np.int64), ((),))
    codes, values = zip(*(_encode(column) for column in columns), strict=True)
    outside = np.any([code < 0 for code in codes], axis=0)
    stacked, number = np.unique(np.stack(codes), axis=1, return_inverse=True)
    keys = [tuple(value[code] for value, code in zip(values, column, strict=True)) for column in stacked.T.tolist()]
    number = np.where(outside, -1, number.ravel()).astype(np.int64)
    used = np.unique(number[number >= 0])
    renumbered = np.full(len(keys) + 1, -1, np.int64)
    renumbered[used] = np.arange(len(used))
    return Groups(renumbered[number], tuple(keys[i] for i in used.tolist()))


def _encode(column: Labels) -> tuple[IntArray, list[Any]]:
    """The place of each value among the distinct ones, which are sorted; -1 for None."""
    places: dict[Any, int] = {value: place for place, value in enumerate(sorted(set(column.tolist()) - {None}))}
    return np.array([-1 if value is None else places[value] for value in column.tolist()], np.int64), list(places)


def _lower(values: Labels) -> Labels:
    return np.array([str(value).lower() for value in values.tolist()], object)


def _cameras(exposures: CoveringExposures, _: Epochs) -> Labels:
    pairs = zip(exposures.instrument.tolist(), exposures.detector.tolist(), strict=True)
    return np.array([f"{instrument}/{detector}".lower() for instrument, detector in pairs], object)


def _calendar(exposures: CoveringExposures, unit: str) -> Labels:
    start = exposures.expstart
    known = np.isfinite(start)
    days = _MJD_0 + np.floor(np.where(known, start, 0.0)).astype(np.int64)
    names = days.astype(f"datetime64[{unit}]").astype(str)
    return np.where(known, names, UNDATED).astype(object)


def _epochs(exposures: CoveringExposures, epochs: Epochs) -> Labels:
    if epochs.unit:
        return _calendar(exposures, epochs.unit)
    start = exposures.expstart
    known = np.isfinite(start)
    labels = np.full(len(start), UNDATED, object)
    if epochs.length:
        if known.any():
            first = np.floor(start[known].min())
            begin = first + np.floor((start[known] - first) / epochs.length) * epochs.length
            labels[known] = [_day_name(day) for day in begin.tolist()]
        return labels
    place = np.searchsorted(np.array(epochs.edges), start[known], side="right") - 1
    names = (*epochs.names, None)
    inside = np.where((place >= 0) & (place < len(epochs.names)), place, len(epochs.names))
    labels[known] = [names[i] for i in inside.tolist()]
    labels[~known] = None
    return labels


def _day_name(mjd: float) -> str:
    seconds = np.timedelta64(round((mjd % 1) * 86400), "s")
    time = (_MJD_0 + int(mjd // 1)).astype("datetime64[s]") + seconds
    text = str(time)
    return text.removesuffix("T00:00:00")


_COLUMNS: dict[str, Callable[[CoveringExposures, Epochs], Labels]] = {
    "filter": lambda exposures, _: _lower(exposures.filter),
    "instrument": lambda exposures, _: _lower(exposures.instrument),
    "camera": _cameras,
    "program": lambda exposures, _: exposures.proposal_id.astype(object),
    "target": lambda exposures, _: exposures.target,
    "year": lambda exposures, _: _calendar(exposures, "Y"),
    "month": lambda exposures, _: _calendar(exposures, "M"),
    "epoch": _epochs,
}
