"""The schema as Markdown, made from the code: every table, view and column with its meaning, and the picture's file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from mvmdb.schema.picture import draw_schema, name_type
from mvmdb.schema.tables import layer, metadata

BEGIN, END = "<!-- tables: made by `make docs` -->", "<!-- end of tables -->"
PAGE, PICTURE = Path("docs/catalog.md"), Path("docs/schema.svg")


def _of_layer(*names: str) -> dict[str, str]:
    """Columns that a view passes on from the table `layer`."""
    return {name: str(layer.c[name].comment) for name in names}


_NAMED = {"layer": "name of the layer", "skycell": "name of its sky cell"}
# A database keeps no comments on the columns of views, so their meanings stand here; a test compares the names.
VIEWS: dict[str, tuple[str, dict[str, str]]] = {
    "coverage": (
        "One row a layer: what it covers, and how deeply.",
        {
            **_NAMED,
            "ra": "centre of the sky cell, degrees",
            "dec": "centre of the sky cell, degrees",
            **_of_layer("instrument", "detector", "filter", "scale", "n_exposures", "exptime", "expstart", "expend"),
            "programs": "HST program numbers of its members, joined with commas",
            "astrometric_catalogs": "astrometric catalogs of its members, joined with commas; null where none has one",
            **_of_layer("area_arcmin2", "mean_exposures"),
        },
    ),
    "stale_layer": (
        "One row a stale layer.",
        {
            **_NAMED,
            "reasons": "codes of its reasons, joined with commas",
            "n_exposures_concerned": "number of exposures that the reasons concern",
        },
    ),
    "stale_reason": (
        "One row a reason why a layer is stale.",
        {
            **_NAMED,
            "reason": "code of the reason, such as member-added",
            "exposure": "ipppssoo of the exposure that it concerns; null where it concerns the layer",
        },
    ),
}


def describe_tables() -> str:
    """One section a table and then one a view, each in alphabetical order: its meaning, and a row for each column."""
    return "\n".join([*_describe_tables(), *_describe_views()])


def fill_page(text: str) -> str:
    """A page with the part between the marks made anew. Raises ValueError where the marks are missing."""
    pattern = re.compile(re.escape(BEGIN) + ".*" + re.escape(END), re.DOTALL)
    if pattern.search(text) is None:
        raise ValueError(f"the page lacks its marks; expected {BEGIN!r} and {END!r}")
    return pattern.sub(lambda _: f"{BEGIN}\n\n{describe_tables()}\n{END}", text)


def write_docs(repository: Path) -> None:
    """Make the tables of the page and the picture anew, in this checkout of the repository."""
    page = repository / PAGE
    page.write_text(fill_page(page.read_text(encoding="utf-8")), encoding="utf-8")
    (repository / PICTURE).write_text(draw_schema(metadata), encoding="utf-8")


def _describe_tables() -> Iterable[str]:
    for table in sorted(metadata.tables.values(), key=lambda table: table.name):
        meaning = table.comment or ""
        yield from (f"### {table.name}", "", f"{meaning[:1].upper()}{meaning[1:]}.", "")
        yield from ("| column | type | meaning |", "|---|---|---|")
        for column in table.columns:
            notes = [column.comment or "", *(f"refers to {key.target_fullname}" for key in column.foreign_keys)]
            name = f"**{column.name}**" if column.primary_key else column.name
            yield f"| {name} | {name_type(column)}{' or null' if column.nullable else ''} | {'; '.join(notes)} |"
        yield ""


def _describe_views() -> Iterable[str]:
    for view, (meaning, columns) in sorted(VIEWS.items()):
        yield from (f"### {view} (view)", "", meaning, "", "| column | meaning |", "|---|---|")
        yield from (f"| {name} | {note} |" for name, note in columns.items())
        yield ""


if __name__ == "__main__":
    write_docs(Path())
