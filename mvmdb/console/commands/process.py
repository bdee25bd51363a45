"""The command process."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from mvmdb.console import options
from mvmdb.console.localpath import LocalPath
from mvmdb.console.options import Session, Who
from mvmdb.console.progress import Form, Progress
from mvmdb.console.show import say
from mvmdb.recipe import Method, Shallow
from mvmdb.records import MEASURED, Frames


@click.command(short_help="Make the mosaics of one poller file, without a catalog.")
@click.argument("poller", type=LocalPath())
@options.output
@click.option(
    "--limits",
    type=(int, int, int, int),
    metavar="X0 X1 Y0 Y1",
    help="Make one rectangle instead of sky cells: its first and last fine pixels in the projection cell.",
)
@click.option(
    "--parameters",
    "parameters_file",
    type=LocalPath(),
    metavar="FILE",
    help="Drizzle with the values of this file: *.toml, or drizzlepac's *.json.",
)
@click.option(
    "--frames", type=click.Choice([name for name in get_args(Frames) if name not in MEASURED]), default="any",
    help="Make layers of exposures of any astrometric frame, on Gaia or an absolute one, or of that of most of each.",
)  # fmt: skip
@click.option(
    "--method", type=click.Choice(["hap", "mvmdb"]), default="mvmdb",
    help="Make mosaics by mvmdb's own methods (mvmdb, the default), or as drizzlepac does (hap).",
)  # fmt: skip
@click.option(
    "--shallow", type=click.Choice(["hap", "match"]),
    help="Make mosaics of a mean depth of one exposure as hap does, or match skies (default: as the method has it).",
)  # fmt: skip
@options.who
@options.cache
@options.memory
@options.wait
@options.progress
@options.as_json
@click.pass_obj
def process(
    session: Session,
    poller: Path,
    output: Path | None,
    limits: tuple[int, int, int, int] | None,
    parameters_file: Path | None,
    frames: Frames,
    method: Method,
    shallow: Shallow | None,
    who: Who,
    memory_mb: int | None,
    wait: float,
    progress: Form,
    as_json: bool,
) -> None:
    """Make the mosaics of one poller file, basic or full, without a catalog.

    A layer with a NEW row is made from all its rows. A path that does not exist, as in a poller of another machine,
    stands for the file of that name beside the poller file. The products go to DIR/<skycell>/ (default: below this
    folder). The exit code is 1 if a layer failed or an exposure could not be used.

    Example: mvmdb process skycell-p0726x10y04_input.out -o /data/mvm
    """
    import os

    from mvmdb.console.render import beside_words, reconcile_json, reconcile_words
    from mvmdb.exposures.eligibility import apply_switches
    from mvmdb.parameters.read import read_parameters
    from mvmdb.process import process_poller
    from mvmdb.records import Policy

    policy = apply_switches(Policy(frames=frames, method=method, shallow=shallow or ""), os.environ)
    parameters = None if parameters_file is None else read_parameters(parameters_file)
    folder = (output or Path()).absolute()  # a worker on another machine has another current folder
    with options.work_of(who, memory_mb).open() as workers, Progress(progress) as monitor:
        report = process_poller(
            poller.absolute(), folder, policy,
            workers=workers, monitor=monitor, limits=limits, parameters=parameters, wait=wait,
        )  # fmt: skip
    if as_json:
        options.emit_json(reconcile_json(report) | {"beside": report.beside})
    else:
        say(*beside_words(report), *reconcile_words(report))
    options.finish(report.failed > 0 or bool(report.refused))
