"""Keeping `layer`, `layer_member` and the cells' canvases equal to what the memberships imply.

What a layer should hold is decided in layers/members.py and layers/build.py; here sets of rows are read, compared and
written. The cost follows the layers that a change concerns, not the size of the catalog.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from mvmdb.catalog.layers.canvases import settle_canvases
from mvmdb.catalog.layers.changed_keys import write_changed_keys
from mvmdb.catalog.layers.recorded import RecordedLayers, load_changed_layers
from mvmdb.catalog.products.made_digest import relink_products
from mvmdb.catalog.rows import chunks, keys_of_recipes, load_regions
from mvmdb.errors import WorkersError
from mvmdb.layers.build import BuiltLayers, LayerColumns, LayersToBuild, NamedCanvas, build_layers
from mvmdb.layers.digests import digest_recipe
from mvmdb.layers.members import FloatArray, LayerKey, LayerMembers, gather_members
from mvmdb.names import CellId, format_cell_name
from mvmdb.records import Canvas, Policy
from mvmdb.schema import tables as t
from mvmdb.schema.bulk_load import is_empty, may_drop_indexes, without_indexes
from mvmdb.schema.engine import bulk_insert, refresh_statistics, reserve_keys
from mvmdb.sky.footprints import expand_ranges
from mvmdb.workers.child import ChildProcess

KEYS_AT_ONCE = 20_000
"""More than this is worth a second process, and tables that are empty before it their indexes afterwards."""
LAYER_COLUMNS = tuple("recipe_id" if name == "recipe" else name for name in LayerColumns._fields)
_AHEAD = 2  # parts whose rows are being built while the next one is read: their sizes differ


def refresh_layers(connection: sa.Connection, keys: Iterable[LayerKey], policy: Policy) -> int:
    """Expect the layers of these keys anew and write what differs; return how many layers were written or removed.

    `keys` are a set, or come once each in the order of their cells: then they are never all in memory. The other layers
    of a sky cell are touched only where its canvas changes. Geometry is measured only for layers whose members changed;
    that and building rows go on beside the database's work on the parts before and after. Raises WorkersError where the
    process that does so is killed.
    """
    parts = _whole_cells(keys)
    begun = list(islice(parts, 2))
    many, done = len(begun) > 1, 0
    none_yet = is_empty(connection, t.layer)
    waiting: deque[_DecidedLayers] = deque()
    with ExitStack() as stack:
        if many and none_yet and may_drop_indexes(connection, t.layer, t.layer_member):
            stack.enter_context(without_indexes(connection, t.layer, t.layer_member))
        child = stack.enter_context(ChildProcess(_died, preload=LayersToBuild.__module__)) if many else None
        for keys_of_part in chain(begun, parts):
            waiting.append(_prepare(connection, keys_of_part, policy, child, none_yet))
            if len(waiting) > _AHEAD:
                done += _finish(connection, waiting.popleft())
        done += sum(_finish(connection, waiting_part) for waiting_part in waiting)
    relink_products(connection)
    return done


def _died(status: int) -> WorkersError:
    return WorkersError(
        f"the process that measures layers was stopped (it left {status}); expected it to live (out of memory?); "
        "try again"
    )


def _whole_cells(keys: Iterable[LayerKey]) -> Iterator[list[LayerKey]]:
    """The keys, sorted, in parts that never divide a cell."""
    cell_keys: list[LayerKey] = []
    for _, keys_of_cell in groupby(sorted(keys) if isinstance(keys, Set) else keys, key=itemgetter(0)):
        cell_keys += sorted(keys_of_cell)
        if len(cell_keys) >= KEYS_AT_ONCE:
            yield cell_keys
            cell_keys = []
    if cell_keys:
        yield cell_keys


@dataclass(frozen=True, slots=True)
class _DecidedLayers:
    """What the layers of some keys are to be, what is recorded, and how many others were written already."""

    members: LayerMembers
    recorded: RecordedLayers
    regrouped: NDArray[np.bool_]
    built: Callable[[], BuiltLayers]
    done: int


def _prepare(
    connection: sa.Connection, keys: Sequence[LayerKey], policy: Policy, child: ChildProcess | None, none_yet: bool
) -> _DecidedLayers:
    """Read what these keys' layers could be made of and what is recorded, settle the canvases, begin to build rows."""
    write_changed_keys(connection, keys)
    refresh_statistics(connection, t.exposure, t.membership, t.skycell, t.layer, t.layer_member)
    changed = load_changed_layers(connection, none_yet=none_yet)
    members = gather_members(changed.candidates, keys, policy)
    cell = np.array([key[0] for key in keys], dtype=np.int64)[members.key]
    canvases, moved = settle_canvases(
        connection,
        changed.bounds,
        np.concatenate([cell, changed.other_cells]),
        np.concatenate([members.box, changed.other_boxes]),
    )
    done = _redigest_others(connection, keys, moved) if changed.other_cells.size else 0
    area, regrouped = _known_areas(members, changed.recorded)
    counts = members.counts
    many = np.flatnonzero(regrouped & (counts > 1))
    area[many] = np.nan
    measured = np.unique(members.exposure[expand_ranges(members.start[many], counts[many])])
    layers = LayersToBuild(
        errors=policy.errors,
        members=members,
        cell=cell,
        obsmode=[keys[number][1:] for number in members.key.tolist()],
        canvases={
            id_: NamedCanvas(format_cell_name(CellId.from_index(id_)), str(canvas)) for id_, canvas in canvases.items()
        },
        area=area,
        region_of=measured,
        regions=load_regions(connection, measured.tolist()),
    )
    built = partial(build_layers, layers) if child is None else child.submit(build_layers, layers)
    return _DecidedLayers(members, changed.recorded, regrouped, built, done)


def _finish(connection: sa.Connection, decided: _DecidedLayers) -> int:
    """Write what differs; return how many layers were written or removed, those of other keys among them."""
    written = _write_layers(connection, decided, decided.built())
    # Rows that match a decided layer were taken out: the others are of layers that are no longer expected.
    gone = [row.id for rows_by_name in decided.recorded.values() for row in rows_by_name.values()]
    for ids in chunks(gone):
        connection.execute(sa.delete(t.layer).where(t.layer.c.id.in_(ids)))
    return decided.done + written + len(gone)


def _known_areas(members: LayerMembers, recorded: RecordedLayers) -> tuple[FloatArray, NDArray[np.bool_]]:
    """The area (square arcmin) of each layer where it need not be measured, and whether it has other members than
    those recorded: measuring is for layers of several members that have."""
    areas = members.overlap[members.start[:-1]].copy()
    regrouped = np.ones(len(areas), dtype=bool)
    for number in np.flatnonzero(np.isin(members.key, np.fromiter(recorded, dtype=np.int64))).tolist():
        for row in recorded[int(members.key[number])].values():
            if row.members_digest == members.digest[number]:
                areas[number], regrouped[number] = row.area_arcmin2, False
                break
    return areas, regrouped


def _write_layers(connection: sa.Connection, decided: _DecidedLayers, built: BuiltLayers) -> int:
    """Insert layers that are new, update those that changed, and rewrite the members of layers with other members.

    The rows recorded for these layers are taken out of `decided.recorded`.
    """
    columns = _as_rows(connection, built.columns)
    known = _match_recorded(decided, built)
    new = np.array([row is None for row in known], dtype=bool)
    inserted = columns if new.all() else [[v for v, is_new in zip(c, new, strict=True) if is_new] for c in columns]
    ids = reserve_keys(connection, t.layer, int(np.count_nonzero(new)))
    bulk_insert(connection, t.layer, ("id", *LAYER_COLUMNS), zip(ids, *inserted, strict=True))
    n_changed = _update_layers(connection, columns, known)
    rewritten = [
        (row.id, number)
        for row, number in zip(known, built.number.tolist(), strict=True)
        if row is not None and decided.regrouped[number]
    ]
    for layer_ids in chunks(id_ for id_, _ in rewritten):
        connection.execute(sa.delete(t.layer_member).where(t.layer_member.c.layer_id.in_(layer_ids)))
    layers = np.array([*(id_ for id_, _ in rewritten), *ids], dtype=np.int64)
    numbers = np.concatenate([np.array([number for _, number in rewritten], dtype=np.int64), built.number[new]])
    _write_members(connection, decided.members, layers, numbers)
    return len(ids) + n_changed


def _as_rows(connection: sa.Connection, columns: LayerColumns) -> list[Sequence[Any]]:
    """The columns in the order of LAYER_COLUMNS: recipes by their keys, which are the database's."""
    keys = keys_of_recipes(connection, columns.recipe)
    recipe_id = [keys[text] for text in columns.recipe]
    return [recipe_id if name == "recipe" else getattr(columns, name) for name in LayerColumns._fields]


def _match_recorded(decided: _DecidedLayers, built: BuiltLayers) -> list[Any]:
    """For each layer the recorded row of the same name, or None; those found are taken out of `decided.recorded`."""
    if not decided.recorded:
        return [None] * len(built.number)
    keys = decided.members.key[built.number].tolist()
    nothing: dict[str, Any] = {}
    return [
        decided.recorded.get(key, nothing).pop(name, None) for key, name in zip(keys, built.columns.name, strict=True)
    ]


def _update_layers(connection: sa.Connection, columns: Sequence[Sequence[Any]], known: Sequence[Any]) -> int:
    """Update the recorded layers that differ from `columns`, in the order of LAYER_COLUMNS; return their number.

    A failure is forgotten where what was to be made is no longer the same.
    """
    changed = []
    for number in np.flatnonzero([row is not None for row in known]).tolist():
        before = known[number]
        row = dict(zip(LAYER_COLUMNS, [column[number] for column in columns], strict=True))
        if any(before._mapping[name] != value for name, value in row.items()):
            failure = before.failure if before.recipe_digest == row["recipe_digest"] else None
            values = {f"new_{name}": value for name, value in row.items()}
            changed.append(values | {"new_failure": failure, "key": before.id})
    if changed:
        change = sa.update(t.layer).where(t.layer.c.id == sa.bindparam("key"))
        names = [*LAYER_COLUMNS, "failure"]
        connection.execute(change.values({name: sa.bindparam(f"new_{name}") for name in names}), changed)
    return len(changed)


def _write_members(
    connection: sa.Connection, members: LayerMembers, layers: NDArray[np.int64], numbers: NDArray[np.int64]
) -> None:
    """Write the members of layers given by key and, in parallel, by place in `members`."""
    counts = members.counts[numbers]
    exposures = members.exposure[expand_ranges(members.start[numbers], counts)]
    rows = zip(np.repeat(layers, counts).tolist(), exposures.tolist(), strict=True)
    bulk_insert(connection, t.layer_member, ("layer_id", "exposure_id"), rows)


def _redigest_others(connection: sa.Connection, keys: Iterable[LayerKey], moved: dict[int, Canvas]) -> int:
    """Give the layers of other keys, in cells whose canvas changed, their new recipe digest; return their number."""
    layer, changed_keys, rows = t.layer.c, set(keys), []
    columns = (layer[name] for name in ("skycell_id", "instrument", "detector", "filter", "id", "members_digest"))
    query = sa.select(*columns, t.recipe.c.parameters).select_from(t.layer.join(t.recipe))
    for cells in chunks(moved):
        for *key, id_, members, recipe in connection.execute(query.where(layer.skycell_id.in_(cells))):
            if tuple(key) not in changed_keys:
                rows.append({"key": id_, "new": digest_recipe(members, moved[key[0]], recipe)})
    if rows:
        change = sa.update(t.layer).where(layer.id == sa.bindparam("key"))
        connection.execute(change.values(recipe_digest=sa.bindparam("new"), failure=None), rows)
    return len(rows)
