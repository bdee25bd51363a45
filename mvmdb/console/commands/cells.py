"""The command cells."""

from __future__ import annotations

import click

from mvmdb.console import options
from mvmdb.console.options import Session
from mvmdb.records import Rule


@click.command(short_help="List sky cells by name, file or position.")
@click.argument("names", nargs=-1, metavar="[NAME|FILE...]")
@click.option("--at", "position", type=(float, float), metavar="RA DEC", help="Cells at this position, degrees (ICRS).")
@click.option(
    "--radius",
    type=click.FloatRange(0),
    default=0.0,
    help="With --at: all cells that a circle of this radius (degrees) overlaps.",
)
@click.option(
    "--rule",
    type=click.Choice(["overlap", "nearest"]),
    default="overlap",
    help="With files: which sky cells have them as members.",
    show_default=True,
)
@options.as_json
@click.pass_obj
def cells(
    session: Session,
    names: tuple[str, ...],
    position: tuple[float, float] | None,
    radius: float,
    rule: Rule,
    as_json: bool,
) -> None:
    """List sky cells by name, those that files overlap, or those at a position. No catalog is needed.

    A cell's members are the given files that overlap it. For names and positions they are the catalog's eligible
    exposures, if there is a catalog.

    Example: mvmdb cells --at 53.06 -27.71 --radius 0.05
    """
    from mvmdb.cells import list_cells
    from mvmdb.console.rows import print_table

    listed = list_cells(list(names), position=position, radius=radius, rule=rule, address=session.address)
    if as_json:
        options.emit_json(
            [
                {
                    "skycell": str(cell.id),
                    "projection_cell": cell.id.projection_cell,
                    "x": cell.id.x,
                    "y": cell.id.y,
                    "ra": cell.ra,
                    "dec": cell.dec,
                    "members": list(cell.members),
                }
                for cell in listed
            ]
        )
        return
    rows = [(str(cell.id), f"{cell.ra:.6f}", f"{cell.dec:.6f}", len(cell.members)) for cell in listed]
    print_table(("skycell", "ra", "dec", "members"), rows)
