"""The command astrometry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mvmdb.console.commands.search import asked, search
from mvmdb.console.options import Session

_CONDITIONS = [one for one in search.params if isinstance(one, click.Option) and one.name != "mixed"]


@click.command(params=_CONDITIONS, short_help="List the layers that mix astrometric frames, the worst first.")
@click.pass_obj
def astrometry(
    session: Session,
    /,
    position: tuple[str, str] | None,
    target_file: Path | None,
    columns: str | None,
    sort: str | None,
    form: str | None,
    **conditions: Any,
) -> None:
    """List the layers in which members of different astrometric frames overlap, those with the largest area first.

    Sources may be smeared there. Conditions and columns are those of `search layers`; without --columns, each layer has
    the numbers of its members by frame, and the area (square arcmin) that members of different frames cover.
    `mvmdb init --frames` keeps members of other frames out of layers.

    Example: mvmdb astrometry --filter f814w --limit 20
    """
    from mvmdb.console.rows import print_answer

    given = asked(position, target_file, columns, sort, conditions)
    with session.archive().found_mixed(**given) as found:
        print_answer(form, *found, "layers")
