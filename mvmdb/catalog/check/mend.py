"""Computes rows again that do not follow from others, and records in the history what was mended.

What an exposure's or a product's file says is read by the caller, before the transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import sqlalchemy as sa

from mvmdb.catalog.alternates import use_alternates
from mvmdb.catalog.check.exposures import is_camera, is_region
from mvmdb.catalog.check.finding import Finding
from mvmdb.catalog.check.references import find_dangling
from mvmdb.catalog.exposures.memberships import replace_memberships
from mvmdb.catalog.exposures.register import exposure_values, load_exposures_by_name
from mvmdb.catalog.exposures.unplaced import refuse_place
from mvmdb.catalog.history.events import Event, Happened, write_events
from mvmdb.catalog.layers.canvases import BOX
from mvmdb.catalog.layers.changed_keys import all_keys, keys_of_exposures
from mvmdb.catalog.layers.refresh import refresh_layers
from mvmdb.catalog.products.made_digest import update_made_digest
from mvmdb.catalog.products.record import product_values, record_members
from mvmdb.catalog.rows import chunks
from mvmdb.errors import NameFormatError
from mvmdb.exposures.eligibility import PIXEL_RULES
from mvmdb.exposures.wcsname import rank_solution
from mvmdb.layers.digests import digest_member, digest_product
from mvmdb.layers.members import LayerKey
from mvmdb.names import CellId, Kind, format_cell_name, format_product_name, parse_cell_name, parse_layer_name
from mvmdb.records import Canvas, Dataset, Policy, ProductRecord, Proof
from mvmdb.schema import tables as t
from mvmdb.schema.values import equals_key
from mvmdb.sky.membership import match_each_region
from mvmdb.sky.tessellation import cell_centers

OF_POLLERS = ("pollers_since", "pollers_behind", "pollers_unfinished")
KINDS: tuple[Kind, Kind] = ("flt", "flc")


def note_repairs(connection: sa.Connection, findings: Iterable[Finding]) -> None:
    """Write an event for each finding that is being mended."""
    write_events(
        connection,
        [
            Event(
                Happened.REPAIRED,
                exposure=finding.exposure[:8] or None,
                layer=finding.layer or None,
                path=finding.path or None,
                detail=": ".join((str(finding.kind), *filter(None, [finding.table or finding.skycell, finding.found]))),
            )
            for finding in findings
        ],
    )


def remove_dangling(connection: sa.Connection) -> tuple[set[str], set[int]]:
    """Remove dangling rows, or their references where they may be empty.

    Returns the exposures (ipppssoo) and the sky cells (keys) of which other rows follow from them.
    """
    exposures: set[str] = set()
    cells: set[int] = set()
    for row in find_dangling(connection):
        this = sa.and_(*(equals_key(row.table.c[name], value) for name, value in row.key.items()))
        if row.table is t.layer_member:
            cells.update(connection.scalars(sa.select(t.layer.c.skycell_id).where(t.layer.c.id == row.key["layer_id"])))
        if row.table is t.membership:
            owner = sa.select(t.exposure.c.ipppssoo).where(t.exposure.c.id == row.key["exposure_id"])
            exposures.update(connection.scalars(owner))
        if row.table.c[row.column].nullable:
            connection.execute(sa.update(row.table).where(this).values({row.column: None}))
        elif row.table is t.layer and row.column == "recipe_id":  # it is kept, and computed again
            cells.update(connection.scalars(sa.select(t.layer.c.skycell_id).where(this)))
        else:
            connection.execute(sa.delete(row.table).where(this))
    return exposures, cells


def forget_pollers(connection: sa.Connection) -> None:
    """Remove what is recorded of poller files, so that any may be out of date."""
    connection.execute(sa.delete(t.archive).where(t.archive.c.key.in_(OF_POLLERS)))


def fit_datasets(connection: sa.Connection, names: Iterable[str]) -> None:
    """Make the rows of files fit the rows of these exposures (ipppssoo), whose active file they name."""
    for row in load_exposures_by_name(connection, names).values():
        mine = t.dataset.c.exposure_id == row.id
        if connection.scalar(sa.select(t.dataset.c.id).where(mine, t.dataset.c.path == row.path)) is None:
            continue  # it is not known which is active
        connection.execute(sa.update(t.dataset).where(mine).values(active=t.dataset.c.path == row.path))
        for id_, path in connection.execute(sa.select(t.dataset.c.id, t.dataset.c.path).where(mine)).all():
            change = sa.update(t.dataset).where(t.dataset.c.id == id_)
            values: dict[str, object] = {"filename": Path(path).name}
            if path == row.path:
                values |= {"kind": row.kind, "wcs_rank": rank_solution(row.wcsname)}
            connection.execute(change.values(**values))


def recompute_members(connection: sa.Connection, names: Iterable[str], policy: Policy) -> None:
    """Compute the memberships of these exposures (ipppssoo) again from their footprints, and the layers that follow.

    Those whose footprint cannot be read keep theirs.
    """
    known = load_exposures_by_name(connection, names).values()
    rows = [row for row in known if not row.s_region or is_region(row.s_region)]
    ids = [row.id for row in rows]
    keys = _of_cameras(keys_of_exposures(connection, ids))
    matched, _ = match_each_region([row.s_region for row in rows], policy.rule)
    replace_memberships(connection, ids, matched)
    refresh_layers(connection, keys | _of_cameras(keys_of_exposures(connection, ids)), policy)


def rewrite_exposure(
    connection: sa.Connection, key: int, dataset: Dataset, pixels: str, pixel_digest: str | None, policy: Policy
) -> None:
    """Write the row of an exposure (key) again from its active file, and what follows from it.

    Its standing is kept: when it was withdrawn, and that it was refused for its pixels.
    """
    exposure = dataset.exposure
    before = connection.execute(sa.select(t.exposure).where(t.exposure.c.id == key)).one()
    values = exposure_values(exposure)
    _, faults = match_each_region([exposure.s_region], policy.rule)
    if faults:
        values = refuse_place(values, faults[0])
    if before.ineligible_rule in PIXEL_RULES:
        values |= {"eligible": False, "ineligible_rule": before.ineligible_rule}
        values |= {"ineligible_reason": before.ineligible_reason}
    digest = digest_member(exposure.ipppssoo, exposure.kind, pixels, exposure.wcs_digest or "")
    values |= {"pixels": pixels, "pixel_digest": pixel_digest, "member_digest": digest}
    values["pruned"] = before.pruned and before.withdrawn_at is not None
    values["withdrawn_why"] = before.withdrawn_why if before.withdrawn_at is not None else None
    values |= {"alternate": "", "member_wcs": exposure.wcs_digest, "frame": exposure.frame}
    values |= {"path": dataset.path, "filename": Path(dataset.path).name}
    keys = _of_cameras(keys_of_exposures(connection, [before.id]))
    connection.execute(sa.update(t.exposure).where(t.exposure.c.id == before.id).values(**values))
    use_alternates(connection, [before.id])
    fit_datasets(connection, [exposure.ipppssoo])
    recompute_members(connection, [exposure.ipppssoo], policy)
    refresh_layers(connection, keys, policy)


def recompute_cells(connection: sa.Connection, cells: Sequence[int], policy: Policy) -> None:
    """Write the rows of these sky cells (keys) again, and compute all their layers from their members."""
    for key in connection.scalars(sa.select(t.skycell.c.id).where(t.skycell.c.id.in_(cells))).all():
        update_skycell(connection, key)
    remove_misnamed(connection, cells)
    of_cells = t.layer.c.skycell_id.in_(cells)
    connection.execute(
        sa.update(t.layer).where(of_cells).values(members_digest="")
    )  # so that nothing of them is trusted
    refresh_layers(connection, _of_cameras(all_keys(connection, cells)), policy)


def update_skycell(connection: sa.Connection, key: int) -> None:
    """Write the row of a sky cell again, but for its canvas."""
    cell = CellId.from_index(key)
    ra, dec = cell_centers([cell])
    values: dict[str, object] = {"name": str(cell), "ra": ra.item(), "dec": dec.item()}
    values |= {"projection_cell": cell.projection_cell, "x": cell.x, "y": cell.y}
    connection.execute(sa.update(t.skycell).where(t.skycell.c.id == key).values(**values))


def _of_cameras(keys: Iterable[LayerKey]) -> set[LayerKey]:
    """The keys of detectors that there are: a row that was changed by hand may name another."""
    return {key for key in keys if is_camera(*key[1:3])}


def remove_misnamed(connection: sa.Connection, cells: Sequence[int]) -> None:
    """Remove layers in these sky cells (keys), or of their names, whose columns are not those of their names.

    They would be in the way of the layers that are computed again: `recompute_cells` must follow.
    """
    if not cells:
        return
    layer = t.layer.c
    prefixes = [f"hst_{format_cell_name(CellId.from_index(cell))}_" for cell in cells]
    named = sa.or_(*(layer.name.between(prefix, f"{prefix}~") for prefix in prefixes))
    columns = (layer.id, layer.name, layer.skycell_id, layer.instrument, layer.detector, layer.filter)
    misnamed = []
    for id_, name, *key in connection.execute(
        sa.select(*columns).where(sa.or_(named, layer.skycell_id.in_(cells)))
    ).all():
        try:
            parsed = parse_layer_name(name)
            expected = [parse_cell_name(parsed.skycell).index, parsed.instrument, parsed.detector, parsed.filter]
        except NameFormatError:
            expected = []
        if key != expected:
            misnamed.append(id_)
    for ids in chunks(misnamed):
        connection.execute(sa.delete(t.layer).where(layer.id.in_(ids)))


def relink(connection: sa.Connection, layers: Iterable[str]) -> None:
    """Tie the products of these layers (names) to them, and copy their digests to the layers."""
    for name in sorted(set(layers)):
        owner = sa.select(t.layer.c.id).where(t.layer.c.name == name).scalar_subquery()
        connection.execute(sa.update(t.product).where(t.product.c.layer == name).values(layer_id=owner))
        update_made_digest(connection, name)


def rewrite_product(connection: sa.Connection, layer: str, record: ProductRecord) -> bool:
    """Write the rows of the product that is recorded of this layer again from its intact file.

    When and why it was made is kept. Returns False, and writes nothing, if the file is another product's.
    """
    p = t.product.c
    if layer != record.layer and connection.scalar(sa.select(p.id).where(p.layer == record.layer)) is not None:
        return False
    values = product_values(connection, record)
    connection.execute(sa.update(t.product).where(p.layer == layer).values(**values))
    record_members(connection, record)
    update_made_digest(connection, record.layer)
    return True


def place_product(connection: sa.Connection, layer: str) -> bool:
    """Give the product of a layer its sky cell and file name, which its digest tells apart; whether it does."""
    p, m = t.product.c, t.product_member.c
    row = connection.execute(sa.select(t.product).where(p.layer == layer)).one_or_none()
    if row is None:
        return False
    members = connection.execute(sa.select(t.product_member).where(m.product_id == row.id).order_by(m.ipppssoo)).all()
    canvas = Canvas(*(getattr(row, name) for name in BOX))
    kinds = [kind for kind in KINDS if digest_product(members, kind, canvas, row.recipe) == row.recipe_digest]
    try:
        places = [(parse_layer_name(layer).skycell, format_product_name(layer, kind)) for kind in kinds]
    except NameFormatError:
        return False
    if len(places) != 1 or places[0] == (row.skycell, row.filename):
        return False
    values = dict(zip(("skycell", "filename"), places[0], strict=True))
    connection.execute(sa.update(t.product).where(p.id == row.id).values(**values))
    return True


def correct_proof(connection: sa.Connection, layer: str) -> None:
    """Record of a product that it is another program's: trusted if it has a recipe digest."""
    p = t.product.c
    proof = sa.case((p.recipe_digest == "", Proof.UNPROVEN.value), else_=Proof.TRUSTED.value)
    connection.execute(sa.update(t.product).where(p.layer == layer).values(proof=proof))
