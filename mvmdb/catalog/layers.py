"""Keeping `layer`, `layer_member` and the cells' canvases equal to what the memberships imply.

What a layer should hold is decided in reconcile.expected and measured in sky.layer; here sets of rows are read,
compared and written. The cost follows the layers that a change concerns, not the size of the catalog.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, repeat
from math import isnan
from operator import itemgetter
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from mvmdb.catalog.canvases import settle_canvases
from mvmdb.catalog.layermembers import FloatArray, LayerMembers, load_members
from mvmdb.catalog.made import link_products
from mvmdb.catalog.rows import chunks, load_regions
from mvmdb.catalog.touched import LayerKey, stage_keys, touched
from mvmdb.names import CellId, format_cell_name
from mvmdb.reconcile.expected import digest_recipe, layer_name, recipe_texts
from mvmdb.records import Canvas, Policy
from mvmdb.schema import tables as t
from mvmdb.schema.engine import bulk_insert, refresh_statistics, reserve_keys
from mvmdb.sky.footprints import expand_ranges
from mvmdb.sky.layer import measure_areas

KEYS_AT_ONCE = 20_000

Recorded = dict[int, dict[str, Any]]
"""The rows recorded for the layers of each key number, by name."""


def refresh_layers(connection: sa.Connection, keys: Iterable[LayerKey], policy: Policy) -> int:
    """Expect the layers of these keys anew and write what differs; return how many layers were written or removed.

    The other layers of a sky cell are touched only where its canvas changes. Geometry is measured only for layers
    whose members changed; it goes on beside the database's work on the parts before and after.
    """
    done = 0
    with ThreadPoolExecutor(1) as beside:
        before: _Part | None = None
        for own in _whole_cells(keys):
            part = _prepare(connection, own, policy, beside)
            done += _finish(connection, before)
            before = part
        done += _finish(connection, before)
    link_products(connection)
    return done


def _whole_cells(keys: Iterable[LayerKey]) -> Iterator[list[LayerKey]]:
    """The keys, sorted, in parts that never divide a cell."""
    part: list[LayerKey] = []
    for _, own in groupby(sorted(set(keys)), key=itemgetter(0)):
        part += own
        if len(part) >= KEYS_AT_ONCE:
            yield part
            part = []
    if part:
        yield part


@dataclass(slots=True)
class _Part:
    """Some keys, all of them that sky cells have: what is to be, what is recorded, and what is done already."""

    keys: Sequence[LayerKey]
    errors: bool
    members: LayerMembers
    canvases: dict[int, Canvas]
    recorded: Recorded
    regrouped: NDArray[np.bool_]
    areas: Future[FloatArray]
    done: int


def _prepare(connection: sa.Connection, keys: Sequence[LayerKey], policy: Policy, beside: Executor) -> _Part:
    """Read what these keys' layers should be and what is recorded, settle the canvases, and begin to measure areas."""
    stage_keys(connection, keys)
    refresh_statistics(connection, t.exposure, t.membership, t.skycell, t.layer, t.layer_member)
    members = load_members(connection, keys, policy)
    recorded = _load_recorded(connection)
    cells = np.array([key[0] for key in keys], dtype=np.int64)
    canvases, moved = settle_canvases(connection, np.unique(cells), cells[members.key], members.box)
    done = _redigest_others(connection, moved)
    areas, regrouped = _known_areas(members, recorded)
    many = np.flatnonzero(regrouped & (members.counts > 1))
    counts = members.counts[many]
    distinct, place = np.unique(members.exposure[expand_ranges(members.start[many], counts)], return_inverse=True)
    regions = load_regions(connection, distinct.tolist())

    def measure() -> FloatArray:
        start = np.concatenate([[0], np.cumsum(counts)])
        areas[many] = measure_areas(cells[members.key[many]], start, place, regions)
        return areas

    return _Part(keys, policy.errors, members, canvases, recorded, regrouped, beside.submit(measure), done)


def _finish(connection: sa.Connection, part: _Part | None) -> int:
    """Write what differs; return how many layers of the part were written or removed, in all."""
    if part is None:
        return 0
    written = _write_layers(connection, part)
    gone = [row.id for rows in part.recorded.values() for row in rows.values()]  # those that were met are taken out
    for ids in chunks(gone):
        connection.execute(sa.delete(t.layer).where(t.layer.c.id.in_(ids)))
    return part.done + written + len(gone)


def _load_recorded(connection: sa.Connection) -> Recorded:
    layer = t.layer.c
    own = sa.and_(*(layer[name] == touched.c[name] for name in ("skycell_id", "instrument", "detector", "filter")))
    recorded: Recorded = {}
    for row in connection.execute(sa.select(touched.c.number, t.layer).join(touched, own)).all():
        recorded.setdefault(row.number, {})[row.name] = row
    return recorded


def _known_areas(members: LayerMembers, recorded: Recorded) -> tuple[FloatArray, NDArray[np.bool_]]:
    """The area (square arcmin) of each layer where it need not be measured, and whether it has other members than
    those recorded: measuring is for layers of several members that have."""
    areas = members.overlap[members.start[:-1]].copy()
    regrouped = np.ones(len(areas), dtype=bool)
    for at in np.flatnonzero(np.isin(members.key, np.fromiter(recorded, dtype=np.int64))).tolist():
        for row in recorded[int(members.key[at])].values():
            if row.members_digest == members.digest[at]:
                areas[at], regrouped[at] = row.area_arcmin2, False
                break
    return areas, regrouped


_LAYER_COLUMNS = (
    "name", "skycell_id", "instrument", "detector", "filter", "scale", "label", "kind", "n_exposures", "exptime",
    "expstart", "expend", "area_arcmin2", "mean_exposures", "x_min", "x_max", "y_min", "y_max", "members_digest",
    "recipe", "recipe_digest",
)  # fmt: skip


def _write_layers(connection: sa.Connection, part: _Part) -> int:
    """Insert layers that are new, update those that changed, and rewrite the members of layers with other members.

    The rows recorded for these layers are taken out of `part.recorded`.
    """
    new: list[tuple[Any, ...]] = []
    new_of: list[int] = []
    changed: list[dict[str, Any]] = []
    rewritten: list[tuple[int, int]] = []
    numbers, regrouped = part.members.key.tolist(), part.regrouped.tolist()
    for at, rows in enumerate(_layer_rows(part)):
        before = part.recorded.get(numbers[at], {})
        for row in rows:
            known = before.pop(row[0], None)
            if known is None:
                new.append(row)
                new_of.append(at)
                continue
            if regrouped[at]:
                rewritten.append((known.id, at))
            if tuple(known._mapping[name] for name in _LAYER_COLUMNS) != row:
                clear = {"failure": known.failure if known.recipe_digest == row[-1] else None}
                changed.append(dict(zip(_LAYER_COLUMNS, row, strict=True)) | clear | {"key": known.id})
    ids = reserve_keys(connection, t.layer, len(new))
    bulk_insert(connection, t.layer, ("id", *_LAYER_COLUMNS), ((id_, *row) for id_, row in zip(ids, new, strict=True)))
    if changed:
        names = [*_LAYER_COLUMNS, "failure"]
        updates = [{f"new_{name}": row[name] for name in names} | {"key": row["key"]} for row in changed]
        change = sa.update(t.layer).where(t.layer.c.id == sa.bindparam("key"))
        connection.execute(change.values({name: sa.bindparam(f"new_{name}") for name in names}), updates)
    for own in chunks(id_ for id_, _ in rewritten):
        connection.execute(sa.delete(t.layer_member).where(t.layer_member.c.layer_id.in_(own)))
    _write_members(connection, part.members, [*rewritten, *zip(ids, new_of, strict=True)])
    return len(new) + len(changed)


def _layer_rows(part: _Part) -> Iterator[list[tuple[Any, ...]]]:
    """For each layer its rows, one for each scale, in the order of _LAYER_COLUMNS."""
    members, areas = part.members, part.areas.result()
    means = np.add.reduceat(members.overlap, members.start[:-1]) / areas if len(areas) else areas
    dates = [[None if isnan(day) else day for day in days.tolist()] for days in (members.expstart, members.expend)]
    columns = (
        members.key, members.counts, members.exptime, areas, np.where(members.counts == 1, 1.0, means), members.box,
    )  # fmt: skip
    values = zip(
        *(column.tolist() for column in columns), *dates, members.kind, members.digest, members.label, strict=True
    )
    cell, skycell, canvas = -1, "", ""
    for number, count, exptime, area, mean, box, expstart, expend, kind, digest, label in values:
        key = part.keys[number]
        if key[0] != cell:
            cell, skycell = key[0], format_cell_name(CellId.from_index(key[0]))
            canvas = str(part.canvases[cell])
        rows = []
        for scale, recipe in recipe_texts(key[1:], max(1, round(mean)), part.errors):
            name = layer_name(skycell, key[1:], scale, label)
            rows.append(
                (
                    str(name), *key, scale, name.label, kind, count, exptime, expstart, expend, area, mean, *box,
                    digest, recipe, digest_recipe(digest, canvas, recipe),
                )
            )  # fmt: skip
        yield rows


def _write_members(connection: sa.Connection, members: LayerMembers, layers: Sequence[tuple[int, int]]) -> None:
    """Write the members of layers given as (key, place in `members`)."""
    start, exposures = members.start.tolist(), members.exposure.tolist()
    rows = (row for id_, at in layers for row in zip(repeat(id_), exposures[start[at] : start[at + 1]], strict=False))
    bulk_insert(connection, t.layer_member, ("layer_id", "exposure_id"), rows)


def _redigest_others(connection: sa.Connection, moved: dict[int, Canvas]) -> int:
    """Give the layers that were not touched, in cells whose canvas changed, their new recipe digest."""
    layer = t.layer.c
    own = sa.and_(*(layer[name] == touched.c[name] for name in ("skycell_id", "instrument", "detector", "filter")))
    rows = []
    for part in chunks(moved):
        query = sa.select(layer.id, layer.skycell_id, layer.members_digest, layer.recipe)
        query = query.where(layer.skycell_id.in_(part), ~sa.select(touched.c.skycell_id).where(own).exists())
        for id_, cell, members, recipe in connection.execute(query):
            rows.append({"key": id_, "new": digest_recipe(members, moved[cell], recipe)})
    if rows:
        change = sa.update(t.layer).where(layer.id == sa.bindparam("key"))
        connection.execute(change.values(recipe_digest=sa.bindparam("new"), failure=None), rows)
    return len(rows)
