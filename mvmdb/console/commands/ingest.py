"""The command ingest."""

from __future__ import annotations

import click

from mvmdb.console import options
from mvmdb.console.options import Session, Who
from mvmdb.console.progress import Form, Progress
from mvmdb.console.pruning import Pruning, prune_json, prune_words, pruning
from mvmdb.console.show import say


@click.command(short_help="Register FLT and FLC exposures.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@options.programs
@options.filters
@options.cells
@pruning("--yes")
@options.who
@options.cache
@options.progress
@options.as_json
@click.pass_obj
def ingest(
    session: Session,
    paths: tuple[str, ...],
    programs: tuple[str, ...],
    filters: tuple[str, ...],
    cells: tuple[str, ...],
    pruning: Pruning,
    who: Who,
    progress: Form,
    as_json: bool,
) -> None:
    """Register FLT and FLC exposures: files, folders with their subfolders, and @LIST files.

    Each PATH may be an address, https://... or s3://...: headers are read there, and pixels when a layer needs them.

    Unchanged files are not opened. A file that cannot be used is quarantined with the reason. The exit code is 1 if the
    fault is new, or the file has changed since. Exposures outside the programs, filters and sky cells that are given
    are left out, and the next ingest reads them again.

    With --prune, exposures leave the archive whose files are gone from the folders that are given. They return when
    their files do. An exposure with a copy elsewhere switches to it instead. You are asked first, and the exit code is
    1 if nothing leaves although files are gone.

    Example: mvmdb ingest /data/inbox @more.txt
    """
    from mvmdb.console.render import growth_words, ingest_json, ingest_words

    with Progress(progress) as monitor:
        done = session.archive(who, monitor=monitor).ingest(
            *paths, programs=programs, filters=filters, skycells=cells, prune=pruning.chosen(monitor.close)
        )
    options.warn_of(done.found)
    if as_json:
        options.emit_json(ingest_json(done.report) | prune_json(done.prune))
    else:
        say(*ingest_words(done.report), *prune_words(done.prune), *growth_words(done.report))
    options.finish(done.attention)
