"""Keeping `layer`, `layer_member` and the cells' canvases equal to what the memberships of a set of cells imply.

What a layer should hold is decided in reconcile.expected and measured in sky.layer; here rows are read and written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from mvmdb.names import CellId
from mvmdb.reconcile.expected import (
    CellMember,
    LayerDepth,
    describe_recipe,
    digest_members,
    expect_layers,
    group_members,
)
from mvmdb.records import Canvas, ExpectedLayer, Policy
from mvmdb.schema import tables as t
from mvmdb.schema.engine import upsert
from mvmdb.sky.layer import measure_layer

CHUNK = 5000  # bound parameters in one IN (...), below every database's limit


def chunks(values: Iterable[int] | Iterable[str]) -> Iterable[list[Any]]:
    """Distinct values, sorted, in lists that fit one IN (...)."""
    distinct = sorted(set(values))  # type: ignore[type-var]
    for start in range(0, len(distinct), CHUNK):
        yield distinct[start : start + CHUNK]


@dataclass(frozen=True, slots=True)
class _Cell:
    """One sky cell's members as rows tell them, and the layers recorded for it."""

    id: int
    members: list[CellMember]
    exposures: dict[str, Any]
    recorded: dict[str, Any]


def refresh_layers(connection: sa.Connection, cells: Iterable[int], policy: Policy) -> int:
    """Expect the layers of these sky cells anew and write what differs; return how many layers were written.

    Geometry is measured only for layers whose members changed.
    """
    written = 0
    for ids in chunks(cells):
        for cell in _load_cells(connection, ids):
            written += _refresh_cell(connection, cell, policy)
    return written


def _load_cells(connection: sa.Connection, ids: Sequence[int]) -> list[_Cell]:
    e, m = t.exposure.c, t.membership.c
    box = (m.x_min, m.x_max, m.y_min, m.y_max)
    query = (
        sa.select(
            m.skycell_id, e.id, e.ipppssoo, e.instrument, e.detector, e.filter, e.kind, e.pixels, e.wcs_digest,
            e.exptime, e.expstart, e.expend, *box,
        )
        .select_from(t.membership.join(t.exposure))
        .where(m.skycell_id.in_(ids), e.eligible, e.withdrawn_at.is_(None))
    )  # fmt: skip
    cells = {id_: _Cell(id_, [], {}, {}) for id_ in ids}
    for row in connection.execute(query):
        cell = cells[row.skycell_id]
        overlap = Canvas(row.x_min, row.x_max, row.y_min, row.y_max)
        cell.exposures[row.ipppssoo] = row
        cell.members.append(
            CellMember(
                row.ipppssoo, row.instrument, row.detector, row.filter, row.kind, row.pixels, row.wcs_digest, overlap
            )
        )
    for row in connection.execute(sa.select(t.layer).where(t.layer.c.skycell_id.in_(ids))):
        cells[row.skycell_id].recorded[row.name] = row
    return [cells[id_] for id_ in ids]


def _refresh_cell(connection: sa.Connection, cell: _Cell, policy: Policy) -> int:
    found = group_members(cell.members, policy)
    known = CellId.from_index(cell.id)
    bounds = found.canvas
    names = ("x_min", "x_max", "y_min", "y_max")
    canvas_row = {name: None if bounds is None else getattr(bounds, name) for name in names}
    connection.execute(sa.update(t.skycell).where(t.skycell.c.id == cell.id).values(**canvas_row))
    expected: dict[str, tuple[ExpectedLayer, LayerDepth, str]] = {}
    for key, members in found.groups.items():
        assert bounds is not None  # there is a canvas as soon as there is a group
        depth = _measure(connection, cell, known, members)
        for layer in expect_layers(str(known), key, members, bounds, depth):
            expected[layer.name] = (layer, depth, digest_members(members))
    written = _write_layers(connection, cell, expected)
    gone = [row.id for name, row in cell.recorded.items() if name not in expected]
    if gone:
        connection.execute(sa.delete(t.layer).where(t.layer.c.id.in_(gone)))
    return written + len(gone)


def _measure(connection: sa.Connection, cell: _Cell, known: CellId, members: Sequence[CellMember]) -> LayerDepth:
    """Measure a layer's depth, or read it back where its members are those already recorded."""
    digest = digest_members(members)
    for row in cell.recorded.values():
        if row.members_digest == digest:
            groups = connection.execute(
                sa.select(t.exposure.c.ipppssoo, t.layer_member.c.sky_group)
                .select_from(t.layer_member.join(t.exposure))
                .where(t.layer_member.c.layer_id == row.id)
            )
            return LayerDepth(row.area_arcmin2, row.mean_exposures, {name: group for name, group in groups})
    ids = [cell.exposures[member.ipppssoo].id for member in members]
    regions: dict[str, str] = {}
    for part in chunks(ids):
        rows = connection.execute(
            sa.select(t.exposure.c.ipppssoo, t.exposure.c.s_region).where(t.exposure.c.id.in_(part))
        )
        regions.update({name: region for name, region in rows})
    return LayerDepth(*measure_layer(known, regions))


def _write_layers(
    connection: sa.Connection, cell: _Cell, expected: dict[str, tuple[ExpectedLayer, LayerDepth, str]]
) -> int:
    changed = {
        name: value
        for name, value in expected.items()
        if name not in cell.recorded
        or cell.recorded[name].recipe_digest != value[0].recipe_digest
        or cell.recorded[name].members_digest != value[2]
    }
    upsert(connection, t.layer, ("name",), [_layer_row(cell, *value) for value in changed.values()])
    regrouped = [
        name
        for name, value in changed.items()
        if name not in cell.recorded or cell.recorded[name].members_digest != value[2]
    ]
    if regrouped:
        ids = dict(
            connection.execute(sa.select(t.layer.c.name, t.layer.c.id).where(t.layer.c.name.in_(regrouped))).all()
        )
        connection.execute(sa.delete(t.layer_member).where(t.layer_member.c.layer_id.in_(ids.values())))
        rows: dict[tuple[int, int], dict[str, Any]] = defaultdict(dict)
        for name in regrouped:
            for member in expected[name][0].members:
                key = (ids[name], cell.exposures[member.ipppssoo].id)
                rows[key] = {"layer_id": key[0], "exposure_id": key[1], "sky_group": member.sky_group}
        connection.execute(sa.insert(t.layer_member), list(rows.values()))
    return len(changed)


def _layer_row(cell: _Cell, layer: ExpectedLayer, depth: LayerDepth, members_digest: str) -> dict[str, Any]:
    from mvmdb.names import parse_layer_name

    parts = parse_layer_name(layer.name)
    rows = [cell.exposures[member.ipppssoo] for member in layer.members]
    return {
        "name": layer.name,
        "skycell_id": cell.id,
        "instrument": parts.instrument,
        "detector": parts.detector,
        "filter": parts.filter,
        "scale": parts.scale,
        "label": parts.label,
        "kind": layer.kind,
        "n_exposures": len(rows),
        "exptime": sum(row.exptime for row in rows),
        "expstart": min((row.expstart for row in rows if row.expstart is not None), default=None),
        "expend": max((row.expend for row in rows if row.expend is not None), default=None),
        "area_arcmin2": depth.area_arcmin2,
        "mean_exposures": depth.mean_exposures,
        "members_digest": members_digest,
        "recipe": describe_recipe(layer.recipe),
        "recipe_digest": layer.recipe_digest,
        "failure": None,
    }
