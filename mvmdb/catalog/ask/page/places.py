"""All that the sky map shows of one projection cell, in rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from mvmdb.errors import NameFormatError
from mvmdb.names import CELLS_PER_PROJECTION_CELL, is_product_of, parse_cell_name
from mvmdb.schema import tables as t
from mvmdb.schema.engine import bulk_select, iso_utc_time

EVENTS_OF_A_LAYER = 5
"""The latest events of each layer that the map has; the history has all."""

Rows = tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, slots=True)
class Place:
    """The rows of one projection cell.

    `layers`: (id, key of the sky cell, name, filter, n_exposures, n_waiting, exptime, expstart, expend, area_arcmin2,
    mean_exposures, stale, failure, frames, mixed_arcmin2) by name. `members`: (layer id, exposure id). `exposures`:
    (id, ipppssoo, instrument, detector, filter, proposal_id, expstart, exptime, target, astrometric_catalog, wcsname,
    s_region) by ipppssoo.
    `products`: (layer, skycell, filename, state, data_digest, made_at, layer id) by layer. `reasons`: (layer, skycell,
    reason, exposure). `events`: (layer, at, kind, detail, reasons, n_members, seconds, run), the latest of each layer,
    newest first.
    """

    projection_cell: int
    layers: Rows
    members: Rows
    exposures: Rows
    products: Rows
    reasons: Rows
    events: Rows


def load_projection_cells(connection: sa.Connection) -> list[int]:
    """The projection cells with layers, or with products that are expected no more."""
    holding = sa.exists(sa.select(sa.literal(1)).where(t.layer.c.skycell_id == t.skycell.c.id))
    cells = set(connection.scalars(sa.select(t.skycell.c.projection_cell).where(holding).distinct()))
    orphaned = sa.select(t.product.c.skycell).where(t.product.c.layer_id.is_(None)).distinct()
    for name in connection.scalars(orphaned):
        try:
            cells.add(parse_cell_name(name).projection_cell)
        except NameFormatError:  # a rectangle's mosaic, which is no sky cell's
            continue
    return sorted(cells)


def load_place(connection: sa.Connection, projection_cell: int) -> Place:
    """The rows of a projection cell."""
    first = projection_cell * CELLS_PER_PROJECTION_CELL
    within = t.layer.c.skycell_id.between(first, first + CELLS_PER_PROJECTION_CELL - 1)
    layers = _layers(connection, within)
    products = _products(connection, projection_cell)
    looked_up = any(row[11] for row in layers) or any(row[6] is None for row in products)
    return Place(
        projection_cell,
        layers,
        _members(connection, within),
        _exposures(connection, within),
        products,
        _reasons(connection, projection_cell) if looked_up else (),
        _events(connection, projection_cell),
    )


def _layers(connection: sa.Connection, within: Any) -> Rows:
    y = t.layer.c
    columns = (
        y.id, y.skycell_id, y.name, y.filter, y.n_exposures, y.n_waiting, y.exptime, y.expstart, y.expend,
        y.area_arcmin2, y.mean_exposures, y.stale, y.failure,
        y.frames, y.mixed_arcmin2,
    )  # fmt: skip
    return tuple(bulk_select(connection, sa.select(*columns).where(within).order_by(y.skycell_id, y.name)))


def _members(connection: sa.Connection, within: Any) -> Rows:
    m = t.layer_member.c
    source = t.layer_member.join(t.layer)
    query = sa.select(m.layer_id, m.exposure_id).select_from(source).where(within)
    return tuple(bulk_select(connection, query.order_by(m.layer_id, m.exposure_id)))


def _exposures(connection: sa.Connection, within: Any) -> Rows:
    x = t.exposure.c
    members = sa.select(t.layer_member.c.exposure_id).select_from(t.layer_member.join(t.layer)).where(within)
    query = sa.select(
        x.id, x.ipppssoo, x.instrument, x.detector, x.filter, x.proposal_id, x.expstart, x.exptime, x.target,
        x.astrometric_catalog, x.wcsname, x.s_region,
    ).where(x.id.in_(members))  # fmt: skip
    return tuple(bulk_select(connection, query.order_by(x.ipppssoo)))


def _products(connection: sa.Connection, projection_cell: int) -> Rows:
    """Rows that name the product of their layer: others were changed by hand, and may name any file."""
    p = t.product.c
    made_at = iso_utc_time(connection, p.made_at)
    query = sa.select(p.layer, p.skycell, p.filename, p.state, p.data_digest, made_at, p.layer_id)
    rows = connection.execute(query.where(*_named(p.skycell, "", projection_cell)).order_by(p.layer))
    return tuple(tuple(row) for row in rows if is_product_of(row.layer, row.skycell, row.filename))


def _reasons(connection: sa.Connection, projection_cell: int) -> Rows:
    view = sa.table("stale_reason", *(sa.column(name) for name in ("layer", "skycell", "reason", "exposure")))
    r = view.c
    query = sa.select(r.layer, r.skycell, r.reason, r.exposure).where(*_named(r.skycell, "", projection_cell))
    return tuple(bulk_select(connection, query.order_by(r.layer, r.reason, r.exposure)))


def _events(connection: sa.Connection, projection_cell: int) -> Rows:
    e = t.event.c
    newest = sa.func.row_number().over(partition_by=e.layer, order_by=e.id.desc())
    columns = (
        e.id, e.layer, iso_utc_time(connection, e.at).label("at"), e.kind, e.detail, e.reasons, e.n_members, e.seconds,
        e.run_id,
    )  # fmt: skip
    ranked = sa.select(*columns, newest.label("rank")).where(*_named(e.layer, "hst_", projection_cell)).subquery()
    wanted = [ranked.c[name] for name in ("layer", "at", "kind", "detail", "reasons", "n_members", "seconds", "run_id")]
    query = sa.select(*wanted).where(ranked.c.rank <= EVENTS_OF_A_LAYER).order_by(ranked.c.layer, ranked.c.id.desc())
    return tuple(bulk_select(connection, query))


def _named(column: Any, before: str, projection_cell: int) -> tuple[Any, ...]:
    """That a name is of a sky cell of the projection cell: a range, which an index finds."""
    stem = f"{before}skycell-p{projection_cell:04d}"
    return column >= f"{stem}x", column < f"{stem}y"
