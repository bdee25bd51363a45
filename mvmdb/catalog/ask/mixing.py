"""Which layers mix astrometric frames, in short: how many they are, and the worst of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from mvmdb.catalog.rows import chunks
from mvmdb.schema import tables as t

WORST = 3
"""How many layers a summary names: a mixed archive has a hundred thousand."""


@dataclass(frozen=True, slots=True)
class MixedLayer:
    """A layer, the numbers of its members by frame, and the area (square arcmin) that different frames cover."""

    layer: str
    skycell: str
    frames: str
    mixed_arcmin2: float


@dataclass(frozen=True, slots=True)
class Mixing:
    """How many `layers` mix frames where members overlap, and the `worst`, those in which they overlap most.

    The worst are of the fine scale; layers of the coarse scale have the same members.
    """

    layers: int
    worst: tuple[MixedLayer, ...]

    def as_values(self) -> dict[str, Any]:
        """As plain values: `mixed_layers`, and `worst` with a mapping for each."""
        return {"mixed_layers": self.layers, "worst": [asdict(one) for one in self.worst]}


def summarize_mixing(connection: sa.Connection, cells: Sequence[int] | None = None) -> Mixing:
    """The mixing in these sky cells (keys), or in all. An index holds such layers alone, by their areas."""
    if cells is None:
        return _summarize(connection, [t.MIXED])
    return _join(_summarize(connection, [t.MIXED, t.layer.c.skycell_id.in_(chunk)]) for chunk in chunks(cells))


def summarize_made(connection: sa.Connection, run: int) -> Mixing:
    """The mixing in the layers whose mosaics a run made."""
    return _summarize(connection, [t.MIXED, made_in(run)])


def made_in(run: int) -> sa.ColumnElement[bool]:
    """Whether a run made the mosaic of a layer."""
    event = t.event.c
    return t.layer.c.name.in_(sa.select(event.layer).where(event.run_id == run, event.kind.in_(_MADE)))


_MADE = ("layer-drizzled", "layer-added")


def _summarize(connection: sa.Connection, conditions: Sequence[Any]) -> Mixing:
    layer = t.layer.c
    n = connection.scalar(sa.select(sa.func.count()).select_from(t.layer).where(*conditions)) or 0
    if not n:
        return Mixing(0, ())
    query = (
        sa.select(layer.name, t.skycell.c.name, layer.frames, layer.mixed_arcmin2)
        .select_from(t.layer.join(t.skycell))
        .where(*conditions, layer.scale == "fine")
        .order_by(layer.mixed_arcmin2.desc(), layer.name)
        .limit(WORST)
    )
    return Mixing(n, tuple(MixedLayer(*row) for row in connection.execute(query)))


def _join(parts: Iterable[Mixing]) -> Mixing:
    listed = list(parts)
    worst = sorted((one for part in listed for one in part.worst), key=lambda one: (-one.mixed_arcmin2, one.layer))
    return Mixing(sum(part.layers for part in listed), tuple(worst[:WORST]))
