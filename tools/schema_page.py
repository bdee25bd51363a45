"""The generated part of docs/catalog.md: a diagram of the tables, and every table, view and column with its meaning.

Run by `make docs`; a test compares the page with what this makes.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import generated
from sqlalchemy import Column, ForeignKey, MetaData, Table

from mvmdb.schema.meanings import VIEWS
from mvmdb.schema.tables import metadata

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = Path("docs/catalog.md")
PART, MAKER = "tables", "make docs"


def write_page(repository: Path) -> None:
    """Replace the generated part of the page in this checkout of the repository."""
    page = repository / PAGE
    page.write_text(fill_page(page.read_text(encoding="utf-8")), encoding="utf-8")


def fill_page(text: str) -> str:
    """The text of a page with all between its marks replaced. Raises ValueError where the marks are missing."""
    lines = ["```mermaid", draw_diagram(metadata), "```", "", *_describe_tables(), *_describe_views()]
    content = "\n".join(lines)
    return generated.fill_page(text, [(PART, content.rstrip("\n"))], MAKER)


def draw_diagram(tables: MetaData) -> str:
    """The tables with their keys, and the references between them, as a Mermaid entity relationship diagram.

    Only primary keys (PK) and references (FK) are drawn, so that the diagram can be read at the width of a page.
    Tables and references are in alphabetical order: the same tables give the same text.
    """
    ordered = sorted(tables.tables.values(), key=lambda table: table.name)
    lines = ["erDiagram"]
    for table in ordered:
        lines += _draw_table(table)
    for table in ordered:
        lines += [_draw_reference(key) for key in sorted(table.foreign_keys, key=lambda key: str(key.parent))]
    return "\n".join(lines)


def _draw_table(table: Table) -> Iterable[str]:
    yield f"    {table.name} {{"
    for column in table.columns:
        marks = [mark for mark, holds in (("PK", column.primary_key), ("FK", column.foreign_keys)) if holds]
        if marks:
            yield f"        {_name_type(column)} {column.name} {', '.join(marks)}"
    yield "    }"


def _draw_reference(key: ForeignKey) -> str:
    """One row of the table that is referred to, or none where the reference may be null, and any number that refer."""
    one = "|o" if key.parent.nullable else "||"
    return f"    {key.column.table.name} {one}--o{{ {key.parent.table.name} : {key.parent.name}"


def _describe_tables() -> Iterable[str]:
    """One section per table, in alphabetical order: its meaning, and a row for each column."""
    for table in sorted(metadata.tables.values(), key=lambda table: table.name):
        meaning = table.comment or ""
        yield from (f"### {table.name}", "", f"{meaning[:1].upper()}{meaning[1:]}.", "")
        yield from ("| column | type | meaning |", "|---|---|---|")
        for column in table.columns:
            notes = [column.comment or "", *(f"refers to {key.target_fullname}" for key in column.foreign_keys)]
            name = f"**{column.name}**" if column.primary_key else column.name
            yield f"| {name} | {_name_type(column)}{' or null' if column.nullable else ''} | {'; '.join(notes)} |"
        yield ""


def _describe_views() -> Iterable[str]:
    for view, (meaning, columns) in sorted(VIEWS.items()):
        yield from (f"### {view} (view)", "", meaning, "", "| column | meaning |", "|---|---|")
        yield from (f"| {name} | {note} |" for name, note in columns.items())
        yield ""


def _name_type(column: Column[Any]) -> str:
    """The type of a column in one word: `text` for text of either kind of comparison."""
    return column.type.__class__.__name__.replace("CaselessText", "Text").lower()


if __name__ == "__main__":
    write_page(REPOSITORY)
