"""Whether the rows of sky cells and layers are what the recorded exposures and memberships imply.

The same functions decide it as in catalog/layers/refresh.py, from the same columns; nothing that is recorded of layers
is trusted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa

from mvmdb.catalog.check.close import is_same
from mvmdb.catalog.check.exposures import Corrections, is_camera
from mvmdb.catalog.check.finding import Damage, Finding, differences
from mvmdb.catalog.layers.canvases import BOX
from mvmdb.catalog.layers.recorded import as_placed, place_of
from mvmdb.catalog.products.made_digest import holds_other_skies
from mvmdb.catalog.rows import load_regions
from mvmdb.layers.build import LayerColumns, LayersToBuild, NamedCanvas, build_layers
from mvmdb.layers.canvas import bound_canvases
from mvmdb.layers.frames import mix_frames
from mvmdb.layers.members import Candidates, LayerKey, LayerMembers, gather_members
from mvmdb.names import CellId
from mvmdb.records import Canvas, Policy, ProductState
from mvmdb.schema import tables as t
from mvmdb.schema.engine import among, bulk_select
from mvmdb.sky.tessellation import cell_centers

_DIGESTS = ("members_digest", "recipe_digest")
_MEASURED = {"area_arcmin2", "mean_exposures", "mixed_arcmin2", "recipe", "recipe_digest"}
"""Columns that follow from footprints."""
_NO_CORRECTIONS = Corrections()
Expected = tuple[dict[str, dict[str, Any]], dict[int, Canvas]]
"""The layers by name, with their columns and `members` (keys of exposures); and the canvases by sky cell."""


def check_cells(
    connection: sa.Connection, cells: Sequence[int], policy: Policy, corrections: Corrections
) -> list[Finding]:
    """The findings in the rows of these sky cells (keys) and of their layers.

    A layer is right if it follows from the rows of exposures and memberships as they are, or as they are corrected: a
    wrong row is one finding, and what was rightly derived before it went wrong is none.
    """
    recorded = _load_layers(connection, cells)
    skycells = connection.execute(sa.select(t.skycell).where(among(connection, t.skycell.c.id, cells))).all()
    findings = list(_check_skycells(skycells))
    findings += _check_made(recorded)
    views = [_NO_CORRECTIONS, corrections] if corrections else [_NO_CORRECTIONS]
    found: list[list[Finding]] = []
    for view in views:
        expected, canvases = _expect(connection, cells, policy, view, corrections.unplaced)
        found.append([*_check_canvases(skycells, canvases), *_check_layers(connection, recorded, expected)])
        if not found[-1]:
            return findings
    keys = set.intersection(*({finding.key for finding in some} for some in found))
    return findings + [finding for finding in found[-1] if finding.key in keys]


def _load_layers(connection: sa.Connection, cells: Sequence[int]) -> dict[str, Any]:
    """The recorded layers by name, with their recipe's parameters and the row of their product."""
    product = t.product.c
    named = [product[name].label(f"product_{name}") for name in ("layer_id", "recipe_digest", "state")]
    named.append(holds_other_skies().label("product_moved"))
    source = t.layer.outerjoin(t.recipe).outerjoin(t.product, product.layer == t.layer.c.name)
    query = sa.select(t.layer, t.recipe.c.parameters.label("recipe"), *named).select_from(source)
    rows = connection.execute(query.where(among(connection, t.layer.c.skycell_id, cells)).order_by(t.layer.c.name))
    return {row.name: row for row in rows}


def _check_skycells(rows: Sequence[Any]) -> Iterator[Finding]:
    cells = [CellId.from_index(row.id) for row in rows]
    ra, dec = cell_centers(cells) if cells else (np.empty(0), np.empty(0))
    for row, cell, *center in zip(rows, cells, ra.tolist(), dec.tolist(), strict=True):
        names = ("name", "projection_cell", "x", "y", "ra", "dec")
        values = (str(cell), cell.projection_cell, cell.x, cell.y, *center)
        wrong = {
            name: (getattr(row, name), value)
            for name, value in zip(names, values, strict=True)
            if not is_same(name, getattr(row, name), value)
        }
        if wrong:
            found, expected = differences(wrong)
            yield Finding(Damage.CELL_WRONG, skycell=str(cell), table="skycell", found=found, expected=expected)


def _check_made(recorded: Mapping[str, Any]) -> Iterator[Finding]:
    """`made_digest` is that of the intact product with the solved skies, and the product is tied to the layer."""
    for name, row in recorded.items():
        is_made = row.product_state == ProductState.INTACT and not row.product_moved
        made = row.product_recipe_digest if is_made else None
        if row.made_digest != made:
            found, expected = differences({"made_digest": (row.made_digest, made)})
            yield _of_layer(Damage.DIGEST_WRONG, name, found, expected)
        if row.product_state is not None and row.product_layer_id != row.id:
            found, expected = differences({"layer_id": (row.product_layer_id, row.id)})
            yield _of_layer(Damage.PRODUCT_UNLINKED, name, found, expected, "product")


def _of_layer(kind: Damage, layer: str, found: str, expected: str, table: str = "layer") -> Finding:
    skycell = layer.removeprefix("hst_").split("_", 1)[0]
    return Finding(kind, skycell=skycell, layer=layer, table=table, found=found, expected=expected)


def _check_canvases(rows: Sequence[Any], canvases: Mapping[int, Canvas]) -> Iterator[Finding]:
    for row in rows:
        canvas = canvases.get(row.id)
        recorded = tuple(getattr(row, name) for name in BOX)
        expected = (None,) * 4 if canvas is None else tuple(getattr(canvas, name) for name in BOX)
        if recorded != expected:
            words = differences({"canvas": (recorded, expected)})
            yield Finding(
                Damage.CANVAS_WRONG, skycell=str(CellId.from_index(row.id)), table="skycell", found=words[0],
                expected=words[1],
            )  # fmt: skip


def _check_layers(
    connection: sa.Connection, recorded: Mapping[str, Any], expected: Mapping[str, Mapping[str, Any]]
) -> Iterator[Finding]:
    for name in sorted(expected.keys() - recorded.keys()):
        yield _of_layer(Damage.LAYER_MISSING, name, "no row", f"a layer of {len(expected[name]['members'])} members")
    for name in sorted(recorded.keys() - expected.keys()):
        yield _of_layer(Damage.LAYER_UNEXPECTED, name, f"{recorded[name].n_exposures} members", "no layer")
    both = sorted(recorded.keys() & expected.keys())
    members = _load_members(connection, [recorded[name].id for name in both])
    for name in both:
        wrong = {
            column: (getattr(recorded[name], column), value)
            for column, value in expected[name].items()
            if column != "members" and not is_same(column, getattr(recorded[name], column), value)
        }
        for kind, columns in (
            (Damage.DIGEST_WRONG, wrong.keys() & set(_DIGESTS)),
            (Damage.LAYER_WRONG, wrong.keys() - set(_DIGESTS)),
        ):
            if columns:
                yield _of_layer(kind, name, *differences({column: wrong[column] for column in sorted(columns)}))
        then, now = members.get(recorded[name].id, set()), expected[name]["members"]
        if then != now:
            yield _of_layer(Damage.MEMBER_WRONG, name, *_name_members(connection, then, now), "layer_member")


def _name_members(connection: sa.Connection, then: set[int], now: set[int]) -> tuple[str, str]:
    """(found, expected): the members that are too many, and those that are missing."""
    query = sa.select(t.exposure.c.id, t.exposure.c.ipppssoo).where(among(connection, t.exposure.c.id, then ^ now))
    names = {id_: name for id_, name in connection.execute(query)}

    def words(ids: set[int]) -> str:
        listed = sorted(names.get(id_, f"exposure {id_}") for id_ in ids)
        return ", ".join(listed[:5]) + (f" and {len(listed) - 5} more" if len(listed) > 5 else "")

    extra, missing = words(then - now), words(now - then)
    return (f"also {extra}" if extra else f"without {missing}"), (f"also {missing}" if missing else f"without {extra}")


def _load_members(connection: sa.Connection, layers: Sequence[int]) -> dict[int, set[int]]:
    m = t.layer_member.c
    members: dict[int, set[int]] = defaultdict(set)
    for layer, exposure in bulk_select(
        connection, sa.select(m.layer_id, m.exposure_id).where(among(connection, m.layer_id, layers))
    ):
        members[layer].add(exposure)
    return members


def _expect(
    connection: sa.Connection, cells: Sequence[int], policy: Policy, view: Corrections, unplaced: set[int]
) -> Expected:
    """The layers of these sky cells, and their canvases, as the rows of exposures imply them in this view.

    The layers of `unplaced` exposures (keys) lack what would have to be measured.
    """
    keys, candidates = _load_candidates(connection, cells, view)
    members = gather_members(candidates, keys, policy)
    cell = np.array([key[0] for key in keys], dtype=np.int64)[members.key]
    canvases = bound_canvases(cell, members.box)
    if not keys:
        return {}, canvases
    built = build_layers(_layers_to_build(connection, members, keys, cell, canvases, policy, unplaced))
    expected: dict[str, dict[str, Any]] = {}
    for place, number in enumerate(built.number.tolist()):
        values = {name: getattr(built.columns, name)[place] for name in LayerColumns._fields}
        first, stop = members.start[number : number + 2].tolist()
        exposures = set(members.exposure[first:stop].tolist())
        if exposures & unplaced:
            values = {name: value for name, value in values.items() if name not in _MEASURED}
        expected[values["name"]] = values | {"members": exposures}
    return expected, canvases


def _layers_to_build(
    connection: sa.Connection,
    members: LayerMembers,
    keys: Sequence[LayerKey],
    cell: Any,
    canvases: Mapping[int, Canvas],
    policy: Policy,
    unplaced: set[int],
) -> LayersToBuild:
    measured = np.setdiff1d(members.exposure, list(unplaced))
    several = members.counts > 1
    for number in np.flatnonzero(several).tolist() if unplaced else ():
        several[number] = not unplaced.intersection(
            members.exposure[slice(*members.start[number : number + 2])].tolist()
        )
    alone = members.overlap[members.start[:-1]]
    return LayersToBuild(
        making=policy.making,
        members=members,
        cell=cell,
        obsmode=[keys[number][1:] for number in members.key.tolist()],
        canvases={id_: NamedCanvas(str(CellId.from_index(id_)), str(canvas)) for id_, canvas in canvases.items()},
        area=np.where(several, np.nan, alone),
        region_of=measured,
        regions=load_regions(connection, measured.tolist()),
        mixed=several & mix_frames(members.start, members.frame, len(members.frames)),
    )


def _load_candidates(
    connection: sa.Connection, cells: Sequence[int], view: Corrections
) -> tuple[list[LayerKey], Candidates]:
    """The keys of the layers of these sky cells, sorted, and the exposures that may be their members."""
    e, m = t.exposure.c, t.membership.c
    of_exposure: tuple[Any, ...] = (
        e.id, e.eligible, e.ipppssoo, e.instrument, e.detector, e.filter, e.kind, e.member_digest, e.exptime,
        e.expstart, e.expend, (e.path != "").label("has_file"), e.frame,
    )  # fmt: skip
    placed, of_place = place_of(connection)
    of_exposure = (*of_exposure, *of_place)
    usable = sa.and_(e.withdrawn_at.is_(None), e.wcs_digest.is_not(None))
    query = sa.select(m.skycell_id, *(m[name] for name in BOX), m.area_arcmin2, *of_exposure)
    source = t.membership.join(t.exposure).outerjoin(t.placement, placed)
    query = query.select_from(source).where(among(connection, m.skycell_id, cells), usable)
    rows = [tuple(row) for row in connection.execute(query) if row.id not in view.boxes]
    if view.boxes:
        chosen = sa.select(*of_exposure).select_from(t.exposure.outerjoin(t.placement, placed))
        chosen = chosen.where(among(connection, e.id, list(view.boxes)), usable)
        wanted = set(cells)
        rows += [
            (cell, *box, *row)
            for row in connection.execute(chosen)
            for cell, box in view.boxes[row.id].items()
            if cell in wanted
        ]
    return _arrange(rows, view)


def _arrange(rows: Sequence[Any], view: Corrections) -> tuple[list[LayerKey], Candidates]:
    by_key: dict[LayerKey, list[tuple[str, tuple[Any, ...]]]] = defaultdict(list)
    for (
        cell,
        x_min,
        x_max,
        y_min,
        y_max,
        area,
        id_,
        eligible,
        name,
        *obsmode,
        kind,
        digest,
        time,
        start,
        end,
        has,
        frame,
        group,
        dx,
        dy,
        pixel,
    ) in rows:
        if not view.eligible.get(id_, eligible):
            continue
        instrument, detector, filter_name = (text.lower() for text in obsmode)
        if not is_camera(instrument, detector):  # a finding of the exposure tells of it
            continue
        values = (
            id_,
            kind,
            view.digests.get(id_, digest),
            x_min,
            x_max,
            y_min,
            y_max,
            time,
            start,
            end,
            area,
            bool(has),
            view.frames.get(id_, frame),
            as_placed(group, dx, dy, pixel),
        )
        by_key[cell, instrument, detector, filter_name].append((name, values))
    keys = sorted(by_key)
    arranged = [(number, *values) for number, key in enumerate(keys) for _, values in sorted(by_key[key])]
    return keys, Candidates.of_rows(arranged)
