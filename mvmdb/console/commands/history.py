"""The command history."""

from __future__ import annotations

import datetime as dt

import click

from mvmdb.console import options
from mvmdb.console.options import Session
from mvmdb.console.times import utc_time


@click.command(short_help="What happened, when and why.")
@click.option("--since", type=utc_time, metavar="TIME", help="From this time on: 2026-11-24 (UTC), yesterday, 7d, 12h.")
@click.option("--until", type=utc_time, metavar="TIME", help="Before this time.")
@click.option("--run", type=click.IntRange(1, 2**31 - 1), metavar="N", help="What happened in this run.")
@click.option("--layer", metavar="NAME", help="What happened to this layer.")
@click.option("--skycell", metavar="NAME", help="What happened to this sky cell's layers and exposures.")
@click.option("--exposure", metavar="NAME", help="What happened to this exposure.")
@click.option("--program", metavar="ID", help="What happened to a program's exposures and their layers: 11359, or B6O.")
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="Events of this kind (may be repeated).")
@options.as_json
@click.pass_obj
def history(
    session: Session,
    since: dt.datetime | None,
    until: dt.datetime | None,
    run: int | None,
    layer: str | None,
    skycell: str | None,
    exposure: str | None,
    program: str | None,
    kinds: tuple[str, ...],
    as_json: bool,
) -> None:
    """What happened, when and why, oldest first.

    Without an option that names a run, layer, sky cell, exposure, program or kind, the runs are listed with the number
    of their events; with one, the events that meet all options. The table `event` and the view `history` have the
    same for SQL.

    Example: mvmdb history --since yesterday --kind layer-drizzled
    """
    from mvmdb.console.history import event_json, lines_of, run_json

    with session.archive().past(
        since=since, until=until, run=run, layer=layer, skycell=skycell, exposure=exposure, program=program,
        kinds=kinds,
    ) as (runs, events):  # fmt: skip
        if as_json:
            options.emit_json({"runs": list(map(run_json, runs)), "events": list(map(event_json, events))})
        else:
            options.emit_lines(lines_of(runs, events))
