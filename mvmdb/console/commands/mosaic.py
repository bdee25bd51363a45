"""The command mosaic: one rectangle of the sky, from the catalog's exposures."""

from __future__ import annotations

from pathlib import Path

import click

from mvmdb.console import options
from mvmdb.console.options import Session
from mvmdb.console.progress import Form, Progress
from mvmdb.names import Scale


@click.command(short_help="Make a mosaic of any square of the sky.")
@click.option(
    "--at", "position", type=(float, float), required=True, metavar="RA DEC", help="The middle, degrees (ICRS)."
)
@click.option("--size", type=float, required=True, metavar="ARCMIN", help="The side of the square.")
@click.option("--filter", "filter_name", required=True, metavar="F", help="The filter, as in layers' names.")
@click.option("--detector", metavar="D", help="Only this detector, where several have such a filter.")
@click.option("--scale", type=click.Choice(["fine", "coarse"]), help="Only this scale.")
@options.output
@options.executor
@options.jobs
@options.memory
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
    output: Path | None,
    executor: str | None,
    jobs: int | None,
    memory_mb: int | None,
    progress: Form,
    as_json: bool,
) -> None:
    """Make a mosaic of any square inside one projection cell, across sky cells, from the catalog's exposures.

    Its pixels are those of the projection cell with the nearest middle. The catalog does not record it. It goes to
    DIR/skycell-p<cell>-ra<ra>-dec<dec>/ (default: below this folder). The exit code is 1 when a mosaic failed.

    Example: mvmdb mosaic --at 53.06 -27.71 --size 3 --filter f125w -o /data/fields
    """
    from mvmdb.catalog.ask.eligible import load_eligible_exposures, load_skies
    from mvmdb.console.render import reconcile_json, reconcile_words
    from mvmdb.rectangles.geometry import rectangle_at
    from mvmdb.rectangles.make import make_rectangle
    from mvmdb.rectangles.plan import RectangleOptions

    rectangle = rectangle_at(*position, size)
    folder = (output or Path()).absolute()
    with options.looking(session) as (begin, policy):
        with begin() as connection:
            exposures = load_eligible_exposures(connection, rectangle.cells, rectangle.name, filter_name, detector)

        def skies(layer: str, members: object) -> dict[str, float]:
            with begin() as connection:
                return load_skies(connection, layer, list(members))  # type: ignore[call-overload]

        with options.open_workers(executor, jobs, memory_mb) as workers, Progress(progress) as monitor:
            report = make_rectangle(
                exposures, rectangle, folder, policy, RectangleOptions(scale, skies), workers=workers, monitor=monitor
            )
    if as_json:
        options.emit_json(reconcile_json(report))
    else:
        click.echo("\n".join(reconcile_words(report)))
    options.finish(report.failed > 0 or bool(report.refused))
