"""The command adopt."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mvmdb.console import options
from mvmdb.console.localpath import LocalPath
from mvmdb.console.options import Session
from mvmdb.console.show import say

if TYPE_CHECKING:
    from mvmdb.reconcile.adopt import AdoptedProduct, AdoptReport


@click.command(short_help="Take mosaics that exist as products.")
@click.argument("folder", type=LocalPath(), metavar="DIR")
@click.option("--trust", is_flag=True, help="Take mosaics whose pixels are unproven as fresh, until members change.")
@options.wait
@options.as_json
@click.pass_obj
def adopt(session: Session, folder: Path, trust: bool, wait: float, as_json: bool) -> None:
    """Take mosaics in DIR, made by mvmdb or by drizzlepac, as products of this catalog.

    DIR is the products folder, or another one: its mosaics are then copied to their places in the products folder. The
    exposures must be in the catalog. drizzlepac's mosaics do not say which pixels of an exposure they hold: their
    layers are stale (pixels-unproven), and the next reconcile makes them anew. With --trust they count as fresh until
    a member, its pixels or WCS, or the canvas changes. The exit code is 1 if a mosaic was left alone.

    Example: mvmdb adopt /archive/mvm --trust
    """
    report = session.archive().adopt(folder, trust=trust, wait=wait)
    if as_json:
        options.emit_json(
            {
                "adopted": [{"layer": one.layer, "path": one.path, "proof": str(one.proof)} for one in report.adopted],
                "known": report.known,
                "left": [{"path": path, "reason": reason} for path, reason in report.left.items()],
            }
        )
    else:
        say(*_as_words(report))
    options.finish(bool(report.left))


def _as_words(report: AdoptReport) -> Iterator[str]:
    for one in report.adopted:
        yield f"adopted{_proof_words(one)}: {one.path}"
    for path, reason in report.left.items():
        yield f"left alone: {reason if path in reason else f'{path}: {reason}'}"
    yield f"{len(report.adopted)} adopted, {len(report.known)} known before, {len(report.left)} left alone"


def _proof_words(adopted: AdoptedProduct) -> str:
    return {
        "proven": "",
        "unproven": ", pixels unproven (stale until made anew, or trusted with --trust)",
        "trusted": ", pixels unproven, trusted",
    }[adopted.proof]
