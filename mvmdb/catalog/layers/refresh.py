"""Keeps `layer`, `layer_member` and the canvases of cells equal to what the memberships imply.

layers/members.py and layers/build.py decide what a layer should hold; this module reads, compares and writes rows. The
cost depends on the number of layers that a change affects, not on the size of the catalog.
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
from mvmdb.layers.frames import mix_frames
from mvmdb.layers.members import FloatArray, LayerKey, LayerMembers, gather_members
from mvmdb.names import CellId, format_cell_name
from mvmdb.records import Canvas, Policy
from mvmdb.schema import tables as t
from mvmdb.schema.bulk_load import is_empty, may_drop_indexes, without_indexes
from mvmdb.schema.engine import bulk_insert, refresh_statistics, reserve_keys
from mvmdb.sky.footprints import expand_ranges
from mvmdb.workers.child import ChildProcess

KEYS_AT_ONCE = 20_000
"""Keys per batch. From two batches on, a child process builds rows, and empty tables get their indexes afterwards."""
LAYER_COLUMNS = tuple("recipe_id" if name == "recipe" else name for name in LayerColumns._fields)
_AHEAD = 2  # batches whose rows are being built while the next one is read: batches differ in size


def refresh_layers(connection: sa.Connection, keys: Iterable[LayerKey], policy: Policy) -> int:
    """Recompute the layers of these keys and write what differs; return how many layers were written or removed.

    `keys` is a set, or an iterable of distinct keys in the order of their cells, which is never all in memory. The
    other layers of a sky cell are updated only if its canvas changes. Areas are measured only for layers whose members
    changed. If there is more than one batch, a child process measures areas and builds rows while the database works on
    other batches. Raises WorkersError if that process dies.
    """
    batches = _whole_cells(keys)
    first_batches = list(islice(batches, 2))
    several, n_changed = len(first_batches) > 1, 0
    none_yet = is_empty(connection, t.layer)
    waiting: deque[_DecidedLayers] = deque()
    with ExitStack() as stack:
        if several and none_yet and may_drop_indexes(connection, t.layer, t.layer_member):
            stack.enter_context(without_indexes(connection, t.layer, t.layer_member))
        child = stack.enter_context(ChildProcess(_died, preload=LayersToBuild.__module__)) if several else None
        for batch in chain(first_batches, batches):
            waiting.append(_prepare(connection, batch, policy, child, none_yet))
            if len(waiting) > _AHEAD:
                n_changed += _finish(connection, waiting.popleft())
        n_changed += sum(_finish(connection, decided) for decided in waiting)
    relink_products(connection)
    return n_changed


def _died(status: int) -> WorkersError:
    return WorkersError(
        f"the process that measures layers was stopped (it left {status}); expected it to live (out of memory?); "
        "try again"
    )


def _whole_cells(keys: Iterable[LayerKey]) -> Iterator[list[LayerKey]]:
    """The keys, sorted, in batches of KEYS_AT_ONCE or more; all keys of a cell are in one batch."""
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
    """What the layers of one batch of keys should be, and what is recorded of them.

    `regrouped`: (m,) whether a layer has other members than those recorded. `built` returns the rows, and waits for
    them if a child process builds them. `done`: how many layers of other keys were already updated.
    """

    members: LayerMembers
    recorded: RecordedLayers
    regrouped: NDArray[np.bool_]
    built: Callable[[], BuiltLayers]
    done: int


def _prepare(
    connection: sa.Connection, keys: Sequence[LayerKey], policy: Policy, child: ChildProcess | None, none_yet: bool
) -> _DecidedLayers:
    """Read the candidates and the recorded layers of these keys, update canvases, and start building rows."""
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
    n_redigested = _redigest_others(connection, keys, moved) if changed.other_cells.size else 0
    area, regrouped = _known_areas(members, changed.recorded)
    counts = members.counts
    unmeasured, mixed = regrouped & (counts > 1), mix_frames(members.start, members.frame, len(members.frames))
    area[unmeasured] = np.nan
    # Frames can change while members stay, so where they meet is measured again: few layers mix them.
    measured = np.flatnonzero(unmeasured | mixed)
    exposures = np.unique(members.exposure[expand_ranges(members.start[measured], counts[measured])])
    layers = LayersToBuild(
        errors=policy.errors,
        weight=policy.weight,
        members=members,
        cell=cell,
        obsmode=[keys[number][1:] for number in members.key.tolist()],
        canvases={
            id_: NamedCanvas(format_cell_name(CellId.from_index(id_)), str(canvas)) for id_, canvas in canvases.items()
        },
        area=area,
        region_of=exposures,
        regions=load_regions(connection, exposures.tolist()),
        mixed=mixed,
    )
    built = partial(build_layers, layers) if child is None else child.submit(build_layers, layers)
    return _DecidedLayers(members, changed.recorded, regrouped, built, n_redigested)


def _finish(connection: sa.Connection, decided: _DecidedLayers) -> int:
    """Write what differs; return how many layers were written or removed, including those of other keys."""
    written = _write_layers(connection, decided, decided.built())
    # `_write_layers` removed the rows that match a decided layer; the rest are of layers that are no longer expected.
    unexpected = [row.id for rows_by_name in decided.recorded.values() for row in rows_by_name.values()]
    for ids in chunks(unexpected):
        connection.execute(sa.delete(t.layer).where(t.layer.c.id.in_(ids)))
    return decided.done + written + len(unexpected)


def _known_areas(members: LayerMembers, recorded: RecordedLayers) -> tuple[FloatArray, NDArray[np.bool_]]:
    """(m,) area in square arcmin: as recorded if the members are the same, else the overlap of the first member.

    Also (m,) whether a layer has other members than those recorded; the caller measures such layers of several members.
    """
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

    Return how many layers were inserted or updated. Removes the rows recorded for these layers from `decided.recorded`.
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
    """The columns in the order of LAYER_COLUMNS, with the recipes' keys in the catalog in place of the recipes."""
    keys = keys_of_recipes(connection, columns.recipe)
    recipe_id = [keys[text] for text in columns.recipe]
    return [recipe_id if name == "recipe" else getattr(columns, name) for name in LayerColumns._fields]


def _match_recorded(decided: _DecidedLayers, built: BuiltLayers) -> list[Any]:
    """The recorded row of the same name, or None, for each layer; removes these rows from `decided.recorded`."""
    if not decided.recorded:
        return [None] * len(built.number)
    keys = decided.members.key[built.number].tolist()
    no_rows: dict[str, Any] = {}
    return [
        decided.recorded.get(key, no_rows).pop(name, None) for key, name in zip(keys, built.columns.name, strict=True)
    ]


def _update_layers(connection: sa.Connection, columns: Sequence[Sequence[Any]], known: Sequence[Any]) -> int:
    """Update the recorded layers that differ from `columns` (in the order of LAYER_COLUMNS); return their number.

    A changed recipe digest clears the failure: what failed is no longer what is expected.
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
    """Write the members of layers; `layers` holds their keys in the catalog, `numbers` their indices in `members`."""
    counts = members.counts[numbers]
    exposures = members.exposure[expand_ranges(members.start[numbers], counts)]
    rows = zip(np.repeat(layers, counts).tolist(), exposures.tolist(), strict=True)
    bulk_insert(connection, t.layer_member, ("layer_id", "exposure_id"), rows)


def _redigest_others(connection: sa.Connection, keys: Iterable[LayerKey], moved: dict[int, Canvas]) -> int:
    """Update the recipe digests of layers of other keys in cells whose canvas changed; return their number."""
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
