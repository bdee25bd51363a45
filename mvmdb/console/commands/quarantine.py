"""The command quarantine."""

from __future__ import annotations

from dataclasses import asdict

import click

from mvmdb.console import options
from mvmdb.console.options import Session
from mvmdb.console.show import say


@click.command(short_help="List files that could not be catalogued, or accept them.")
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@click.option("--accept", is_flag=True, help="Accept these files as they are, until they change.")
@options.as_json
@click.pass_obj
def quarantine(session: Session, paths: tuple[str, ...], accept: bool, as_json: bool) -> None:
    """List the files that could not be used, each with the reason and the day when it was first seen.

    Give a file to --accept by its path or its name. The exit code is 1 if a listed file has not been accepted.

    Example: mvmdb quarantine --accept /data/inbox/ib6o04tuq_flt.fits
    """
    from mvmdb.errors import UsageError

    if accept != bool(paths):
        raise UsageError("--accept and PATH... go together; expected both, or neither for a list")
    archive = session.archive()
    listed = archive.accept(*paths) if accept else archive.quarantine()
    if as_json:
        options.emit_json([{name: v for name, v in asdict(file).items() if name != "new"} for file in listed.files])
    else:
        for file in listed.files:
            since = f"since {file.first_seen[:10]}" + (", accepted" if file.accepted else "")
            say(f"{file.path} ({file.kind}, {since}): {file.reason}")
        say(listed.tell().line)
    options.finish(listed.attention)
