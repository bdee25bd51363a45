"""The command schema."""

from __future__ import annotations

import click

from mvmdb.console import options
from mvmdb.console.show import say


@click.command(short_help="Print tables, columns and their meanings.")
@options.as_json
def schema(as_json: bool) -> None:
    """Print every table and view of the catalog, with the types, meanings and units of its columns.

    It needs no catalog.

    Example: mvmdb schema
    """
    from mvmdb.archive import Archive

    relations = Archive.schema()
    if as_json:
        options.emit_json(relations)
        return
    for relation in relations:
        say("", f"{relation['name']} ({relation['kind']}): {relation['meaning']}")
        say(*(f"  {c['name']} {c['type'] or ''}".rstrip() + f": {c['meaning']}" for c in relation["columns"]))
