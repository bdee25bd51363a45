"""Rows with values that their columns cannot have: found in every table, before anything is read from these rows.

Nothing else may read such a row, as it would be stopped by it; and what follows from it cannot be judged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa

from mvmdb.catalog.check.finding import Damage, Finding
from mvmdb.errors import NameFormatError
from mvmdb.names import parse_cell_name, parse_layer_name
from mvmdb.recipe import Recipe
from mvmdb.schema import tables as t
from mvmdb.schema.engine import among
from mvmdb.schema.values import (
    as_key,
    describe_column,
    equals_key,
    has_impossible,
    impossible_value,
    stored_columns,
)

_MOST = 10_000
"""Rows per table that one look finds; a second run finds the next."""
_SHOWN = 60


class ImpossibleRow(NamedTuple):
    """A row with values that its columns cannot have: `wrong` says by column what was found.

    `key` is its primary key, by column. `named` are the columns that tell what it concerns, those that can be read, and
    the key.
    """

    table: sa.Table
    key: Mapping[str, Any]
    wrong: Mapping[str, str]
    named: Mapping[str, Any]

    @property
    def this(self) -> sa.ColumnElement[bool]:
        """The condition that selects it."""
        return sa.and_(*(equals_key(self.table.c[name], value) for name, value in self.key.items()))


@dataclass(slots=True)
class Unreadable:
    """What is not looked at any further: exposures, sky cells and products (keys) of which a row cannot be read.

    `runs`: whether that is so of a run that works now.
    """

    rows: Sequence[ImpossibleRow] = ()
    exposures: set[int] = field(default_factory=set)
    cells: set[int] = field(default_factory=set)
    products: set[int] = field(default_factory=set)
    runs: bool = False


def find_impossible(connection: sa.Connection) -> list[ImpossibleRow]:
    """The rows of all tables that hold a value that its column cannot have."""
    rows = [row for table in t.metadata.sorted_tables for row in _find_in(connection, table)]
    return rows + _find_recipes(connection, [row.key["id"] for row in rows if row.table is t.recipe])


def describe_impossible(row: ImpossibleRow) -> Finding:
    """The finding of such a row."""
    key = ", ".join(f"{name} {_word(value)}" for name, value in row.key.items())
    found = ", ".join(f"{name}={shown}" for name, shown in row.wrong.items())
    expected = ", ".join(f"{name}: {describe_column(row.table.c[name])}" for name in row.wrong)
    subjects = {"exposure": "ipppssoo", "layer": "layer", "skycell": "skycell"}
    given = {subject: str(row.named.get(name) or "") for subject, name in subjects.items()}
    if row.table is t.layer:
        given["layer"] = str(row.named.get("name") or "")
    if row.table is t.skycell:
        given["skycell"] = str(row.named.get("name") or "")
    return Finding(Damage.VALUE_WRONG, table=f"{row.table.name} ({key})", found=found, expected=expected, **given)


def find_unreadable(connection: sa.Connection) -> Unreadable:
    """The rows of all tables that hold such a value, and what is not looked at any further for them."""
    found = Unreadable(find_impossible(connection))
    for row in found.rows:
        _set_aside(connection, row, found)
    return found


def _find_in(connection: sa.Connection, table: sa.Table) -> list[ImpossibleRow]:
    dialect = connection.dialect.name
    suspected = sa.select(sa.literal(1)).select_from(table).where(has_impossible(dialect, table))
    if connection.scalar(suspected.limit(1)) is None:
        return []  # nearly always; the long statement that shows values is built for the rest
    keys, columns = list(table.primary_key.columns), stored_columns(table)
    suspect = sa.select(
        *(as_key(dialect, key).label(f"key_{key.name}") for key in keys),
        *(impossible_value(dialect, column).label(f"wrong_{column.name}") for column in columns),
    )
    rows = []
    for row in connection.execute(suspect.where(has_impossible(dialect, table)).limit(_MOST)).mappings().all():
        key = {key.name: row[f"key_{key.name}"] for key in keys}
        shown = {column.name: row[f"wrong_{column.name}"] for column in columns}
        wrong = {name: _word(bytes(value)) for name, value in shown.items() if value is not None}
        if wrong:  # for two texts that are none only together
            rows.append(ImpossibleRow(table, key, wrong, {}))
    return [row._replace(named=_load_named(connection, row)) for row in rows]


def _find_recipes(connection: sa.Connection, known: Sequence[int]) -> list[ImpossibleRow]:
    """The few recipes that are text, but no drizzle parameters."""
    r, rows = t.recipe.c, []
    for key, parameters in connection.execute(sa.select(r.id, r.parameters).where(r.id.not_in(known))):
        try:
            Recipe.from_json(parameters)
        except (ValueError, TypeError, LookupError, AttributeError):
            rows.append(ImpossibleRow(t.recipe, {"id": key}, {"parameters": _word(parameters)}, {"id": key}))
    return rows


_TELLING = {
    "exposure": ("id", "ipppssoo"), "dataset": ("exposure_id", "path"), "membership": ("exposure_id", "skycell_id"),
    "skycell": ("id", "name"), "layer": ("skycell_id", "name"), "layer_member": ("layer_id",), "recipe": ("id",),
    "product": ("id", "layer", "layer_id", "skycell"), "product_member": ("product_id",), "quarantine": ("path",),
    "layer_failure": ("layer",), "claim": ("layer",),
}  # fmt: skip
"""The columns that tell what a row concerns."""


def _load_named(connection: sa.Connection, row: ImpossibleRow) -> dict[str, Any]:
    names = [name for name in _TELLING.get(row.table.name, ()) if name not in row.wrong]
    query = sa.select(*(row.table.c[name] for name in names)).where(row.this)
    return dict(row.key) | (dict(connection.execute(query).mappings().one()) if names else {})


def _word(value: object) -> str:
    text = value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
    text = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
    return repr(text) if not text.isascii() or not text.isprintable() or not text else text


def _set_aside(connection: sa.Connection, row: ImpossibleRow, found: Unreadable) -> None:
    """Note what the row concerns: exposures, sky cells and products."""
    named, m = row.named, t.membership.c
    if row.table is t.exposure:
        found.exposures.add(named["id"])
        for query in (
            sa.select(m.skycell_id).where(m.exposure_id == named["id"]),
            sa.select(t.layer.c.skycell_id).join(t.layer_member).where(t.layer_member.c.exposure_id == named["id"]),
        ):
            found.cells.update(_whole(connection.scalars(query)))
    elif row.table in (t.dataset, t.membership):
        found.exposures.update(_whole([named.get("exposure_id")]))
        found.cells.update(_whole([named.get("skycell_id")]))
    elif row.table is t.skycell:
        found.cells.update(_whole([row.key["id"]]))
    elif row.table is t.layer:
        found.cells.update(_whole([named.get("skycell_id")]), cells_of_names([named.get("name")]))
    elif row.table is t.layer_member:
        found.cells.update(cells_of_layers(connection, t.layer.c.id == named.get("layer_id")))
    elif row.table is t.recipe:
        found.cells.update(cells_of_layers(connection, t.layer.c.recipe_id == named["id"]))
    elif row.table is t.product:
        found.products.add(named["id"])
        found.cells.update(_cells_of_product(connection, named))
    elif row.table is t.product_member and "product_id" in named:
        found.products.update(_whole([named["product_id"]]))
        of_product = sa.select(t.product.c.layer_id).where(t.product.c.id == named["product_id"])
        found.cells.update(cells_of_layers(connection, t.layer.c.id.in_(of_product)))
    elif row.table in (t.coordinator, t.run):
        found.runs = True


def _cells_of_product(connection: sa.Connection, named: Mapping[str, Any]) -> set[int]:
    linked = cells_of_layers(connection, t.layer.c.id == named.get("layer_id"))
    return linked | cells_of_names([named.get("layer"), named.get("skycell")])


def cells_of_layers(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> set[int]:
    """The sky cells (keys) of the layers for which a condition holds."""
    return set(_whole(connection.scalars(sa.select(t.layer.c.skycell_id).where(condition))))


def cells_of_names(names: Iterable[str | None]) -> set[int]:
    """The sky cells (keys) that these names of layers or sky cells name; whatever else they are is left out."""
    cells = set()
    for name in filter(None, names):
        try:
            cells.add(parse_cell_name(parse_layer_name(name).skycell if name.startswith("hst_") else name).index)
        except NameFormatError:
            continue
    return cells


def names_of_exposures(connection: sa.Connection, ids: Collection[int]) -> set[str]:
    """The names (ipppssoo) of these exposures (keys)."""
    query = sa.select(t.exposure.c.ipppssoo).where(among(connection, t.exposure.c.id, ids))
    return set(connection.scalars(query))


def _whole(values: Iterable[Any]) -> list[int]:
    return [value for value in values if isinstance(value, int)]


def load_product_places(connection: sa.Connection, row: ImpossibleRow) -> tuple[str, str]:
    """(layer, file name) of the product that a row of it or of its member is of; empty where they cannot be read."""
    p = t.product.c
    dialect = connection.dialect.name
    columns = [sa.case((impossible_value(dialect, column).is_(None), column)) for column in (p.layer, p.filename)]
    this = p.id == row.named.get("id", row.named.get("product_id"))
    layer, filename = connection.execute(sa.select(*columns).where(this)).one_or_none() or ("", "")
    return layer or "", filename or ""
