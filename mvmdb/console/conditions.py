"""The conditions of a search as options, for every command that takes them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from mvmdb.console.localpath import LocalPath
from mvmdb.errors import UsageError

F = TypeVar("F", bound=Callable[..., object])

_CONDITIONS = (
    click.option("--filter", "filters", multiple=True, metavar="F", help="This filter; two elements are joined by -."),
    click.option(
        "--camera",
        "cameras",
        multiple=True,
        metavar="C",
        help="Of this instrument and detector, joined by /, or of one.",
    ),
    click.option(
        "--date", "dates", type=(str, str), metavar="MIN MAX", help="Begun in this time; MAX may be a whole day."
    ),
    click.option("--program", "programs", multiple=True, metavar="ID", help="Of this program: 11359, or B6O."),
    click.option("--target", "targets", multiple=True, metavar="TEXT", help="With this in the name of the target."),
    click.option("--skycell", "skycells", multiple=True, metavar="NAME", help="In this sky cell."),
    click.option(
        "--exposure", "exposures", multiple=True, metavar="TEXT", help="With this in ROOTNAME or the file name."
    ),
    click.option(
        "--at", "position", type=(str, str), metavar="RA DEC", help="At this position: degrees, or sexagesimal."
    ),
    click.option(
        "--target-file",
        type=LocalPath(dir_okay=False),
        metavar="FILE",
        help="At one of these positions: one per line, RA and DEC.",
    ),
    click.option(
        "--radius", type=click.FloatRange(0, 30), default=0.0, metavar="DEG", help="Within so many degrees of it."
    ),
    click.option("--astrometry", multiple=True, metavar="TEXT", help="Aligned to it: GAIA, GSC, FIT_REL; or none."),
    click.option("--stale", is_flag=True, help="Layers that are stale, and what belongs to them."),
    click.option("--waiting", is_flag=True, help="Layers that wait for files, and what belongs to them."),
)


def with_conditions(command: F) -> F:
    """Give a command the options of a search; it gets those that are given as the arguments of `Archive.search`."""

    @wraps(command)
    def with_them(*arguments: Any, position: tuple[str, str] | None, target_file: Path | None, **named: Any) -> object:
        from mvmdb.archive.positions import read_position, read_positions

        if position is not None and target_file is not None:
            raise UsageError("--at and --target-file are both given; expected one of them")
        if target_file is not None:
            named["at"] = read_positions(str(target_file))
        elif position is not None:
            named["at"] = [read_position(*position)]
        if named["dates"] is None:
            del named["dates"]
        return command(*arguments, **named)

    decorated: Any = with_them
    for option in reversed(_CONDITIONS):
        decorated = option(decorated)
    return cast(F, decorated)
