"""The command plot, with a command of its own for each kind of plot."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mvmdb.console.arguments import Subcommands
from mvmdb.console.conditions import conditions
from mvmdb.console.localpath import LocalPath
from mvmdb.console.options import Session

if TYPE_CHECKING:
    from mvmdb.archive.plotting import Kind

_output = click.option(
    "-o", "--output", type=LocalPath(dir_okay=False), required=True, metavar="FILE",
    help="The picture to write: .png or .svg.",
)  # fmt: skip
_bare = click.option("--bare", is_flag=True, help="Without the exposures of the catalog.")


@click.group(cls=Subcommands, short_help="Plot the sky, sky cells, layers, the history and coverage.")
def plot() -> None:
    """Plot the tessellation and the archive as PNG or SVG.

    The plots of the sky, of a pole and of a projection cell show where the catalog's exposures are, if there is a
    catalog; the conditions of search choose among the exposures. Needs the extra `pictures`.

    Example: mvmdb plot sky -o sky.png
    """


def _write(session: Session, kind: Kind, name: str | None, output: Path, **chosen: Any) -> None:
    # It says on standard error that it lists the machine's fonts, once, where that takes some seconds.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    session.archive().plot(kind, name, output=output, **chosen)


def _given(conditions: dict[str, Any]) -> dict[str, Any]:
    """The conditions that were asked for."""
    return {name: value for name, value in conditions.items() if value}


def _coverage(bare: bool) -> bool | None:
    return False if bare else None


@plot.command()
@click.option(
    "--projection", type=click.Choice(["aitoff", "mollweide"]), default="aitoff", show_default=True,
    help="The projection of the map.",
)  # fmt: skip
@_bare
@conditions
@_output
@click.pass_obj
def sky(session: Session, projection: str, bare: bool, conditions: dict[str, Any], output: Path) -> None:
    """Plot all projection cells on a map of the whole sky, RA 0 in the middle and growing to the left.

    Example: mvmdb plot sky --filter f160w -o sky.png
    """
    _write(session, "sky", None, output, projection=projection, coverage=_coverage(bare), **_given(conditions))


@plot.command()
@click.option("--south", is_flag=True, help="The south pole.")
@_bare
@conditions
@_output
@click.pass_obj
def pole(session: Session, south: bool, bare: bool, conditions: dict[str, Any], output: Path) -> None:
    """Plot the projection cells around the north pole, with their numbers.

    Example: mvmdb plot pole -o pole.svg
    """
    _write(session, "pole", None, output, south=south, coverage=_coverage(bare), **_given(conditions))


@plot.command()
@click.argument("projection_cell")
@_bare
@conditions
@_output
@click.pass_obj
def cell(session: Session, projection_cell: str, bare: bool, conditions: dict[str, Any], output: Path) -> None:
    """Plot the sky cells of PROJECTION_CELL (0 to 2643), each with its numbers x and y.

    Example: mvmdb plot cell 1889 -o p1889.png
    """
    _write(session, "cell", projection_cell, output, coverage=_coverage(bare), **_given(conditions))


@plot.command()
@click.argument("name")
@_output
@click.pass_obj
def skycell(session: Session, name: str, output: Path) -> None:
    """Plot the footprints of a sky cell's members by filter, with the cell and its canvas outlined.

    Example: mvmdb plot skycell p0647x10y11 -o members.png
    """
    _write(session, "skycell", name, output)


@plot.command()
@click.argument("name")
@_output
@click.pass_obj
def layer(session: Session, name: str, output: Path) -> None:
    """Plot the mosaic of a layer, its weights, and how many exposures it holds where.

    Example: mvmdb plot layer hst_skycell-p0647x10y11_wfc3_ir_f125w_all -o f125w.png
    """
    _write(session, "layer", name, output)


@plot.command()
@conditions
@_output
@click.pass_obj
def history(session: Session, conditions: dict[str, Any], output: Path) -> None:
    """Plot exposures and exposure time by date of observation, and fresh and stale layers over time.

    Example: mvmdb plot history -o history.png
    """
    _write(session, "history", None, output, **_given(conditions))


@plot.command()
@conditions
@_output
@click.pass_obj
def coverage(session: Session, conditions: dict[str, Any], output: Path) -> None:
    """Plot exposure time and covered area by filter.

    Example: mvmdb plot coverage --program 11359 -o coverage.png
    """
    _write(session, "coverage", None, output, **_given(conditions))
