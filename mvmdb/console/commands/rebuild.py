"""The command rebuild."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mvmdb.console import options
from mvmdb.console.options import Session, Who
from mvmdb.console.progress import Form, Progress
from mvmdb.console.show import say

if TYPE_CHECKING:
    from mvmdb.rebuild import RebuildReport


@click.command(short_help="Fill an empty catalog from exposures and products.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@options.output
@options.who
@options.cache
@options.progress
@options.as_json
@click.pass_obj
def rebuild(
    session: Session,
    paths: tuple[str, ...],
    output: Path | None,
    who: Who,
    progress: Form,
    as_json: bool,
) -> None:
    """Fill an empty catalog, in place of a lost one: exposures from PATH, as for ingest, products from the folder DIR.

    Configuration, withdrawals and accepted files come from mvmdb-decisions.json in DIR, which every command that
    changes a catalog keeps up to date. Mosaics that are as the lost catalog expected them are fresh. History, the
    measured skies of pairs, and exposures that are known from tables alone do not come back. The exit code is 1 if
    something needs attention: a file that cannot be used, a product that cannot be placed, a table to import again, or
    no decisions file.

    Example: mvmdb rebuild /data/inbox -o /data/mvm
    """
    with Progress(progress) as monitor:
        done = session.archive(who, monitor=monitor).rebuild(*paths, products=output)
    options.warn_of(done.found)
    if as_json:
        options.emit_json(_as_json(done.report))
    else:
        say(*_as_words(done.report, done.products))
    options.finish(done.attention)


def _as_json(report: RebuildReport) -> dict[str, Any]:
    from mvmdb.console.render import ingest_json, plan_json

    return {
        "ingest": ingest_json(report.ingest),
        "status": plan_json(report.outlook),
        "decided": report.decided,
        "waiting": {
            "exposures": [asdict(one) for one in report.waiting.exposures],
            "accepted": [asdict(one) for one in report.waiting.accepted],
        },
        "tables": list(report.tables),
        "unknown_products": report.unknown,
    }


def _as_words(report: RebuildReport, folder: Path) -> Iterator[str]:
    from mvmdb.catalog.decisions.values import FILENAME
    from mvmdb.console.render import ingest_words, plan_words

    yield from ingest_words(report.ingest)
    yield from plan_words(report.outlook)
    if not report.decided:
        yield (
            f"no decisions: {folder / FILENAME} is not there, so withdrawals, accepted files and configuration are "
            "lost; decide again, with mvmdb withdraw, quarantine --accept and init"
        )
    for one in report.waiting.exposures:
        yield f"waits for its exposure: what was decided about {one.ipppssoo}; ingest its file"
    for file in report.waiting.accepted:
        yield f"waits for its file: what was decided about {file.path}"
    for path in report.unknown:
        yield f"not recorded: {path}, which is damaged or holds exposures that were not given"
    for words in report.tables:
        yield f"import again: mvmdb import {words}"
