"""The command mosaic: one rectangle of the sky, from the catalog's exposures."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mvmdb.console import options
from mvmdb.console.options import Session, Who
from mvmdb.console.progress import Form, Progress
from mvmdb.console.show import say
from mvmdb.errors import UsageError
from mvmdb.names import Scale

if TYPE_CHECKING:
    from mvmdb.rectangles.estimate import Estimate


@click.command(short_help="Make a mosaic of any square of the sky.")
@click.option(
    "--at", "position", type=(float, float), required=True, metavar="RA DEC", help="The centre, degrees (ICRS)."
)
@click.option("--size", type=float, required=True, metavar="ARCMIN", help="The side of the square.")
@click.option("--filter", "filter_name", required=True, metavar="F", help="The filter, as in layer names.")
@click.option("--detector", metavar="D", help="Only this detector, if several have the filter.")
@click.option("--scale", type=click.Choice(["fine", "coarse"]), help="Only this scale.")
@click.option("--trim/--no-trim", default=True, show_default=True, help="Leave out rows and columns without data.")
@click.option("--yes", is_flag=True, help="Make mosaics of more than 2 GB without asking.")
@options.output
@options.who
@options.cache
@options.memory
@options.wait
@options.progress
@options.as_json
@click.pass_obj
def mosaic(
    session: Session,
    position: tuple[float, float],
    size: float,
    filter_name: str,
    detector: str | None,
    scale: Scale | None,
    trim: bool,
    yes: bool,
    output: Path | None,
    who: Who,
    memory_mb: int | None,
    wait: float,
    progress: Form,
    as_json: bool,
) -> None:
    """Make a mosaic of any square inside one projection cell, across sky cells, from the catalog's exposures.

    Its pixel grid is that of the projection cell with the nearest centre. The catalog does not record it. It goes to
    DIR/skycell-p<cell>-ra<ra>-dec<dec>/ (default: below this folder). The exit code is 1 if a mosaic failed or an
    exposure could not be used.

    The estimated size, memory and time are printed first. More than 2 GB need confirmation: at the prompt, or with
    --yes.

    Example: mvmdb mosaic --at 53.06 -27.71 --size 3 --filter f125w -o /data/fields
    """
    from mvmdb.catalog.ask.eligible import load_eligible_exposures, load_skies
    from mvmdb.console.render import reconcile_json, reconcile_words
    from mvmdb.rectangles.estimate import estimate_cost
    from mvmdb.rectangles.geometry import rectangle_at, trim_rectangle
    from mvmdb.rectangles.make import make_rectangle
    from mvmdb.rectangles.plan import RectangleOptions, plan_rectangle

    rectangle = rectangle_at(*position, size)
    folder = (output or Path()).absolute()
    with options.reading(session) as (begin, policy):
        with begin() as connection:
            exposures = load_eligible_exposures(connection, rectangle.cells, rectangle.name, filter_name, detector)

        def skies(layer: str, members: object) -> dict[str, float]:
            with begin() as connection:
                return load_skies(connection, layer, list(members))  # type: ignore[call-overload]

        trimmed = trim_rectangle(rectangle, [exposure.s_region for exposure in exposures]) if trim else rectangle
        chosen = RectangleOptions(scale, skies)
        planned = plan_rectangle(exposures, trimmed, folder / trimmed.name, policy, chosen, set())
        estimate = estimate_cost(planned, exposures)
        _confirm(estimate, yes, as_json)
        with options.open_workers(who, memory_mb) as workers, Progress(progress) as monitor:
            report = make_rectangle(
                exposures, trimmed, folder, policy, chosen, workers=workers, monitor=monitor, wait=wait
            )
    if as_json:
        options.emit_json(reconcile_json(report) | {"estimate": asdict(estimate)})
    else:
        say(*reconcile_words(report))
    options.finish(report.failed > 0 or bool(report.refused))


def _confirm(estimate: Estimate, yes: bool, as_json: bool) -> None:
    """Print the estimate, and ask for confirmation if it is large. Raises UsageError if there is no confirmation."""
    from mvmdb.rectangles.estimate import LARGE

    if not as_json:
        say(str(estimate))
    if estimate.bytes <= LARGE or yes:
        return
    if sys.stdin is not None and sys.stdin.isatty() and click.confirm("Make them?", err=True):
        return
    raise UsageError(
        f"the mosaics would take {estimate.bytes / 1e9:.2g} GB; expected at most {LARGE / 1e9:g} GB without --yes; "
        "choose a smaller --size or another --scale, or repeat with --yes"
    )
