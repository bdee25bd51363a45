"""Every exposure that is in a layer, in a few numbers each, for maps of the whole sky."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from mvmdb import frames
from mvmdb.schema import tables as t
from mvmdb.schema.engine import bulk_select, iso_utc_time

GAIA, OTHER, NONE = 0, 1, 2
"""The frame of an exposure (`mvmdb.frames`): Gaia, another one, or none that is known."""
UNDATED = -10_000
"""The month of an exposure whose start is not known."""
_MJD_1858 = -40_587
"""MJD 0 in days since 1970."""
_AT_ONCE = 50_000


@dataclass(frozen=True, slots=True)
class MappedExposures:
    """n exposures that are members of layers, in the order of `id`, one value per column and exposure.

    `id`: keys of the table `exposure`. `ra`, `dec`: centre of the footprint, degrees (NaN where unknown). `filter`:
    places in `filters`. `program`: proposal numbers. `month`: of the start, from January 1990 (0); UNDATED if
    unknown. `milliseconds`: exposure time. `frame`: GAIA, OTHER or NONE. `stale`: whether a layer of it is stale.
    `mixed`: whether a layer of it has members of different frames that overlap.
    """

    id: NDArray[np.int64]
    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    filter: NDArray[np.int64]
    program: NDArray[np.int64]
    month: NDArray[np.int64]
    milliseconds: NDArray[np.int64]
    frame: NDArray[np.int64]
    stale: NDArray[np.bool_]
    mixed: NDArray[np.bool_]
    filters: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.id)

    def places(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The places of exposures in the columns, and -1 for those that are not among them."""
        if not len(self.id):
            return np.full(len(ids), -1)
        found = np.minimum(np.searchsorted(self.id, ids), len(self.id) - 1)
        return np.where(self.id[found] == ids, found, -1)


@dataclass(frozen=True, slots=True)
class Totals:
    """How much the archive holds: layers, the stale ones, sky cells with layers; `as_of`: its last change, UTC."""

    layers: int
    stale: int
    skycells: int
    as_of: str


def load_mapped(connection: sa.Connection) -> MappedExposures:
    """Every exposure that is a member of a layer."""
    x = t.exposure.c
    member = sa.select(sa.literal(1)).where(t.layer_member.c.exposure_id == x.id)
    query = sa.select(
        x.id, x.ra, x.dec, x.filter, x.proposal_id, x.expstart, x.exptime, x.frame
    ).where(sa.exists(member)).order_by(x.id)  # fmt: skip
    names: dict[str, int] = {}
    rows = iter(bulk_select(connection, query))
    parts = [_columns(some, names) for some in iter(lambda: list(islice(rows, _AT_ONCE)), [])] or [_columns((), names)]
    key, ra, dec, filter_, program, month, milliseconds, frame = map(np.concatenate, zip(*parts, strict=True))
    filters, renumbered = _in_order(names)
    stale, mixed = (np.isin(key, _members_of(connection, which)) for which in (t.layer.c.stale, t.MIXED))
    return MappedExposures(
        key, ra, dec, renumbered[filter_], program, month, milliseconds, frame, stale, mixed, filters
    )  # fmt: skip


def load_totals(connection: sa.Connection) -> Totals:
    """The counts that the map's heading gives."""
    y = t.layer.c
    layers, cells = connection.execute(sa.select(sa.func.count(), sa.func.count(sa.distinct(y.skycell_id)))).one()
    stale = connection.scalar(sa.select(sa.func.count()).select_from(t.layer).where(y.stale)) or 0
    times = [
        sa.select(iso_utc_time(connection, sa.func.max(column)))
        for column in (t.exposure.c.changed_at, t.product.c.made_at)
    ]
    return Totals(layers, stale, cells, max((str(connection.scalar(query) or "") for query in times), default=""))


def month_of(mjd: NDArray[np.float64]) -> NDArray[np.int64]:
    """Months of dates from January 1990 (0); UNDATED for NaN and for what is no date."""
    dated = np.isfinite(mjd) & (np.abs(mjd) < 2_000_000)
    days = np.floor(np.where(dated, mjd, 0.0)).astype(np.int64) + _MJD_1858
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) - 240
    return np.where(dated, months, UNDATED)


def frame_of(frame: str | None) -> int:
    """GAIA, OTHER or NONE of the name of a frame."""
    return {frames.GAIA: GAIA, frames.NONE: NONE, None: NONE}.get(frame, OTHER)


def _columns(rows: Iterable[Any], names: dict[str, int]) -> list[NDArray[Any]]:
    """The first eight columns; `names` grows by the filters that are new."""
    listed = list(zip(*rows, strict=True)) or [()] * 8
    key, ra, dec, filters, program, start, exptime, frame = listed
    known = {name: frame_of(name) for name in set(frame)}
    return [
        np.array(key, np.int64),
        np.array(ra, np.float64),
        np.array(dec, np.float64),
        np.array([names.setdefault(name, len(names)) for name in filters], np.int64),
        np.array(program, np.int64),
        month_of(np.array(start, np.float64)),
        np.rint(np.array(exptime, np.float64) * 1000).astype(np.int64),
        np.array([known[name] for name in frame], np.int64),
    ]


def _in_order(names: dict[str, int]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The names sorted, and the new number of each old one."""
    filters = tuple(sorted(names))
    renumbered = np.zeros(len(names), np.int64)
    for number, name in enumerate(filters):
        renumbered[names[name]] = number
    return filters, renumbered


def _members_of(connection: sa.Connection, which: Any) -> NDArray[np.int64]:
    """The keys of the members of the layers of which this is true."""
    member = t.layer_member
    query = sa.select(member.c.exposure_id).distinct().select_from(member.join(t.layer)).where(which)
    return np.fromiter((row[0] for row in bulk_select(connection, query)), np.int64)
