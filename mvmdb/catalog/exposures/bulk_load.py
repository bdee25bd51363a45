"""Registering exposures that are known from a table: batches of columns in, one transaction in all.

A row tells less than a file does: where an exposure's file was ingested, its row changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from mvmdb.catalog.clock import now
from mvmdb.catalog.exposures.memberships import add_memberships
from mvmdb.catalog.layers.changed_keys import keys_of_exposures
from mvmdb.catalog.layers.refresh import refresh_layers
from mvmdb.catalog.rows import chunks
from mvmdb.catalog.settings import read_policy
from mvmdb.errors import CatalogError
from mvmdb.exposures.batch import COLUMNS, ExposureBatch
from mvmdb.garbage import gc_paused
from mvmdb.layers.digests import digest_member
from mvmdb.layers.members import LayerKey
from mvmdb.names import ObsMode
from mvmdb.records import Policy
from mvmdb.schema import tables as t
from mvmdb.schema.bulk_load import bare, begin_unchecked, is_empty, may_be_bare
from mvmdb.schema.engine import among, bulk_insert, plain_time, reserve_keys
from mvmdb.sky.membership import find_members

WORTH_BARE_TABLES = 10_000
"""Rows in the first batch from which an empty catalog has its indexes made after all rows are in."""
_KEYS_AT_ONCE = 10_000
_FILLED_FIRST = (t.skycell, t.exposure, t.membership)
_OWN = ("member_digest", "path", "registered_at", "changed_at")
_NAME, _ELIGIBLE = COLUMNS.index("ipppssoo"), COLUMNS.index("eligible")
_OBSMODE = [COLUMNS.index(name) for name in ("instrument", "detector", "filter")]
_DIGESTED = [COLUMNS.index(name) for name in ("ipppssoo", "kind", "pixels", "wcs_digest")]


@dataclass(slots=True)
class BulkReport:
    """What an import did; the counts are rows, but for `memberships` and `layers`."""

    rows: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    ineligible: int = 0
    memberships: int = 0
    layers: int = 0


class _Keys:
    """The layer keys that an import touches, in order: 8 bytes a key, where a set of tuples would take 200."""

    def __init__(self) -> None:
        self._obsmodes: dict[ObsMode, int] = {}
        self._parts: list[NDArray[np.int64]] = []

    def add(self, cells: NDArray[np.int64], obsmodes: Iterable[ObsMode]) -> None:
        """Add keys given as sky cells and, in parallel, (instrument, detector, filter)."""
        numbers = np.fromiter(
            (self._obsmodes.setdefault(mode, len(self._obsmodes)) for mode in obsmodes), np.int64, len(cells)
        )
        self._parts.append(np.unique(cells * 65536 + numbers))

    def __iter__(self) -> Iterator[LayerKey]:
        obsmodes = list(self._obsmodes)
        every = np.unique(np.concatenate(self._parts)) if self._parts else np.empty(0, dtype=np.int64)
        for first in range(0, len(every), _KEYS_AT_ONCE):
            part = every[first : first + _KEYS_AT_ONCE]
            for cell, mode in zip((part // 65536).tolist(), (part % 65536).tolist(), strict=True):
                yield cell, *obsmodes[mode]


def register_batches(
    engine: sa.Engine, batches: Iterable[ExposureBatch], *, progress: Callable[[int], None] | None = None
) -> BulkReport:
    """Write the exposures of all batches, their memberships, and the layers that follow, in one transaction.

    A row whose exposure is there with the same values is unchanged; one that differs replaces it, unless a file of the
    exposure was ingested. `progress` is called with the number of rows done since. Memory does not grow with the rows,
    but for 8 bytes a layer and batch that it is in.
    """
    report, keys = BulkReport(), _Keys()
    old_keys: set[LayerKey] = set()
    source = iter(batches)
    begun = list(islice(source, 1))
    first = bool(begun) and begun[0].n >= WORTH_BARE_TABLES and _has_nothing(engine)
    with gc_paused(), begin_unchecked(engine) if first else engine.begin() as connection:
        policy = read_policy(connection)
        bare_now = first and _may_be_bare(connection)
        with bare(connection, *_FILLED_FIRST) if bare_now else nullcontext():
            for batch in chain(begun, source):
                old_keys |= _write_batch(connection, batch, policy, report, keys)
                if progress is not None:
                    progress(batch.n)
        report.layers = refresh_layers(connection, keys, policy)
        report.layers += refresh_layers(connection, old_keys, policy)
    return report


def _has_nothing(engine: sa.Engine) -> bool:
    with engine.begin() as connection:
        return is_empty(connection, t.exposure) and is_empty(connection, t.layer)


def _may_be_bare(connection: sa.Connection) -> bool:
    """Whether a first import may go without indexes; raises CatalogError where another one came in between."""
    if not is_empty(connection, t.exposure):
        raise CatalogError("another import filled the catalog meanwhile; expected it to be empty still; import again")
    return may_be_bare(connection, *_FILLED_FIRST, t.layer, t.layer_member)


def _write_batch(
    connection: sa.Connection, batch: ExposureBatch, policy: Policy, report: BulkReport, keys: _Keys
) -> set[LayerKey]:
    """Write one batch; returns the keys that changed exposures had before."""
    rows = list(zip(*(batch.columns[name] for name in COLUMNS), strict=True))
    last = {row[_NAME]: at for at, row in enumerate(rows)}  # of two rows of one exposure the later one counts
    known = _load_known(connection, last)
    new, changed = [], []
    for name, at in last.items():
        found = known.get(name)
        if found is None:
            new.append(at)
        elif not found[1] and found[2:] != rows[at]:
            changed.append(at)
    old_keys = _update(connection, [rows[at] for at in changed], known)
    first = reserve_keys(connection, t.exposure, len(new))
    _insert(connection, [rows[at] for at in new], first)
    ids = np.zeros(batch.n, dtype=np.int64)
    ids[new] = first
    ids[changed] = [known[rows[at][_NAME]][0] for at in changed]
    report.memberships += _write_memberships(connection, batch, ids, rows, policy, keys)
    report.rows += batch.n
    report.new += len(new)
    report.changed += len(changed)
    report.unchanged += batch.n - len(new) - len(changed)
    report.ineligible += sum(not rows[at][_ELIGIBLE] for at in (*new, *changed))
    return old_keys


def _load_known(connection: sa.Connection, names: Iterable[str]) -> dict[str, tuple[Any, ...]]:
    """(key, path, then COLUMNS) of the exposures that are there, by identity."""
    e = t.exposure.c
    query = sa.select(e.id, e.path, *(e[name] for name in COLUMNS)).where(among(connection, e.ipppssoo, names))
    return {row.ipppssoo: tuple(row) for row in connection.execute(query).all()}


def _member_digest(row: Sequence[Any]) -> str:
    name, kind, pixels, wcs_digest = (row[at] for at in _DIGESTED)
    return digest_member(name, kind, pixels, wcs_digest or "")


def _insert(connection: sa.Connection, rows: Sequence[tuple[Any, ...]], keys: Sequence[int]) -> None:
    time = plain_time(connection, now())
    values = ((key, *row, _member_digest(row), "", time, time) for key, row in zip(keys, rows, strict=True))
    bulk_insert(connection, t.exposure, ("id", *COLUMNS, *_OWN), values)


def _update(
    connection: sa.Connection, rows: Sequence[tuple[Any, ...]], known: dict[str, tuple[Any, ...]]
) -> set[LayerKey]:
    if not rows:
        return set()
    ids = [known[row[_NAME]][0] for row in rows]
    old_keys = keys_of_exposures(connection, ids)
    names = [*COLUMNS, "member_digest", "changed_at"]
    time = now()
    values = [
        {"key": id_} | {f"new_{n}": v for n, v in zip(names, (*row, _member_digest(row), time), strict=True)}
        for id_, row in zip(ids, rows, strict=True)
    ]
    change = sa.update(t.exposure).where(t.exposure.c.id == sa.bindparam("key"))
    connection.execute(change.values({name: sa.bindparam(f"new_{name}") for name in names}), values)
    for part in chunks(ids):
        connection.execute(sa.delete(t.membership).where(t.membership.c.exposure_id.in_(part)))
    return old_keys


def _write_memberships(
    connection: sa.Connection,
    batch: ExposureBatch,
    ids: NDArray[np.int64],
    rows: Sequence[tuple[Any, ...]],
    policy: Policy,
    keys: _Keys,
) -> int:
    """Memberships of the rows that were written, those with a key in `ids`."""
    found = find_members(batch.footprints, policy.rule)
    written = found.select(ids[found.exposure] > 0)
    obsmodes: list[Any] = [tuple(row[at] for at in _OBSMODE) for row in rows]
    keys.add(written.cell_index, (obsmodes[at] for at in written.exposure.tolist()))
    return add_memberships(connection, ids, written)
