"""The generated part of docs/catalog.md: the diagram is complete, and a page without marks is refused."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from schema_page import draw_diagram, fill_page

from mvmdb.schema import metadata


def test_every_table_and_key_and_reference_is_drawn_once() -> None:
    diagram = draw_diagram(metadata)
    tables = list(metadata.tables.values())
    blocks = re.findall(r"^    (\w+) \{\n(.*?)^    \}$", diagram, re.MULTILINE | re.DOTALL)
    assert sorted(name for name, _ in blocks) == sorted(table.name for table in tables)

    def drawn(mark: str) -> list[str]:
        rows = [(name, row) for name, block in blocks for row in block.splitlines()]
        return sorted(f"{name}.{row.split()[1]}" for name, row in rows if re.search(rf"\b{mark}\b", row))

    assert drawn("PK") == sorted(str(column) for table in tables for column in table.primary_key)
    assert drawn("FK") == sorted(str(key.parent) for table in tables for key in table.foreign_keys)
    lines = re.findall(r"^    (\w+) .{6} (\w+) : (\w+)$", diagram, re.MULTILINE)
    keys = [(key.column.table.name, key.parent.table.name, key.parent.name) for t in tables for key in t.foreign_keys]
    assert sorted(lines) == sorted(keys)


def test_a_reference_that_may_be_null_is_drawn_so() -> None:
    tables = sa.MetaData()
    sa.Table("night", tables, sa.Column("id", sa.Integer, primary_key=True))
    for name, nullable in (("always", False), ("perhaps", True)):
        sa.Table(name, tables, sa.Column("night_id", sa.ForeignKey("night.id"), nullable=nullable))
    references = draw_diagram(tables).splitlines()[-2:]
    assert references == ["    night ||--o{ always : night_id", "    night |o--o{ perhaps : night_id"]


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks its marks"):
        fill_page("# The catalog\n")
