"""What a search can show: the columns of exposures, layers and products, with their meanings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from mvmdb.catalog.ask.relations import find_columns
from mvmdb.catalog.ask.search.question import Kind
from mvmdb.catalog.settings import read_policy
from mvmdb.errors import UsageError
from mvmdb.frames import ABSOLUTE, APRIORI_SUFFIX, GAIA
from mvmdb.schema import tables as t
from mvmdb.schema.engine import iso_utc, iso_utc_time
from mvmdb.schema.meanings import VIEWS

_USUAL: dict[Kind, tuple[str, ...]] = {
    "exposures": (
        "rootname", "instrument", "detector", "filter", "proposal_id", "target", "exptime", "expstart_utc", "standing",
        "path",
    ),
    "layers": ("layer", "n_exposures", "exptime", "area_arcmin2", "mean_exposures", "expstart_utc", "stale", "path"),
    "products": ("layer", "n_members", "size", "state", "proof", "made_at_utc", "path"),
}  # fmt: skip
COVERAGE = tuple(VIEWS["coverage"][1])
"""The columns of the view `coverage`."""
ASTROMETRY = ("layer", "n_exposures", "frames", "mixed_arcmin2", "area_arcmin2")
"""The usual columns of layers that mix frames."""
APART = ("layer", "n_exposures", "frames", "apart_pixels", "apart_pairs", "area_arcmin2")
"""The usual columns of layers whose members do not lie together."""
MISALIGNED = sa.table("misaligned", *map(sa.column, VIEWS["misaligned"][1]))
"""The view of that name."""
_UNSHOWN = ("id", "layer_id", "recipe_id")
_OWN: dict[Kind, dict[str, str]] = {
    "exposures": {
        "expstart_utc": "start, ISO 8601, UTC",
        "expend_utc": "end, ISO 8601, UTC",
        "standing": (
            "what it is: a member of layers, of another frame than layers take (other frame), at another place than "
            "most members (apart), ineligible, withdrawn, or pruned (its file is gone)"
        ),
    },
    "layers": {
        "stale": str(t.layer.c.stale.comment),
        "apart_pixels": "largest shift of two of its members that lie apart, pixels; null where none do",
        "apart_pairs": "number of pairs of its members that lie apart",
    },
    "products": {"path": "its file", "made_at_utc": "when it was recorded, ISO 8601, UTC"},
}
"""What the columns mean that no table has."""


@dataclass(frozen=True, slots=True)
class Relation:
    """Where rows of one kind come from: the `source`, the columns by name, and the usual ones.

    `base` is the table of the kind itself, which the conditions are about, and `name` its indexed column by which rows
    are sorted at last.
    """

    source: sa.FromClause
    base: sa.Table
    columns: dict[str, sa.ColumnElement[Any]]
    name: sa.Column[Any]
    usual: tuple[str, ...]

    def chosen(self, names: tuple[str, ...]) -> list[sa.ColumnElement[Any]]:
        """These columns, or the usual ones. Raises UsageError for a column that is not there, or is named twice."""
        wanted = names or self.usual
        for name in wanted:
            self._require(name)
        if len(set(wanted)) < len(wanted):
            raise UsageError(f"found the columns {','.join(wanted)}; expected each once")
        return [self.columns[name].label(name) for name in wanted]

    def order(self, names: tuple[str, ...]) -> list[sa.ColumnElement[Any]]:
        """How rows are sorted: by these columns, and then by name; rows without a value come last."""
        order: list[sa.ColumnElement[Any]] = []
        for text in names:
            name = text.removeprefix("-")
            self._require(name)
            column = self.columns[name]
            order += [column.is_(None), column.desc() if text.startswith("-") else column.asc()]
        return [*order, self.name.asc()]

    def is_of_base(self, names: tuple[str, ...]) -> bool:
        """Whether rows can be sorted by these columns before anything is joined to their table."""
        return all(getattr(self.columns[name.removeprefix("-")], "table", None) is self.base for name in names)

    def _require(self, name: str) -> None:
        if name not in self.columns:
            raise UsageError(f"there is no column {name!r} here; expected one of {', '.join(self.columns)}")


def relation_of(connection: sa.Connection, kind: Kind) -> Relation:
    """Where rows of this kind come from."""
    return {"exposures": _exposures, "layers": _layers, "products": _products}[kind](connection)


def meanings_of(kind: Kind) -> dict[str, tuple[str, str | None]]:
    """(meaning, unit) of each column that a search of this kind can show."""
    name = {"exposures": "exposure", "layers": "coverage", "products": "product"}[kind]
    return {column: (text, None) for column, text in _OWN[kind].items()} | find_columns(name)


def _exposures(connection: sa.Connection) -> Relation:
    x = t.exposure.c
    standing = sa.case(
        (x.pruned, "pruned"),  # it is withdrawn too
        (x.withdrawn_at.is_not(None), "withdrawn"),
        (sa.not_(x.eligible), "ineligible"),
        *_of_other_frames(connection),
        else_="member",
    )
    columns: dict[str, sa.ColumnElement[Any]] = {c.name: c for c in t.exposure.columns if c.name not in _UNSHOWN}
    columns |= {
        "expstart_utc": iso_utc(connection, x.expstart),
        "expend_utc": iso_utc(connection, x.expend),
        "standing": standing,
    }
    return Relation(t.exposure, t.exposure, columns, x.ipppssoo, _USUAL["exposures"])


def _of_other_frames(connection: sa.Connection) -> list[tuple[sa.ColumnElement[bool], str]]:
    """The condition, if the archive has any, by which exposures are in no layer because of frame or place; its word.

    With `same` and `agree`, layers of its camera and filter in one of its sky cells have members of its kind, and none
    has it.
    """
    x, m, y = t.exposure.c, t.membership.c, t.layer.c
    frames = read_policy(connection).frames
    if frames in ("any", "align"):
        return []
    if frames == "gaia":
        return [(x.frame.is_not(None) & (x.frame != GAIA), "other frame")]
    if frames == "absolute":
        begins = sa.or_(*(x.frame.startswith(name, autoescape=True) for name in ABSOLUTE))
        absolute = begins & sa.not_(x.frame.endswith(APRIORI_SUFFIX, autoescape=True))
        return [(x.frame.is_not(None) & sa.not_(absolute), "other frame")]
    of_key = sa.and_(*(y[name] == x[name] for name in ("instrument", "detector", "filter", "kind")))
    in_none = ~sa.exists(sa.select(sa.literal(1)).where(t.layer_member.c.exposure_id == x.id))
    of_others = sa.exists(sa.select(sa.literal(1)).where(m.exposure_id == x.id, y.skycell_id == m.skycell_id, of_key))
    if frames == "agree":
        p = t.placement.c
        placed = sa.exists(
            sa.select(sa.literal(1)).where(p.ipppssoo == x.ipppssoo, p.base_wcs == x.member_wcs, p.n_pairs > 0)
        )
        return [(placed & in_none & of_others, "apart")]
    return [(x.frame.is_not(None) & in_none & of_others, "other frame")]


def _layers(_connection: sa.Connection) -> Relation:
    coverage = sa.table("coverage", *map(sa.column, COVERAGE))
    columns: dict[str, sa.ColumnElement[Any]] = {column.name: column for column in coverage.columns}
    columns |= {column.name: column for column in t.layer.columns if column.name in COVERAGE}
    columns |= {"layer": t.layer.c.name, "stale": t.layer.c.stale}
    of_layer = MISALIGNED.c.layer == t.layer.c.name
    for name, value in (("apart_pixels", sa.func.max(MISALIGNED.c.apart_pixels)), ("apart_pairs", sa.func.count())):
        columns[name] = sa.select(value).select_from(MISALIGNED).where(of_layer).correlate(t.layer).scalar_subquery()
    source = t.layer.join(coverage, coverage.c.layer == t.layer.c.name)
    return Relation(source, t.layer, columns, t.layer.c.name, _USUAL["layers"])


def _products(connection: sa.Connection) -> Relation:
    p = t.product.c
    folder = sa.select(t.archive.c.value).where(t.archive.c.key == "products").scalar_subquery()
    columns: dict[str, sa.ColumnElement[Any]] = {c.name: c for c in t.product.columns if c.name not in _UNSHOWN}
    columns |= {
        "path": folder + "/" + p.skycell + "/" + p.filename,
        "made_at_utc": iso_utc_time(connection, p.made_at),
    }
    return Relation(t.product, t.product, columns, p.layer, _USUAL["products"])
