"""The command align."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mvmdb.console import options
from mvmdb.console.options import Session, Who
from mvmdb.console.progress import Form, Progress
from mvmdb.console.show import say

if TYPE_CHECKING:
    from mvmdb.alignment.values import Fit
    from mvmdb.archive.aligning import Alignment


@click.command(short_help="Align exposures to each other or to a catalog.")
@click.argument("skycells", nargs=-1, required=True, metavar="SKYCELL...")
@click.option(
    "--reference", type=click.Path(path_type=Path, dir_okay=False), metavar="TABLE",
    help="Stars: ra, dec in degrees; pmra, pmdec in mas/yr, ref_epoch (default: the exposures themselves).",
)  # fmt: skip
@click.option("--name", default="aligned", show_default=True, metavar="NAME", help="The name of the solutions.")
@options.filters
@click.option(
    "--fit", type=click.Choice(["shift", "rshift", "rscale"]), default="rshift", show_default=True,
    help="What is fitted to each exposure: a shift, also a roll, also a scale.",
)  # fmt: skip
@options.who
@options.cache
@options.progress
@options.as_json
@click.pass_obj
def align(
    session: Session,
    skycells: tuple[str, ...],
    reference: Path | None,
    name: str,
    filters: tuple[str, ...],
    fit: Fit,
    who: Who,
    progress: Form,
    as_json: bool,
) -> None:
    """Align all exposures of sky cells together, and keep the solutions in the catalog under a name.

    Sources in overlaps link the exposures, and stars of TABLE, moved to the date of each exposure, say where they are.
    Without TABLE the exposures with the best solutions stay where they are on average. No exposure is written. Layers
    use the solutions after `mvmdb init --alternate NAME`, until the WCS of an exposure's file changes. The exit code is
    1 if an exposure was refused, as too few of its sources match.

    Example: mvmdb align skycell-p0726x10y04 --reference gaia.ecsv --name gaia
    """
    with Progress(progress) as monitor:
        done = session.archive(who, None, monitor).align(
            skycells, reference=reference, name=name, filters=filters, fit=fit
        )
    if as_json:
        options.emit_json(_as_json(done))
    else:
        say(*_as_words(done))
    options.finish(done.attention)


def _as_json(done: Alignment) -> dict[str, object]:
    result = done.result
    return {
        "name": done.name,
        "fit": result.fit,
        "reference": result.reference or None,
        "reference_digest": result.reference_digest or None,
        "used": done.used,
        "aligned": [
            {
                "exposure": one.ipppssoo,
                **asdict(one.correction),
                "n_sources": one.n_sources,
                "n_reference": one.n_reference,
                "n_overlap": one.n_overlap,
                "rms_mas": one.rms,
            }
            for one in result.aligned
        ],
        "refused": [{"exposure": name, "reason": why} for name, why in result.refused.items()],
    }


def _as_words(done: Alignment) -> Iterator[str]:
    for one in done.aligned:
        motion = one.correction
        scale = "" if motion.scale == 1.0 else f", scale {motion.scale:.6f}"
        with_reference = f"{one.n_reference} with the reference, " if done.result.reference else ""
        yield (
            f"{one.ipppssoo}: {1000 * motion.dx:+.1f} mas east, {1000 * motion.dy:+.1f} mas north, "
            f"roll {motion.roll:+.5f} degrees{scale}; {with_reference}{one.n_overlap} matches in overlaps, "
            f"rms {one.rms:.1f} mas"
        )
    for name, why in done.refused.items():
        yield f"refused: {name}: {why}"
    yield done.tell().line
    if done.aligned:
        yield (
            "layers use them from now on" if done.used else f"layers use them after: mvmdb init --alternate {done.name}"
        )
