"""The command poller."""

from __future__ import annotations

from pathlib import Path

import click

from mvmdb.console import options
from mvmdb.console.options import Session
from mvmdb.console.show import say
from mvmdb.records import Mark


@click.command(short_help="Write the poller files of sky cells.")
@click.argument("cells", nargs=-1, metavar="[SKYCELL...]")
@options.output
@click.option("--all", "everything", is_flag=True, help="Every sky cell, even if nothing in it is stale.")
@click.option("--basic", is_flag=True, help="The basic form: one path per line.")
@options.mark
@options.wait
@options.as_json
@click.pass_obj
def poller(
    session: Session,
    cells: tuple[str, ...],
    output: Path | None,
    everything: bool,
    basic: bool,
    mark: Mark,
    wait: float,
    as_json: bool,
) -> None:
    """Write `<skycell>_input.out` for the sky cells named, or for every cell with a stale layer.

    The files go to DIR/<skycell>/ (default: the products folder). The rows of stale layers are marked NEW, all others
    OLD. The exit code is 1 if a file could not be written, or names an exposure that is gone.

    Example: mvmdb poller skycell-p0726x10y04 -o /data/pollers
    """
    done = session.archive().poller(cells, output=output, everything=everything, basic=basic, mark=mark, wait=wait)
    written = done.written
    if as_json:
        options.emit_json({"pollers": written.paths, "problems": [*written.problems, *map(str, written.gone)]})
    else:
        for problem in written.problems:
            say(f"not written: {problem}")
        for file in written.gone:
            say(f"problem: {file}")
        waiting = f"{done.waiting} layers wait for files" if done.waiting else "nothing is stale"
        say(*(written.paths or [f"no poller is needed: {waiting}"]))
    options.finish(done.attention)
