"""Options that commands share which ask for exposures, layers or products: conditions, columns and forms of output."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from mvmdb.console.localpath import LocalPath
from mvmdb.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])

_CONDITIONS = (
    click.option("--filter", "filters", multiple=True, metavar="F", help="This filter; two elements are joined by -."),
    click.option(
        "--camera", "cameras", multiple=True, metavar="C",
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
        "--target-file", type=LocalPath(dir_okay=False), metavar="FILE",
        help="At one of these positions: one per line, RA and DEC.",
    ),
    click.option(
        "--radius", type=click.FloatRange(0, 30), default=0.0, metavar="DEG", help="Within so many degrees of it."
    ),
    click.option("--astrometry", multiple=True, metavar="TEXT", help="Aligned to it: GAIA, GSC, FIT_REL; or none."),
    click.option("--stale", is_flag=True, help="Layers that are stale, and what belongs to them."),
    click.option("--waiting", is_flag=True, help="Layers that wait for files, and what belongs to them."),
    click.option(
        "--mixed", is_flag=True, default=None,
        help="Layers in which different astrometric frames overlap, and what is theirs.",
    ),
    click.option("--apart", is_flag=True, help="Layers whose members do not lie together, and what is theirs."),
)  # fmt: skip
_NAMES = (
    "filters", "cameras", "dates", "programs", "targets", "skycells", "exposures", "radius", "astrometry", "stale",
    "waiting", "mixed", "apart",
)  # fmt: skip
_SHOWING = (
    click.option("--columns", metavar="A,B,...", help="Show these columns; `mvmdb schema` says what they mean."),
    click.option("--sort", metavar="A,-B,...", help="Sort by these columns, one with - before it from high to low."),
    click.option("--limit", type=click.IntRange(0), metavar="N", help="Show N rows at most."),
    click.option("--csv", "form", flag_value="csv", help="Comma-separated values with a header line."),
    click.option("--nl", "form", flag_value="nl", help="One JSON object per line (NDJSON)."),
    click.option("--json", "form", flag_value="json", help="One JSON list of objects."),
    click.option("--ecsv", "form", flag_value="ecsv", help="ECSV, with units and meanings."),
    click.option("--votable", "form", flag_value="votable", help="VOTable, with units and meanings."),
)


def conditions(command: F) -> F:
    """Give a command the conditions of a search; it gets them as one argument, `conditions`, for `Archive.search`."""

    @wraps(command)
    def gathered(*arguments: Any, position: tuple[str, str] | None, target_file: Path | None, **named: Any) -> object:
        from mvmdb.archive.positions import read_position, read_positions

        if position is not None and target_file is not None:
            raise UsageError("--at and --target-file are both given; expected one of them")
        found = {name: named.pop(name) for name in _NAMES}
        at = None if target_file is None else read_positions(str(target_file))
        found["at"] = at if position is None else [read_position(*position)]
        return command(*arguments, conditions={k: v for k, v in found.items() if v is not None}, **named)

    return cast(F, _with(_CONDITIONS, gathered))


def showing(command: F) -> F:
    """Give a command --columns, --sort and --limit, which it gets as `shown`, and the forms of output, as `form`."""

    @wraps(command)
    def gathered(*arguments: Any, columns: str | None, sort: str | None, limit: int | None, **named: Any) -> object:
        shown: dict[str, Any] = {"columns": split(columns), "sort": split(sort)}
        return command(*arguments, shown=shown | ({} if limit is None else {"limit": limit}), **named)

    return cast(F, _with(_SHOWING, gathered))


def split(text: str | None) -> tuple[str, ...]:
    """The words of an option that has commas between them."""
    return () if text is None else tuple(part.strip() for part in text.split(","))


def _with(options: tuple[Callable[[Any], Any], ...], command: Any) -> Any:
    for option in reversed(options):
        command = option(command)
    return command
