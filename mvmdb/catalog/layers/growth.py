"""The visits of a catalog that make canvases grow absurdly, by the measure of layers/growth.py."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa

from mvmdb.catalog.rows import chunks
from mvmdb.layers.growth import Growth, measure_growth
from mvmdb.records import Policy
from mvmdb.schema import tables as t

_VISIT = 6  # characters of ipppssoo: instrument, program, visit
_COARSE = 1 / 9  # of the pixels of the fine mosaic
_BYTES, _BYTES_WITH_ERRORS = 8, 12  # SCI, WHT and ERR are float32


class Stretching(NamedTuple):
    """A visit (ipppss) that makes canvases grow absurdly: its exposures with files, the bytes of these, by how much."""

    visit: str
    exposures: int
    size: int
    growth: Growth

    def __str__(self) -> str:
        grown, many = self.growth, "s" if self.exposures > 1 else ""
        return (
            f"visit {self.visit} ({self.exposures} file{many}, {self.size / 1e6:.1f} MB) makes the mosaics of "
            f"{grown.layers} layers in {grown.cells} sky cell{'s' if grown.cells > 1 else ''} "
            f"{grown.bytes / 1e9:.1f} GB larger, most of it empty; if the exposure{many} should be elsewhere, run: "
            "mvmdb withdraw"
        )


def find_stretching(connection: sa.Connection, cells: Iterable[int], policy: Policy) -> list[Stretching]:
    """The visits that make the canvases of these sky cells (keys) grow absurdly, the worst first."""
    growths: dict[str, Growth] = {}
    bytes_per_pixel = _BYTES_WITH_ERRORS if policy.errors else _BYTES
    for chunk in chunks(sorted(set(cells))):
        layers = _count_layers(connection, chunk)
        for cell, rows in groupby(connection.execute(_visits_in(chunk)), key=itemgetter(0)):
            n_layers, planes = layers[cell]
            in_cell = _boxes_by_visit(rows)
            visits, boxes = list(in_cell), list(in_cell.values())
            measured = measure_growth(np.array(boxes, dtype=np.int64), n_layers, planes * bytes_per_pixel)
            for row, growth in measured.items():
                growths[visits[row]] = growths[visits[row]] + growth if visits[row] in growths else growth
    stretching = [
        Stretching(visit, *_files_of(connection, visit), growth)
        for visit, growth in growths.items()
        if growth.is_absurd(0)
    ]
    absurd = [one for one in stretching if one.exposures and one.growth.is_absurd(one.size)]
    return sorted(absurd, key=lambda one: (-one.growth.bytes, one.visit))


def stretched_by(connection: sa.Connection, names: Collection[str], policy: Policy) -> list[Stretching]:
    """As `find_stretching`, those to which these exposures (ipppssoo) belong."""
    e, m = t.exposure.c, t.membership.c
    cells: set[int] = set()
    for chunk in chunks(names):
        query = sa.select(m.skycell_id).distinct().select_from(t.membership.join(t.exposure))
        cells.update(connection.scalars(query.where(e.ipppssoo.in_(chunk))))
    visits = {name[:_VISIT] for name in names}
    return [one for one in find_stretching(connection, cells, policy) if one.visit in visits]


def _count_layers(connection: sa.Connection, cells: Collection[int]) -> dict[int, tuple[int, float]]:
    """(layers, pixels of them all for one fine pixel) of each of these sky cells."""
    layer = t.layer.c
    n_coarse = sa.func.sum(sa.case((layer.scale == "coarse", 1), else_=0))
    query = sa.select(layer.skycell_id, sa.func.count(), n_coarse).where(layer.skycell_id.in_(cells))
    rows = connection.execute(query.group_by(layer.skycell_id))
    return {cell: (n, n - coarse + coarse * _COARSE) for cell, n, coarse in rows}


def _visits_in(cells: Collection[int]) -> sa.Select[tuple[int, str, int, int, int, int]]:
    """(sky cell, visit, box) of the visits with exposures in layers of these sky cells, by sky cell."""
    m, member, layer = t.membership.c, t.layer_member.c, t.layer.c
    visit = sa.func.substr(t.exposure.c.ipppssoo, 1, _VISIT)
    of_layer = sa.and_(m.skycell_id == layer.skycell_id, m.exposure_id == member.exposure_id)
    return (
        sa.select(
            m.skycell_id, visit, sa.func.min(m.x_min), sa.func.max(m.x_max), sa.func.min(m.y_min), sa.func.max(m.y_max)
        )
        .select_from(t.layer.join(t.layer_member).join(t.membership, of_layer).join(t.exposure))
        .where(layer.skycell_id.in_(cells))
        .group_by(m.skycell_id, visit)
        .order_by(m.skycell_id, visit)
    )


def _boxes_by_visit(rows: Iterable[Any]) -> dict[str, Sequence[int]]:
    return {row[1]: tuple(row[2:]) for row in rows}


def _files_of(connection: sa.Connection, visit: str) -> tuple[int, int]:
    """How many eligible exposures of a visit have a file, and the bytes of these files."""
    e, d = t.exposure.c, t.dataset.c
    query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(d.size), 0)).where(d.active, e.eligible)
    of_visit = e.ipppssoo.between(visit, visit + "~")  # an index finds them
    n, size = connection.execute(query.select_from(t.exposure.join(t.dataset)).where(of_visit)).one()
    return n, size
