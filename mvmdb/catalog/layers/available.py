"""Layers that wait for files, as expected from only those members that have a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa

from mvmdb.catalog.layers.changed_keys import write_changed_keys
from mvmdb.catalog.layers.recorded import load_candidates
from mvmdb.catalog.rows import chunks, load_regions
from mvmdb.layers.build import LayersToBuild, NamedCanvas, build_layers
from mvmdb.layers.members import Candidates, LayerKey, LayerMembers, gather_members
from mvmdb.names import parse_cell_name
from mvmdb.recipe import Recipe
from mvmdb.records import Canvas, ExpectedLayer, Member, Policy, UnmadeLayer
from mvmdb.schema import tables as t
from mvmdb.schema.engine import among
from mvmdb.sky.layer import find_groups

_BOX = ("x_min", "x_max", "y_min", "y_max")


def expect_available(
    connection: sa.Connection, expected: Sequence[ExpectedLayer], unmade: Sequence[UnmadeLayer], policy: Policy
) -> tuple[list[ExpectedLayer], list[UnmadeLayer]]:
    """(expected, unmade), in which each layer that waits for files is expected from only the members that have one.

    Such a layer moves from `unmade` to `expected`. A layer none of whose members has a file still waits.
    """
    waiting = [layer.name for layer in expected if layer.waits_for]
    waiting += [layer.name for layer in unmade if layer.n_waiting]
    layers = load_available(connection, waiting, policy)
    replaced = [layers.pop(layer.name, layer) for layer in expected]
    return replaced + list(layers.values()), [layer for layer in unmade if layer.name not in layers]


def load_available(connection: sa.Connection, names: Iterable[str], policy: Policy) -> dict[str, ExpectedLayer]:
    """These layers (names) as expected from the members that have a file; layers without such members are left out."""
    rows = _load_rows(connection, names)
    keys: list[LayerKey] = sorted({(row.skycell_id, row.instrument, row.detector, row.filter) for row in rows.values()})
    if not keys:
        return {}
    write_changed_keys(connection, keys)
    candidates = load_candidates(connection)
    kept = [row for row, has in zip(zip(*candidates, strict=True), candidates.has_file, strict=True) if has]
    members = gather_members(Candidates.of_rows(kept), keys, policy)
    built = build_layers(_layers_to_build(connection, members, keys, rows, policy))
    layers: dict[str, ExpectedLayer] = {}
    columns = built.columns
    for place, (number, name) in enumerate(zip(built.number.tolist(), columns.name, strict=True)):
        if name not in rows:
            continue
        recipe = Recipe.from_json(columns.recipe[place])
        exposures = members.exposure[members.start[number] : members.start[number + 1]].tolist()
        layers[name] = ExpectedLayer(
            name=name,
            skycell=rows[name].skycell,
            kind=columns.kind[place],
            members=_load_members(connection, exposures, rows[name].skycell, recipe.sky_match),
            canvas=_canvas(rows[name]),
            recipe=recipe,
            recipe_digest=columns.recipe_digest[place],
            failure=rows[name].failure or "",
        )
    return layers


def _load_rows(connection: sa.Connection, names: Iterable[str]) -> dict[str, Any]:
    layer, cell = t.layer.c, t.skycell.c
    columns = [layer[name] for name in ("name", "skycell_id", "instrument", "detector", "filter", "failure")]
    query = sa.select(*columns, cell.name.label("skycell"), *(cell[name] for name in _BOX))
    query = query.select_from(t.layer.join(t.skycell))
    return {
        row.name: row for chunk in chunks(names) for row in connection.execute(query.where(layer.name.in_(chunk))).all()
    }


def _layers_to_build(
    connection: sa.Connection, members: LayerMembers, keys: Sequence[LayerKey], rows: dict[str, Any], policy: Policy
) -> LayersToBuild:
    single = members.counts == 1
    measured = np.unique(members.exposure)
    return LayersToBuild(
        making=policy.making,
        members=members,
        cell=np.array([key[0] for key in keys], dtype=np.int64)[members.key],
        obsmode=[keys[number][1:] for number in members.key.tolist()],
        canvases={row.skycell_id: NamedCanvas(row.skycell, str(_canvas(row))) for row in rows.values()},
        area=np.where(single, members.overlap[members.start[:-1]], np.nan) if len(single) else members.exptime,
        region_of=measured,
        regions=load_regions(connection, measured.tolist()),
    )


def _load_members(
    connection: sa.Connection, exposures: Sequence[int], skycell: str, sky_match: bool
) -> tuple[Member, ...]:
    e = t.exposure.c
    query = sa.select(e.ipppssoo, e.pixels, e.member_wcs, e.s_region, t.sky.c.value)
    query = query.select_from(t.exposure.outerjoin(t.sky)).where(among(connection, e.id, exposures))
    rows = connection.execute(query.order_by(e.ipppssoo)).all()
    groups = {}
    if sky_match:
        regions = {row.ipppssoo: row.s_region for row in rows}
        groups = find_groups(parse_cell_name(skycell).projection_cell, regions)
    return tuple(
        Member(row.ipppssoo, row.pixels, row.member_wcs, groups.get(row.ipppssoo, ""), row.value) for row in rows
    )


def _canvas(row: Any) -> Canvas:
    return Canvas(row.x_min, row.x_max, row.y_min, row.y_max)
