"""The command stage."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from mvmdb.console import options
from mvmdb.console.localpath import LocalPath
from mvmdb.console.options import Session
from mvmdb.console.progress import Form, Progress
from mvmdb.console.show import say
from mvmdb.staging.copies import LINKS, Link


@click.command(short_help="Fill folders for drizzlepac: exposures and poller.")
@click.argument("cells", nargs=-1, metavar="[SKYCELL...]")
@click.option(
    "-o", "--output", type=LocalPath(file_okay=False), metavar="DIR", required=True,
    help="The folder to write to; not the products folder.",
)  # fmt: skip
@click.option("--full", is_flag=True, help="Mark every row NEW, so that every layer of these sky cells is made.")
@click.option(
    "--link",
    type=click.Choice(LINKS),
    default="copy",
    show_default=True,
    help="Link to the exposures instead of copying them: what drizzlepac writes into its inputs, it writes into them. "
    "Files elsewhere are fetched all the same.",
)
@options.cache
@options.wait
@options.progress
@options.as_json
@click.pass_obj
def stage(
    session: Session,
    cells: tuple[str, ...],
    output: Path,
    full: bool,
    link: Link,
    wait: float,
    progress: Form,
    as_json: bool,
) -> None:
    """Fill DIR/<skycell>/ with copies of the files of every row, OLD ones too, and the poller file, for drizzlepac.

    For the sky cells named, or for every cell with a stale layer. The files get the names of the archive's pollers.
    Where the file system can, copies share blocks with the exposures until one is changed. A second run puts what is
    missing or has changed. Files elsewhere (https://, s3://) are fetched. The exit code is 1 if a sky cell is not
    complete.

    Example: mvmdb stage skycell-p0726x10y04 -o /scratch/mvm
    """
    from mvmdb.console.render import stage_words

    with Progress(progress) as monitor:
        staged = session.archive(monitor=monitor).stage(cells, output, full=full, link=link, wait=wait)
    report = staged.report
    if as_json:
        options.emit_json(
            {"bytes": report.bytes, "skycells": [asdict(cell) for cell in report.cells], "problems": report.problems}
        )
    else:
        waiting = f"{staged.waiting} layers wait for files" if staged.waiting else "nothing is stale"
        say(*(stage_words(report) or [f"no sky cell to stage: {waiting}"]))
    options.finish(staged.attention)
