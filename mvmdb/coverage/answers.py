"""Answers to questions of coverage as rows: by group, where groups overlap, and what a program adds."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvmdb.coverage.groups import By, Epochs, Groups, group
from mvmdb.coverage.measure import measure_depths, measure_gains, measure_together, select_footprints
from mvmdb.coverage.regions import SkyRegion, clip
from mvmdb.coverage.values import CoveringExposures
from mvmdb.errors import UsageError
from mvmdb.sky.footprints import Footprints

Meanings = dict[str, tuple[str, str | None]]

_KEYS = {
    "filter": "the layers' filter",
    "instrument": "instrument, as in names of layers",
    "camera": "instrument and detector",
    "program": "HST program number",
    "target": "TARGNAME",
    "year": "year of the start",
    "month": "month of the start",
    "epoch": "range of the start",
    "region": "region as it was asked for",
    "together": "the groups that must all be there",
}
_VALUES: Meanings = {
    "n_exposures": ("number of exposures", None),
    "exptime": ("summed exposure time, seconds", "s"),
    "expstart": ("first start, MJD", "d"),
    "expend": ("last end, MJD", "d"),
    "area_arcmin2": ("area on the sky that at least one exposure covers, square arcmin", "arcmin2"),
    "mean_exposures": ("mean number of exposures over that area", None),
    "mean_exptime": ("mean exposure time over that area, seconds", "s"),
}
_REGION: Meanings = {
    "region_arcmin2": ("area of the region on the sky, square arcmin", "arcmin2"),
    "covered": ("share of the region that is covered", None),
}
_GAINS: Meanings = {
    "n_exposures": ("number of exposures that are added", None),
    "exptime": ("their summed exposure time, seconds", "s"),
    "area_arcmin2": ("area on the sky that they cover, square arcmin", "arcmin2"),
    "new_arcmin2": ("area of it that no other exposure of the group covers, square arcmin", "arcmin2"),
    "mean_exptime_before": ("mean exposure time over the area without them, seconds", "s"),
    "mean_exptime": ("mean exposure time over the area with them, seconds", "s"),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows with the names of their columns, and the meanings and units of these."""

    names: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    meanings: Meanings


@dataclass(frozen=True, slots=True)
class Wanted:
    """How coverage is divided (`by`), the `regions` that it is cut to (none: the whole sky), and limits of depth.

    `deeper_than`: seconds, more than which an area counts as deep. `epochs`: for `by` epoch.
    """

    by: tuple[By, ...]
    regions: tuple[SkyRegion, ...] = ()
    deeper_than: tuple[float, ...] = ()
    epochs: Epochs = field(default_factory=lambda: Epochs(unit="Y"))

    def __post_init__(self) -> None:
        if "region" in self.by and not self.regions:
            raise UsageError("coverage is asked for by region, and no region is given; expected --region")
        if len(set(self.by)) < len(self.by):
            raise UsageError(f"found by {','.join(self.by)}; expected each once")
        for limit in self.deeper_than:
            if not (np.isfinite(limit) and limit >= 0):
                raise UsageError(f"found the limit {limit:g}; expected seconds, 0 or more")
        if len(set(map(deeper_name, self.deeper_than))) < len(self.deeper_than):
            raise UsageError("a limit of depth is given twice; expected it once")

    def parts(self) -> list[tuple[str | None, tuple[SkyRegion, ...]]]:
        """(name, regions) of each part of the sky that is measured by itself."""
        if "region" in self.by:
            return [(region.name, (region,)) for region in self.regions]
        return [(None, self.regions)]

    def key_columns(self) -> tuple[str, ...]:
        """The columns that name a group."""
        return tuple(name for name in self.by if name != "all")


def deeper_name(limit: float) -> str:
    """The column of the area that is deeper than a limit in seconds."""
    return f"deeper_than_{limit:g}_s"


def answer_depths(exposures: CoveringExposures, footprints: Footprints, wanted: Wanted) -> Answer:
    """One row per group: exposures, times, area, mean depth, and the areas that are deeper than the limits."""
    rows: list[tuple[Any, ...]] = []
    for name, regions in wanted.parts():
        there, shapes = _cut(footprints, regions)
        inside = exposures.select(there)
        groups = group(inside, wanted.by, wanted.epochs)
        depths = measure_depths(shapes, inside.exptime, groups.number, len(groups.keys), wanted.deeper_than)
        whole = sum(region.area() for region in regions) if name is not None else 0.0
        for i, members in enumerate(_members(groups)):
            if not len(members) and name is None and "all" not in wanted.by:
                continue
            row = [*_key(wanted, groups.keys[i], name), *_sums(inside, members)]
            row += _rounded(depths.area[i], depths.mean_exposures[i], depths.mean_exptime[i])
            row += _rounded(whole, min(depths.area[i] / whole, 1.0)) if name is not None else []
            rows.append((*row, *_rounded(*depths.deeper[:, i])))
    extra = _REGION if "region" in wanted.by else {}
    return _answer(wanted, rows, _VALUES | extra, "area where the group has a longer exposure time, square arcmin")


def answer_together(
    exposures: CoveringExposures, footprints: Footprints, wanted: Wanted, expected: Sequence[Sequence[str]] = ()
) -> Answer:
    """One row (per region): the area that every group covers, and where every group is deeper than the limits.

    `expected`: the values of each group where they are named, one or more; a group without exposures covers nothing.
    Raises UsageError for fewer than two groups, and for more than 16.
    """
    rows: list[tuple[Any, ...]] = []
    by = tuple(name for name in wanted.by if name not in ("region", "all"))
    if len(by) != 1:
        raise UsageError(f"found by {','.join(wanted.by)}; expected one property whose groups overlap, such as filter")
    everywhere = group(exposures, by, wanted.epochs)
    called = list(expected) or [(str(key[0]),) for key in everywhere.keys]
    names = [words[0] for words in called]
    if not 2 <= len(names) <= 16:
        raise UsageError(f"found {len(names)} groups by {by[0]}; expected 2 to 16: name them, as with --filter")
    place = {word: number for number, words in enumerate(called) for word in words}
    numbers = np.array([place.get(str(key[0]), -1) for key in everywhere.keys] + [-1], np.int64)[everywhere.number]
    for name, regions in wanted.parts():
        there, shapes = _cut(footprints, regions)
        areas = measure_together(shapes, exposures.exptime[there], numbers[there], len(names), wanted.deeper_than)
        rows.append((*(() if name is None else (name,)), ", ".join(names), *_rounded(*areas)))
    keys = (*(name for name in wanted.by if name == "region"), "together")
    meaning = "area where each group has a longer exposure time, square arcmin"
    area: Meanings = {"area_arcmin2": ("area on the sky that each group covers, square arcmin", "arcmin2")}
    return _answer(wanted, rows, area, meaning, keys)


def answer_gains(
    exposures: CoveringExposures, footprints: Footprints, wanted: Wanted, adding: NDArray[np.bool_]
) -> Answer:
    """One row per group to which the exposures that are `adding` add: where they are alone, and their depth."""
    rows: list[tuple[Any, ...]] = []
    for name, regions in wanted.parts():
        there, shapes = _cut(footprints, regions)
        inside, ours = exposures.select(there), adding[there]
        groups = group(inside, wanted.by, wanted.epochs)
        gains = measure_gains(shapes, inside.exptime, groups.number, len(groups.keys), ours, wanted.deeper_than)
        for i, members in enumerate(_members(groups)):
            own = members[ours[members]]
            if len(own):
                row = [*_key(wanted, groups.keys[i], name), len(own), *_rounded(inside.exptime[own].sum())]
                row += _rounded(*(column[i] for column in (gains.area, gains.new, gains.before, gains.after)))
                rows.append((*row, *_rounded(*gains.lifted[:, i])))
    meaning = "area that only with them has a longer exposure time, square arcmin"
    return _answer(wanted, rows, _GAINS, meaning)


def _cut(footprints: Footprints, regions: Sequence[SkyRegion]) -> tuple[NDArray[np.int64], Footprints]:
    """The places of the exposures that have a part within the regions, and these parts."""
    if not regions:
        return np.arange(footprints.n), footprints
    cut = clip(footprints, regions)
    there = np.unique(cut.owner)
    return there, select_footprints(cut, there)


def _members(groups: Groups) -> list[NDArray[np.int64]]:
    order = np.argsort(groups.number, kind="stable")
    bounds = np.searchsorted(groups.number[order], np.arange(len(groups.keys) + 1))
    return [order[a:b] for a, b in itertools.pairwise(bounds)]


def _sums(exposures: CoveringExposures, members: NDArray[np.int64]) -> list[Any]:
    """n_exposures, exptime, expstart, expend of a group; None for times that are not known."""
    start, end = exposures.expstart[members], exposures.expend[members]
    known, ended = np.isfinite(start), np.isfinite(end)
    first = float(start[known].min()) if known.any() else None
    last = float(end[ended].max()) if ended.any() else None
    return [len(members), *_rounded(exposures.exptime[members].sum()), first, last]


def _rounded(*values: Any) -> list[float]:
    """To 6 decimals: microseconds, and a few thousandths of a square arcsec."""
    return [round(float(value), 6) for value in values]


def _key(wanted: Wanted, key: tuple[Any, ...], region: str | None) -> list[Any]:
    values = iter(key)
    return [region if name == "region" else next(values) for name in wanted.key_columns()]


def _answer(
    wanted: Wanted, rows: list[tuple[Any, ...]], values: Meanings, deeper: str, keys: tuple[str, ...] | None = None
) -> Answer:
    keys = wanted.key_columns() if keys is None else keys
    meanings: Meanings = {name: (_KEYS[name], None) for name in keys} | values
    meanings |= {deeper_name(limit): (deeper, "arcmin2") for limit in wanted.deeper_than}
    return Answer(tuple(meanings), tuple(rows), meanings)
