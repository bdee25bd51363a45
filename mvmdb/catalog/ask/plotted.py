"""What plots are drawn from: exposures in columns, members of sky cells, totals by filter, layers over time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from mvmdb.catalog.ask.cells import resolve_cells
from mvmdb.catalog.ask.search.find import conditions_of
from mvmdb.catalog.ask.search.question import Question
from mvmdb.catalog.settings import products_folder
from mvmdb.errors import UsageError
from mvmdb.names import CellId, parse_layer_name, parse_product_name, product_place
from mvmdb.records import Canvas
from mvmdb.schema import tables as t
from mvmdb.schema.addresses import database_url
from mvmdb.schema.engine import bulk_select

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Positions:
    """n exposures that are members of layers: `ra` and `dec` in degrees, `exptime` in seconds, `expstart` MJD."""

    ra: Floats
    dec: Floats
    exptime: Floats
    expstart: Floats


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a sky cell's layers: its camera (`wfc3/ir`) and filter, seconds, and footprint as region text."""

    camera: str
    filter: str
    exptime: float
    s_region: str


@dataclass(frozen=True, slots=True)
class CellMembers:
    """All members of a sky cell's layers, and its canvas in fine pixels (None: it has none)."""

    members: tuple[Member, ...]
    canvas: Canvas | None


@dataclass(frozen=True, slots=True)
class LayerFile:
    """The mosaic of a layer: its `path`, the footprints of the exposures that it holds, and their seconds."""

    name: str
    path: Path
    s_regions: tuple[str, ...]
    exptime: float


def has_catalog(address: str) -> bool:
    """Whether there may be a catalog at this address: false for a path where there is no file."""
    url = database_url(address)
    return url.get_backend_name() != "sqlite" or Path(url.database or "").exists()


def load_positions(connection: sa.Connection, question: Question) -> Positions:
    """The exposures that meet a question's conditions and are members of layers, in the order of their start.

    Raises as a search for exposures.
    """
    x = t.exposure.c
    query = (
        sa.select(x.ra, x.dec, x.exptime, x.expstart)
        .where(*_covering(connection, question), x.ra.is_not(None))
        .order_by(x.expstart, x.id)
    )
    rows = np.array([tuple(row) for row in bulk_select(connection, query)], dtype=np.float64).reshape(-1, 4)
    return Positions(*rows.T.copy())


def load_seconds(connection: sa.Connection, question: Question, projection_cell: int) -> dict[tuple[int, int], float]:
    """The summed exposure times of the members of layers in each sky cell (x, y) of a projection cell."""
    x, cell = t.exposure.c, t.skycell.c
    query = (
        sa.select(cell.x, cell.y, sa.func.sum(x.exptime))
        .select_from(t.skycell.join(t.membership).join(t.exposure))
        .where(cell.projection_cell == projection_cell, *_covering(connection, question))
        .group_by(cell.x, cell.y)
    )
    return {(row[0], row[1]): float(row[2]) for row in connection.execute(query)}


def load_cell(connection: sa.Connection, name: str) -> tuple[CellId, CellMembers]:
    """A sky cell by its name, with the members of its layers, each once, in the order of their names.

    Raises NameFormatError for a text that names no sky cell, and UsageError for a cell that no exposure overlaps.
    """
    (key,) = resolve_cells(connection, [name])
    x, of_cell = t.exposure.c, t.skycell.c
    members = sa.select(t.layer_member.c.exposure_id).join(t.layer).where(t.layer.c.skycell_id == key)
    query = sa.select(x.instrument, x.detector, x.filter, x.exptime, x.s_region).where(x.id.in_(members))
    rows = connection.execute(query.order_by(x.ipppssoo)).all()
    box = connection.execute(
        sa.select(of_cell.x_min, of_cell.x_max, of_cell.y_min, of_cell.y_max).where(of_cell.id == key)
    ).one()
    canvas = None if box.x_min is None else Canvas(*box)
    found = (Member(f"{row.instrument}/{row.detector}", row.filter, row.exptime, row.s_region) for row in rows)
    return CellId.from_index(key), CellMembers(tuple(found), canvas)


def load_layer(connection: sa.Connection, text: str) -> LayerFile:
    """The mosaic of a layer, by the layer's or the mosaic's name.

    Raises NameFormatError for a text that names no layer, and UsageError if there is no mosaic, or no products folder.
    """
    name = text.rsplit("/", 1)[-1]
    layer = str(parse_product_name(name)[0] if name.endswith(".fits") else parse_layer_name(name))
    p, m, x = t.product.c, t.product_member.c, t.exposure.c
    row = connection.execute(sa.select(p.id, p.skycell, p.filename).where(p.layer == layer)).one_or_none()
    if row is None:
        is_expected = connection.scalar(sa.select(t.layer.c.id).where(t.layer.c.name == layer)) is not None
        remedy = "expected one: make it by mvmdb reconcile" if is_expected else "see `mvmdb search products` for names"
        raise UsageError(f"{layer} has no mosaic; {remedy}")
    path = products_folder(connection, None) / product_place(row.skycell, row.filename)
    query = sa.select(m.exptime, x.s_region).select_from(
        t.product_member.outerjoin(t.exposure, x.ipppssoo == m.ipppssoo)
    )
    members = connection.execute(query.where(m.product_id == row.id).order_by(m.ipppssoo)).all()
    return LayerFile(layer, path, tuple(one.s_region or "" for one in members), sum(one.exptime for one in members))


def _covering(connection: sa.Connection, question: Question) -> list[sa.ColumnElement[bool]]:
    """The conditions on exposures that a question asks for, and that they are members of layers."""
    of_it = sa.select(sa.literal(1)).where(t.layer_member.c.exposure_id == t.exposure.c.id)
    return [*conditions_of(connection, question), sa.exists(of_it)]
