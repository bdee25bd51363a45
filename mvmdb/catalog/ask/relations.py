"""What the catalog's tables, views and columns mean."""

from __future__ import annotations

import re
from typing import Any

from mvmdb.schema.meanings import VIEWS
from mvmdb.schema.tables import metadata

_UNITS = {
    "degrees": "deg",
    "seconds": "s",
    "duration": "s",
    "duration of the last action": "s",
    "MJD": "d",
    "square arcmin": "arcmin2",
    "electrons/s/arcsec^2": "electron / (s arcsec2)",
    "fine pixels": "pix",
    "bytes": "byte",
    "bytes of the product": "byte",
    "bytes; empty if unknown": "byte",
    "arcsec": "arcsec",
    "milliarcsec": "mas",
    "MB": "Mbyte",
    "ns since 1970": "ns",
    "metres": "m",
    "erg/cm2/Angstrom/electron": "erg / (Angstrom cm2 electron)",
    "percent": "%",
    "kilobytes": "kbyte",
}
"""Units of astropy, by the words with which the meaning of a column ends. A date (MJD) is in days."""


def describe_schema() -> list[dict[str, Any]]:
    """Every table and view: `name`, `kind`, `meaning` and `columns`.

    Each column has `name`, `type`, `nullable`, `meaning` and `unit`, which `astropy.units` parses; None for none. The
    columns of views have no known type and nullability: both are None.
    """
    relations: list[dict[str, Any]] = [
        {
            "name": table.name,
            "kind": "table",
            "meaning": table.comment,
            "columns": [
                {
                    "name": column.name,
                    "type": type(column.type).__name__.lower(),
                    "nullable": column.nullable,
                    "meaning": column.comment,
                    "unit": unit_of(column.comment or ""),
                }
                for column in table.columns
            ],
        }
        for table in sorted(metadata.tables.values(), key=lambda table: table.name)
    ]
    for name, (meaning, columns) in VIEWS.items():
        listed = [
            {"name": c, "type": None, "nullable": None, "meaning": text, "unit": unit_of(text)}
            for c, text in columns.items()
        ]
        relations.append({"name": name, "kind": "view", "meaning": meaning, "columns": listed})
    return relations


def unit_of(meaning: str) -> str | None:
    """The unit of a column, as the words with which its meaning ends say it; None where they name none."""
    return _UNITS.get(meaning.rpartition(", ")[2])


def find_columns(sql: str) -> dict[str, tuple[str, str | None]]:
    """(meaning, unit) of each column that SQL may mean: those of the tables and views whose names are words in it.

    Columns that mean different things in them are left out, as are their units where those differ.
    """
    words = set(re.findall(r"\w+", sql.lower()))
    found: dict[str, set[tuple[str, str | None]]] = {}
    for relation in describe_schema():
        if relation["name"] in words:
            for column in relation["columns"]:
                found.setdefault(column["name"], set()).add((column["meaning"], column["unit"]))
    return {name: _agreed(meanings) for name, meanings in found.items()}


def _agreed(meanings: set[tuple[str, str | None]]) -> tuple[str, str | None]:
    units = {unit for _, unit in meanings}
    return (next(iter(meanings))[0] if len(meanings) == 1 else "", units.pop() if len(units) == 1 else None)
