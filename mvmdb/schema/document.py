"""The schema as Markdown, made from the code: every table, view and column with its meaning."""

from __future__ import annotations

import re
from pathlib import Path

from mvmdb.schema.tables import metadata

BEGIN, END = "<!-- tables: made by `make docs` -->", "<!-- end of tables -->"


def describe_tables() -> str:
    """One section a table, in alphabetical order: its meaning, and a row for each column."""
    lines = []
    for table in sorted(metadata.tables.values(), key=lambda table: table.name):
        lines += [f"### {table.name}", "", f"{(table.comment or '').capitalize()}.", ""]
        lines += ["| column | type | meaning |", "|---|---|---|"]
        for column in table.columns:
            notes = [column.comment or ""]
            notes += [f"refers to {key.target_fullname}" for key in column.foreign_keys]
            kind = column.type.__class__.__name__.replace("CaselessText", "Text").lower()
            name = f"**{column.name}**" if column.primary_key else column.name
            lines.append(f"| {name} | {kind}{' or null' if column.nullable else ''} | {'; '.join(notes)} |")
        lines.append("")
    return "\n".join(lines)


def fill_page(text: str) -> str:
    """A page with the part between the marks made anew. Raises ValueError where the marks are missing."""
    pattern = re.compile(re.escape(BEGIN) + ".*" + re.escape(END), re.DOTALL)
    if pattern.search(text) is None:
        raise ValueError(f"the page lacks its marks; expected {BEGIN!r} and {END!r}")
    return pattern.sub(lambda _: f"{BEGIN}\n\n{describe_tables()}\n{END}", text)


if __name__ == "__main__":
    page = Path("docs/catalog.md")
    page.write_text(fill_page(page.read_text()))
