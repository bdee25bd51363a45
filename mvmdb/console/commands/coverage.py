"""The command coverage."""

from __future__ import annotations

from typing import Any

import click
from click.core import ParameterSource

from mvmdb.console.arguments import Subcommands
from mvmdb.console.commands.coverage_export import export
from mvmdb.console.commands.coverage_map import coverage_map
from mvmdb.console.conditions import conditions, showing, split
from mvmdb.console.options import Session, emit_json
from mvmdb.console.show import say
from mvmdb.errors import UsageError


@click.group(cls=Subcommands, invoke_without_command=True, short_help="Tell how much is covered, and how deeply.")
@click.option(
    "--by", metavar="A,B,...",
    help="A row for each layer (default), filter, instrument, camera, program, target, year, month, epoch or region, "
    "for each combination of several, or for all.",
)  # fmt: skip
@click.option(
    "--region", "regions", multiple=True, metavar="TEXT",
    help="Only what lies in it: 'POLYGON ...', 'CIRCLE RA DEC DEG', or a sky cell (may be repeated).",
)  # fmt: skip
@click.option(
    "--deeper-than", type=float, multiple=True, metavar="SECONDS",
    help="Tell the area with a longer exposure time, too (may be repeated).",
)  # fmt: skip
@click.option("--together", is_flag=True, help="Tell the area that every group covers, such as two filters.")
@click.option("--adds", multiple=True, metavar="ID", help="Tell what this program adds to all others.")
@click.option("--epochs", metavar="EPOCHS", help="yearly, monthly, a length like 30d, or dates with commas between.")
@conditions
@showing
@click.pass_context
def coverage(
    context: click.Context,
    /,
    by: str | None,
    regions: tuple[str, ...],
    deeper_than: tuple[float, ...],
    together: bool,
    adds: tuple[str, ...],
    epochs: str | None,
    conditions: dict[str, Any],
    shown: dict[str, Any],
    form: str | None,
) -> None:
    """Tell how much of the sky exposures cover, and how deeply, overlaps counted once.

    The exposures are members of layers that meet all conditions. Areas are those on the sky, by
    layer those within its sky cell. With --at RA DEC alone: every exposure and layer at this position.

    Example: mvmdb coverage --by filter --at 03:32:14.4 -27:42:36 --radius 0.1 --deeper-than 1000
    """
    if context.invoked_subcommand is not None:
        given = [name for name in context.params if context.get_parameter_source(name) != ParameterSource.DEFAULT]
        if given:
            raise UsageError(f"options stand before {context.invoked_subcommand}; expected them after it")
        return
    from mvmdb.console.rows import print_answer

    session: Session = context.obj
    asked: dict[str, Any] = {
        "by": split(by),
        "regions": regions,
        "deeper_than": deeper_than,
        "together": together,
        "adds": adds,
    }
    asked["epochs"] = epochs
    position = conditions.get("at")
    if position and len(position) == 1 and not conditions["radius"] and not any(asked.values()):
        _tell_position(session, position[0], conditions, shown, form)
        return
    with session.archive().covered(**asked, **conditions, **shown) as (names, rows, meanings):
        print_answer(form, names, rows, meanings)


def _tell_position(
    session: Session, position: Any, conditions: dict[str, Any], shown: dict[str, Any], form: str | None
) -> None:
    from mvmdb.console.rows import as_json, print_answer

    if any(shown.values()):
        raise UsageError("--columns, --sort and --limit are for rows of coverage; expected none with --at alone")
    others = {name: value for name, value in conditions.items() if name not in ("at", "radius")}
    answer = session.archive().coverage_at(position, **others)
    if form == "json":
        kinds = (("exposures", answer.exposure_rows), ("layers", answer.layer_rows))
        emit_json({name: [as_json(rows.names, row) for row in rows.rows] for name, rows in kinds})
    elif form is None:
        for rows in (answer.exposure_rows, answer.layer_rows):
            print_answer(None, rows.names, rows.rows, rows.meanings)
            say("")
        say(answer.tell().line)
    else:
        rows = answer.pair_rows
        print_answer(form, rows.names, rows.rows, rows.meanings)


coverage.add_command(coverage_map)
coverage.add_command(export)
