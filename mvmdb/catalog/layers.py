"""Keeping `layer`, `layer_member` and the cells' canvases equal to what the memberships imply.

What a layer should hold is decided in reconcile.expected and measured in sky.layer; here sets of rows are read,
compared and written. The cost follows the layers that a change concerns, not the size of the catalog.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from mvmdb.catalog.rows import chunks, load_regions
from mvmdb.catalog.touched import LayerKey, stage_keys, touched
from mvmdb.names import CellId, format_cell_name
from mvmdb.recipes import Recipe
from mvmdb.reconcile.expected import (
    CellMember,
    bound_members,
    digest_members,
    digest_recipe,
    group_members,
    layer_name,
    layer_recipes,
)
from mvmdb.records import Canvas, Policy
from mvmdb.schema import tables as t
from mvmdb.schema.engine import bulk_insert, refresh_statistics
from mvmdb.sky.layer import measure_areas

KEYS_AT_ONCE = 20_000
_BOX = ("x_min", "x_max", "y_min", "y_max")


@dataclass(slots=True)
class _Group:
    """One key's members as they should be, their rows by identity, and the rows recorded for its layers."""

    key: LayerKey
    members: list[CellMember] = field(default_factory=list)
    rows: dict[str, Any] = field(default_factory=dict)
    recorded: dict[str, Any] = field(default_factory=dict)
    digest: str = ""
    area: float = 0.0
    mean: float = 0.0
    regrouped: bool = False
    canvas: Canvas | None = None


def refresh_layers(connection: sa.Connection, keys: Iterable[LayerKey], policy: Policy) -> int:
    """Expect the layers of these keys anew and write what differs; return how many layers were written or removed.

    The other layers of a sky cell are touched only where its canvas changes. Geometry is measured only for layers
    whose members changed.
    """
    return sum(_refresh_part(connection, part, policy) for part in _whole_cells(keys))


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


def _refresh_part(connection: sa.Connection, keys: Sequence[LayerKey], policy: Policy) -> int:
    stage_keys(connection, keys)
    refresh_statistics(connection, t.exposure, t.membership, t.skycell, t.layer, t.layer_member)
    groups = {key: _Group(key) for key in keys}
    _load_members(connection, groups, policy)
    _load_recorded(connection, groups)
    moved = _settle_canvases(connection, groups)
    _measure(connection, [group for group in groups.values() if _has_new_members(group)])
    written = _write_groups(connection, [group for group in groups.values() if group.members])
    gone = [row.id for group in groups.values() if not group.members for row in group.recorded.values()]
    for part in chunks(gone):
        connection.execute(sa.delete(t.layer).where(t.layer.c.id.in_(part)))
    return written + len(gone) + _redigest_others(connection, moved)


def _load_members(connection: sa.Connection, groups: dict[LayerKey, _Group], policy: Policy) -> None:
    e, m = t.exposure.c, t.membership.c
    same = sa.and_(e.instrument == touched.c.instrument, e.detector == touched.c.detector, e.filter == touched.c.filter)
    query = (
        sa.select(
            e.ipppssoo, e.instrument, e.detector, e.filter, e.kind, e.member_digest, m.x_min, m.x_max, m.y_min, m.y_max,
            m.skycell_id, e.id, e.exptime, e.expstart, e.expend, m.area_arcmin2,
        )
        .select_from(touched.join(t.membership, m.skycell_id == touched.c.skycell_id).join(t.exposure, same))
        .where(e.id == m.exposure_id, e.eligible, e.withdrawn_at.is_(None), e.wcs_digest.is_not(None))
    )  # fmt: skip
    found: dict[LayerKey, list[Any]] = {}
    for row in connection.execute(query):
        found.setdefault((row[10], row[1], row[2], row[3]), []).append(row)
    for key, rows in found.items():
        for members in group_members([CellMember._make(row[:10]) for row in rows], policy).values():
            group = groups[key]
            group.members = members
            group.rows = {row[0]: row for row in rows}
            group.digest = digest_members(member.digest for member in members)


def _load_recorded(connection: sa.Connection, groups: dict[LayerKey, _Group]) -> None:
    layer = t.layer.c
    own = sa.and_(*(layer[column.name] == column for column in touched.c))
    for row in connection.execute(sa.select(t.layer).join(touched, own)):
        groups[row.skycell_id, row.instrument, row.detector, row.filter].recorded[row.name] = row


def _has_new_members(group: _Group) -> bool:
    """Whether the members are not those that the recorded layers have; else their geometry is known."""
    for row in group.recorded.values():
        if row.members_digest == group.digest:
            group.area, group.mean = row.area_arcmin2, row.mean_exposures
            return False
    return bool(group.members)


def _measure(connection: sa.Connection, groups: Sequence[_Group]) -> None:
    """Area and depth of layers whose members changed: their geometry, where more than one exposure makes it."""
    many = []
    for group in groups:
        group.regrouped = True
        if len(group.members) > 1:
            many.append(group)
        else:
            group.area, group.mean = group.rows[group.members[0].ipppssoo].area_arcmin2, 1.0
    if not many:
        return
    regions = load_regions(connection, {group.rows[m.ipppssoo].id for group in many for m in group.members})
    wanted = [(CellId.from_index(group.key[0]), [member.ipppssoo for member in group.members]) for group in many]
    for group, area in zip(many, measure_areas(wanted, regions).tolist(), strict=True):
        group.area = area
        group.mean = sum(group.rows[member.ipppssoo].area_arcmin2 for member in group.members) / area


def _settle_canvases(connection: sa.Connection, groups: dict[LayerKey, _Group]) -> dict[int, Canvas]:
    """Give every group its cell's canvas, record those that changed, and return them by cell."""
    layer, cell = t.layer.c, t.skycell.c
    boxes: dict[int, list[Canvas]] = {key[0]: [] for key in groups}
    for key, group in groups.items():
        box = bound_members(group.members)
        if box is not None:
            boxes[key[0]].append(box)
    own = sa.and_(*(layer[column.name] == column for column in touched.c))
    cells = sa.select(touched.c.skycell_id)
    others = (
        sa.select(
            layer.skycell_id,
            sa.func.min(layer.x_min),
            sa.func.max(layer.x_max),
            sa.func.min(layer.y_min),
            sa.func.max(layer.y_max),
        )
        .where(layer.skycell_id.in_(cells), ~sa.select(touched.c.skycell_id).where(own).exists())
        .group_by(layer.skycell_id)
    )  # fmt: skip
    for id_, *bounds in connection.execute(others):
        boxes[id_].append(Canvas(*bounds))
    recorded = connection.execute(sa.select(cell.id, *(cell[name] for name in _BOX)).where(cell.id.in_(cells)))
    before = {row[0]: row[1:] for row in recorded}
    canvases = {id_: _join(own_boxes) for id_, own_boxes in boxes.items()}
    for key, group in groups.items():
        group.canvas = canvases[key[0]]
    moved = {id_: canvas for id_, canvas in canvases.items() if _bounds(canvas) != tuple(before[id_])}
    if moved:
        change = sa.update(t.skycell).where(cell.id == sa.bindparam("cell"))
        change = change.values({name: sa.bindparam(f"new_{name}") for name in _BOX})
        rows: list[dict[str, Any]] = [
            {"cell": id_, **{f"new_{name}": value for name, value in zip(_BOX, _bounds(canvas), strict=True)}}
            for id_, canvas in moved.items()
        ]
        connection.execute(change, rows)
    return {id_: canvas for id_, canvas in moved.items() if canvas is not None}


def _join(boxes: Sequence[Canvas]) -> Canvas | None:
    if not boxes:
        return None
    return Canvas(
        min(box.x_min for box in boxes),
        max(box.x_max for box in boxes),
        min(box.y_min for box in boxes),
        max(box.y_max for box in boxes),
    )


def _bounds(canvas: Canvas | None) -> tuple[int | None, ...]:
    return (None,) * 4 if canvas is None else (canvas.x_min, canvas.x_max, canvas.y_min, canvas.y_max)


_LAYER_COLUMNS = (
    "name", "skycell_id", "instrument", "detector", "filter", "scale", "label", "kind", "n_exposures", "exptime",
    "expstart", "expend", "area_arcmin2", "mean_exposures", *_BOX, "members_digest", "recipe", "recipe_digest",
)  # fmt: skip


def _write_groups(connection: sa.Connection, groups: Sequence[_Group]) -> int:
    """Insert layers that are new, update those that changed, and rewrite the members of either."""
    new: list[tuple[Any, ...]] = []
    changed: list[dict[str, Any]] = []
    regrouped: list[_Group] = []
    for group in groups:
        rows = list(_layer_rows(group))
        new += [row for row in rows if row[0] not in group.recorded]
        for row in rows:
            known = group.recorded.get(row[0])
            if known is not None and tuple(known._mapping[name] for name in _LAYER_COLUMNS) != row:
                clear = {"failure": known.failure if known.recipe_digest == row[-1] else None}
                changed.append(dict(zip(_LAYER_COLUMNS, row, strict=True)) | clear | {"key": known.id})
        if group.regrouped:
            regrouped.append(group)
    bulk_insert(connection, t.layer, _LAYER_COLUMNS, new)
    if changed:
        names = [*_LAYER_COLUMNS, "failure"]
        updates = [{f"new_{name}": row[name] for name in names} | {"key": row["key"]} for row in changed]
        change = sa.update(t.layer).where(t.layer.c.id == sa.bindparam("key"))
        connection.execute(change.values({name: sa.bindparam(f"new_{name}") for name in names}), updates)
    _write_members(connection, regrouped)
    return len(new) + len(changed)


def _layer_rows(group: _Group) -> Iterator[tuple[Any, ...]]:
    """One row for each scale, in the order of _LAYER_COLUMNS."""
    skycell = format_cell_name(CellId.from_index(group.key[0]))
    rows = [group.rows[member.ipppssoo] for member in group.members]
    starts = [row.expstart for row in rows if row.expstart is not None]
    ends = [row.expend for row in rows if row.expend is not None]
    bounds = _bounds(bound_members(group.members))
    assert group.canvas is not None  # there is a canvas as soon as there is a member
    for recipe in layer_recipes(group.key[1:], group.mean):
        name = layer_name(skycell, group.key[1:], recipe.scale)
        yield (
            str(name), *group.key, recipe.scale, name.label, group.members[0].kind, len(rows),
            sum(row.exptime for row in rows), min(starts, default=None), max(ends, default=None),
            group.area, group.mean, *bounds, group.digest, recipe.to_json(),
            digest_recipe(group.digest, group.canvas, recipe),
        )  # fmt: skip


def _write_members(connection: sa.Connection, groups: Sequence[_Group]) -> None:
    old = [row.id for group in groups for row in group.recorded.values()]
    for part in chunks(old):
        connection.execute(sa.delete(t.layer_member).where(t.layer_member.c.layer_id.in_(part)))
    layer = t.layer.c
    own = sa.and_(*(layer[column.name] == column for column in touched.c))
    ids: dict[LayerKey, list[int]] = {}
    query = sa.select(layer.skycell_id, layer.instrument, layer.detector, layer.filter, layer.id).join(touched, own)
    for row in connection.execute(query):
        ids.setdefault(row[:4], []).append(row[4])
    rows = (
        (id_, group.rows[member.ipppssoo].id) for group in groups for id_ in ids[group.key] for member in group.members
    )
    bulk_insert(connection, t.layer_member, ("layer_id", "exposure_id"), rows)


def _redigest_others(connection: sa.Connection, moved: dict[int, Canvas]) -> int:
    """Give the layers that were not touched, in cells whose canvas changed, their new recipe digest."""
    layer = t.layer.c
    own = sa.and_(*(layer[column.name] == column for column in touched.c))
    rows = []
    for part in chunks(moved):
        query = sa.select(layer.id, layer.skycell_id, layer.members_digest, layer.recipe)
        query = query.where(layer.skycell_id.in_(part), ~sa.select(touched.c.skycell_id).where(own).exists())
        for id_, cell, members, recipe in connection.execute(query):
            rows.append({"key": id_, "new": digest_recipe(members, moved[cell], Recipe.from_json(recipe))})
    if rows:
        change = sa.update(t.layer).where(layer.id == sa.bindparam("key"))
        connection.execute(change.values(recipe_digest=sa.bindparam("new"), failure=None), rows)
    return len(rows)
