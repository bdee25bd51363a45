"""Layers with their grids and members, for maps of depth beside their mosaics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from mvmdb.catalog.ask.cells import near, resolve_cells
from mvmdb.catalog.ask.covering import covering_query
from mvmdb.catalog.ask.search.question import Question
from mvmdb.coverage.frame import FramedLayer
from mvmdb.coverage.values import COLUMNS, columns_of
from mvmdb.errors import NameFormatError, UsageError
from mvmdb.names import CellId, LayerName, Scale, parse_cell_name, parse_layer_name
from mvmdb.records import Canvas
from mvmdb.schema import tables as t
from mvmdb.sky.tessellation import CELL_SIZE


def load_contributing(connection: sa.Connection, names: Sequence[str]) -> list[FramedLayer]:
    """The layers of these names, and all layers of sky cells of these names, each once and sorted by name.

    The grid is that of the layer's product, or of the sky cell's canvas while there is none. Raises NameFormatError for
    a text that names neither, and UsageError for what the catalog does not have.
    """
    wanted: set[str] = set()
    for name in names:
        wanted.update(_layers_called(connection, name))
    return list(_load(connection, sorted(wanted)))


def load_held(connection: sa.Connection, layer: LayerName) -> FramedLayer | None:
    """The exposures that a layer's product holds, as recorded, in its grid; None without a product.

    Where the catalog lacks one of them, or its footprint, None too: what is left would be less than the product holds.
    """
    p, m, x = t.product.c, t.product_member.c, t.exposure.c
    query = sa.select(p.id, p.x_min, p.x_max, p.y_min, p.y_max).where(p.layer == str(layer), p.state != "missing")
    found = connection.execute(query).one_or_none()
    if found is None:
        return None
    key, *bounds = found
    of_it = t.product_member.outerjoin(t.exposure, x.ipppssoo == m.ipppssoo)
    members = sa.select(*(x[name] for name in COLUMNS)).select_from(of_it).where(m.product_id == key)
    rows = connection.execute(members.order_by(m.ipppssoo)).all()
    if any(row.s_region is None for row in rows):
        return None
    cell = parse_cell_name(layer.skycell)
    return FramedLayer(str(layer), cell, layer.scale, Canvas(*bounds), columns_of(rows))


def load_frame(connection: sa.Connection, question: Question, name: str, scale: Scale) -> FramedLayer:
    """The exposures that meet a question's conditions, in the grid of all mosaics of a sky cell, named `name`.

    Raises UsageError for a cell that no exposure overlaps, else as a search for exposures.
    """
    (key,) = resolve_cells(connection, [name])
    c = t.skycell.c
    row = connection.execute(sa.select(c.x_min, c.x_max, c.y_min, c.y_max).where(c.id == key)).one()
    canvas = Canvas(1, CELL_SIZE, 1, CELL_SIZE) if row.x_min is None else Canvas(*row)
    inside = sa.select(t.membership.c.exposure_id).where(t.membership.c.skycell_id == key)
    query = covering_query(connection, question).where(t.exposure.c.id.in_(inside))
    cell = CellId.from_index(key)
    return FramedLayer(str(cell), cell, scale, canvas, columns_of(connection.execute(query).all()))


def _layers_called(connection: sa.Connection, name: str) -> list[str]:
    y, c = t.layer.c, t.skycell.c
    try:
        cell = parse_cell_name(name)
    except NameFormatError:
        layer = parse_layer_name(name)
        if connection.scalar(sa.select(y.id).where(y.name == str(layer))) is None:
            there = connection.scalars(sa.select(y.name).join(t.skycell).where(c.name == layer.skycell)).all()
            raise UsageError(f"the catalog has no layer {layer}{near(str(layer), there)}") from None
        return [str(layer)]
    found = connection.scalars(sa.select(y.name).where(y.skycell_id == cell.index)).all()
    if not found:
        raise UsageError(f"the catalog has no layer in {cell}; see `mvmdb query 'SELECT name FROM skycell'`")
    return list(found)


def _load(connection: sa.Connection, names: Sequence[str]) -> Iterator[FramedLayer]:
    y, p, x = t.layer.c, t.product.c, t.exposure.c
    exists = sa.and_(p.layer_id == y.id, p.state != "missing")
    sides = ("x_min", "x_max", "y_min", "y_max")
    canvas = (sa.func.coalesce(p[side], t.skycell.c[side]) for side in sides)
    source = t.layer.join(t.skycell).outerjoin(t.product, exists)
    query = sa.select(y.id, y.skycell_id, y.scale, *canvas).select_from(source)
    members = sa.select(*(x[name] for name in COLUMNS)).select_from(t.layer_member.join(t.exposure))
    for name in names:
        key, cell, scale, *bounds = connection.execute(query.where(y.name == name)).one()
        rows = connection.execute(members.where(t.layer_member.c.layer_id == key).order_by(x.ipppssoo)).all()
        yield FramedLayer(name, CellId.from_index(cell), scale, Canvas(*bounds), columns_of(rows))
