"""What the catalog's tables, views and columns mean."""

from __future__ import annotations

from typing import Any

from mvmdb.schema.meanings import VIEWS
from mvmdb.schema.tables import metadata


def describe_schema() -> list[dict[str, Any]]:
    """Every table and view: `name`, `kind`, `meaning` and `columns`, each with `name`, `type`, `nullable`, `meaning`.

    The columns of views have no known type and nullability: both are None.
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
                }
                for column in table.columns
            ],
        }
        for table in sorted(metadata.tables.values(), key=lambda table: table.name)
    ]
    for name, (meaning, columns) in VIEWS.items():
        listed = [{"name": c, "type": None, "nullable": None, "meaning": text} for c, text in columns.items()]
        relations.append({"name": name, "kind": "view", "meaning": meaning, "columns": listed})
    return relations
