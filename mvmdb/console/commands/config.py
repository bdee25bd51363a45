"""The command config."""

from __future__ import annotations

import click

from mvmdb.console import options
from mvmdb.console.options import Session
from mvmdb.console.show import say


@click.command(short_help="Print the catalog's configuration.")
@options.as_json
@click.pass_obj
def config(session: Session, as_json: bool) -> None:
    """Print the catalog's configuration, with its products folder and schema version. `mvmdb init` changes it.

    Example: mvmdb config --json
    """
    values = session.archive().config()
    if as_json:
        options.emit_json(values)
    else:
        say(*(f"{name}: {'not set' if value is None else value}" for name, value in values.items()))
