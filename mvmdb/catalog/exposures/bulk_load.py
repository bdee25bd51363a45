"""Registers exposures that are known from a table, given as batches of columns, in a single transaction.

A row says less than a file: if a file of an exposure was ingested, its row changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from mvmdb.catalog.clock import time_in
from mvmdb.catalog.exposures.memberships import add_memberships
from mvmdb.catalog.exposures.unplaced import refuse_places
from mvmdb.catalog.history.events import Event, Happened, write_events
from mvmdb.catalog.layers.changed_keys import keys_of_exposures
from mvmdb.catalog.layers.refresh import refresh_layers
from mvmdb.catalog.rows import chunks
from mvmdb.catalog.settings import read_policy
from mvmdb.catalog.spool import Spool
from mvmdb.errors import CatalogError
from mvmdb.exposures.batch import COLUMNS, ExposureBatch
from mvmdb.frames import frame_of_file
from mvmdb.garbage import gc_paused
from mvmdb.layers.digests import digest_member
from mvmdb.layers.members import LayerKey
from mvmdb.names import ObsMode
from mvmdb.records import Rule
from mvmdb.schema import tables as t
from mvmdb.schema.bulk_load import begin_without_foreign_keys, is_empty, may_drop_indexes, without_indexes
from mvmdb.schema.engine import among, bulk_insert, plain_time, reserve_keys
from mvmdb.sky.membership import Memberships, match_each

WORTH_DROPPING_INDEXES = 10_000
"""From this many rows in the first batch, the indexes of an empty catalog are built after all rows are in."""
_KEYS_AT_ONCE = 10_000
_MAX_OBSMODES = 65536
_WCS = COLUMNS.index("wcs_digest")
_SOLUTION = [COLUMNS.index(name) for name in ("wcsname", "distortion", "fit", "astrometric_catalog")]
_FILLED_FIRST = (t.skycell, t.exposure, t.membership)


@dataclass(slots=True)
class BulkReport:
    """What an import did; all counts are of rows, except `memberships` and `layers` (written or removed).

    `doubtful` counts new or changed rows with warnings; `unplaced` maps ipppssoo to why a footprint cannot be measured.
    """

    rows: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    ineligible: int = 0
    memberships: int = 0
    layers: int = 0
    doubtful: int = 0
    unplaced: dict[str, str] = field(default_factory=dict)


class _ChangedKeys:
    """The layer keys that an import changes, in order: 8 bytes per key, where a set of tuples would take 200."""

    def __init__(self) -> None:
        self._obsmodes: dict[ObsMode, int] = {}
        self._packed: list[NDArray[np.int64]] = []  # per batch: sky cell * _MAX_OBSMODES + number of the obsmode

    def add(self, cells: NDArray[np.int64], obsmodes: Iterable[ObsMode]) -> None:
        """Add keys given as sky cells and, in parallel, their obsmodes."""
        numbers = np.fromiter(
            (self._obsmodes.setdefault(mode, len(self._obsmodes)) for mode in obsmodes), np.int64, len(cells)
        )
        self._packed.append(np.unique(cells * _MAX_OBSMODES + numbers))

    def __iter__(self) -> Iterator[LayerKey]:
        obsmodes = list(self._obsmodes)
        packed = np.unique(np.concatenate(self._packed)) if self._packed else np.empty(0, dtype=np.int64)
        for first in range(0, len(packed), _KEYS_AT_ONCE):
            cells, numbers = np.divmod(packed[first : first + _KEYS_AT_ONCE], _MAX_OBSMODES)
            for cell, number in zip(cells.tolist(), numbers.tolist(), strict=True):
                yield cell, *obsmodes[number]


class _Recorded(NamedTuple):
    """An exposure of the catalog: its key, the path of its file (empty if there is none), and its COLUMNS."""

    id: int
    path: str
    values: tuple[Any, ...]


class _PlacedBatch(NamedTuple):
    """A batch with its memberships; `faults` says by row why a footprint cannot be measured."""

    batch: ExposureBatch
    memberships: Memberships
    faults: dict[int, str]


def _place(batch: ExposureBatch, rule: Rule) -> _PlacedBatch:
    memberships, faults = match_each(batch.footprints, rule)
    return _PlacedBatch(refuse_places(batch, faults), memberships, dict(faults))


def register_batches(
    engine: sa.Engine, batches: Iterable[ExposureBatch], *, progress: Callable[[int], None] | None = None
) -> BulkReport:
    """Write the exposures of all batches, their memberships and the layers that they change, in one transaction.

    A row is unchanged if the catalog has its exposure with the same values. If the values differ, the row replaces
    them, unless a file of the exposure was ingested. All batches are read, and placed on the sky, before the
    transaction begins. `progress` is called with the number of rows written since its last call. Memory does not grow
    with the rows, except for 8 bytes per layer key and batch that changes it; they wait in a temporary file. Raises
    CatalogError if another import fills an empty catalog at the same time, UsageError if TMPDIR has no room.
    """
    with gc_paused(), Spool[_PlacedBatch]("the table", "import it in parts") as placed:
        with engine.begin() as connection:
            rule = read_policy(connection).rule
        largest = 0
        for batch in batches:
            placed.add(_place(batch, rule))
            largest = max(largest, batch.n)
        return _register(engine, placed, rule, large=largest >= WORTH_DROPPING_INDEXES, progress=progress)


def _register(
    engine: sa.Engine,
    placed: Iterable[_PlacedBatch],
    rule: Rule,
    *,
    large: bool,
    progress: Callable[[int], None] | None,
) -> BulkReport:
    """Write the batches, which were placed by this rule, in one transaction."""
    report, keys = BulkReport(), _ChangedKeys()
    old_keys: set[LayerKey] = set()
    first_import = large and _is_empty_catalog(engine)
    with begin_without_foreign_keys(engine) if first_import else engine.begin() as connection:
        policy = read_policy(connection)
        drop_indexes = first_import and _may_drop_indexes(connection)
        with without_indexes(connection, *_FILLED_FIRST) if drop_indexes else nullcontext():
            for one in placed:
                here = one if policy.rule == rule else _place(one.batch, policy.rule)  # it was changed meanwhile
                old_keys |= _write_batch(connection, here, report, keys)
                if progress is not None:
                    progress(one.batch.n)
        report.layers = refresh_layers(connection, keys, policy)
        report.layers += refresh_layers(connection, old_keys, policy)
    return report


def _is_empty_catalog(engine: sa.Engine) -> bool:
    with engine.begin() as connection:
        return is_empty(connection, t.exposure) and is_empty(connection, t.layer)


def _may_drop_indexes(connection: sa.Connection) -> bool:
    """Whether a first import may drop indexes; raises CatalogError if another import has filled the catalog."""
    if not is_empty(connection, t.exposure):
        raise CatalogError(
            "another import filled the catalog at the same time; expected an empty catalog; import again"
        )
    return may_drop_indexes(connection, *_FILLED_FIRST, t.layer, t.layer_member)


def _write_batch(
    connection: sa.Connection, placed: _PlacedBatch, report: BulkReport, keys: _ChangedKeys
) -> set[LayerKey]:
    """Write one batch; return the layer keys that changed exposures had before."""
    batch, memberships, faults = placed
    rows = list(zip(*(batch.columns[name] for name in COLUMNS), strict=True))
    names: Sequence[Any] = batch.columns["ipppssoo"]
    last_rows = {name: row for row, name in enumerate(names)}  # the last row of an exposure counts
    recorded = _load_recorded(connection, last_rows)
    new, changed = [], []
    for name, row in last_rows.items():
        exposure = recorded.get(name)
        if exposure is None:
            new.append(row)
        elif not exposure.path and exposure.values != rows[row]:
            changed.append(row)
    ids = np.zeros(batch.n, dtype=np.int64)
    changed_ids = [recorded[names[row]].id for row in changed]
    old_keys = _update(connection, changed_ids, [rows[row] for row in changed], _digest_members(batch, changed))
    new_ids = reserve_keys(connection, t.exposure, len(new))
    _insert(connection, new_ids, [rows[row] for row in new], _digest_members(batch, new))
    ids[new], ids[changed] = new_ids, changed_ids
    for kind, of_kind in ((Happened.EXPOSURE_NEW, new), (Happened.EXPOSURE_CHANGED, changed)):
        write_events(connection, (Event(kind, exposure=names[row], detail="from a table") for row in of_kind))
    report.memberships += _write_memberships(connection, batch, ids, memberships, keys)
    report.rows += batch.n
    report.new += len(new)
    report.changed += len(changed)
    report.unchanged += batch.n - len(new) - len(changed)
    written = (*new, *changed)
    report.ineligible += sum(not batch.columns["eligible"][row] for row in written)
    report.doubtful += sum(bool(batch.columns["warnings"][row]) for row in written)
    for row in sorted(faults.keys() & set(written)):
        report.unplaced[names[row]] = faults[row]
    return old_keys


def _load_recorded(connection: sa.Connection, names: Iterable[str]) -> dict[str, _Recorded]:
    """The exposures among `names` that the catalog has, by ipppssoo."""
    e = t.exposure.c
    query = sa.select(e.id, e.path, *(e[name] for name in COLUMNS)).where(among(connection, e.ipppssoo, names))
    return {row.ipppssoo: _Recorded(row.id, row.path, tuple(row[2:])) for row in connection.execute(query).all()}


def _digest_members(batch: ExposureBatch, rows: Iterable[int]) -> list[str]:
    """The member digest of each of these rows of a batch."""
    columns: Mapping[str, Sequence[Any]] = batch.columns
    names, kinds, pixels, wcs = (columns[name] for name in ("ipppssoo", "kind", "pixels", "wcs_digest"))
    return [digest_member(names[row], kinds[row], pixels[row], wcs[row] or "") for row in rows]


def _frame(row: Sequence[Any]) -> str | None:
    """The frame of an exposure, of its COLUMNS."""
    return frame_of_file(*(row[place] for place in _SOLUTION))


def _insert(
    connection: sa.Connection, ids: Sequence[int], rows: Sequence[tuple[Any, ...]], digests: Sequence[str]
) -> None:
    """Insert exposures: their keys, COLUMNS and member digests."""
    time = plain_time(connection, time_in(connection))
    names = ("id", *COLUMNS, "member_digest", "member_wcs", "alternate", "frame", "path", "registered_at", "changed_at")
    values = (
        (id_, *row, digest, row[_WCS], "", _frame(row), "", time, time)
        for id_, row, digest in zip(ids, rows, digests, strict=True)
    )
    bulk_insert(connection, t.exposure, names, values)


def _update(
    connection: sa.Connection, ids: Sequence[int], rows: Sequence[tuple[Any, ...]], digests: Sequence[str]
) -> set[LayerKey]:
    """Replace COLUMNS and member digests of exposures, delete their memberships; return the layer keys they had."""
    if not ids:
        return set()
    old_keys = keys_of_exposures(connection, ids)
    names = [*COLUMNS, "member_digest", "member_wcs", "alternate", "frame", "changed_at"]
    time = time_in(connection)
    values = [
        {"key": id_}
        | {
            f"new_{name}": value
            for name, value in zip(names, (*row, digest, row[_WCS], "", _frame(row), time), strict=True)
        }
        for id_, row, digest in zip(ids, rows, digests, strict=True)
    ]
    change = sa.update(t.exposure).where(t.exposure.c.id == sa.bindparam("key"))
    connection.execute(change.values({name: sa.bindparam(f"new_{name}") for name in names}), values)
    for exposure_ids in chunks(ids):
        connection.execute(sa.delete(t.membership).where(t.membership.c.exposure_id.in_(exposure_ids)))
    return old_keys


def _write_memberships(
    connection: sa.Connection,
    batch: ExposureBatch,
    ids: NDArray[np.int64],
    memberships: Memberships,
    keys: _ChangedKeys,
) -> int:
    """Write the memberships of the rows that were written, those whose `ids` are not 0; return their number."""
    written = memberships.select(ids[memberships.exposure] > 0)
    columns: Mapping[str, Sequence[Any]] = batch.columns
    obsmodes = list(zip(columns["instrument"], columns["detector"], columns["filter"], strict=True))
    keys.add(written.cell_index, (obsmodes[row] for row in written.exposure.tolist()))
    return add_memberships(connection, ids, written)
