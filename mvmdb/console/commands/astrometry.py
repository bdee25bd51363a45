"""The command astrometry."""

from __future__ import annotations

from typing import Any

import click

from mvmdb.console.conditions import conditions, showing
from mvmdb.console.options import Session


@click.command(short_help="List layers that mix frames, or whose members lie apart.")
@conditions
@showing
@click.pass_obj
def astrometry(session: Session, /, conditions: dict[str, Any], shown: dict[str, Any], form: str | None) -> None:
    """List the layers in which members of different astrometric frames overlap, those with the largest area first.

    Sources may be smeared there. Conditions and columns are those of `search layers`; without --columns, each layer has
    the numbers of its members by frame, and the area (square arcmin) that members of different frames cover.
    With --apart, the layers are listed whose members do not lie together by measured shifts: the largest shift of two
    of them in pixels, and how many pairs lie apart. `mvmdb init --frames` keeps members of other frames and places out
    of layers, or corrects their shifts.

    Example: mvmdb astrometry --filter f814w --limit 20
    """
    from mvmdb.catalog.ask.search.relations import meanings_of
    from mvmdb.console.rows import print_answer

    with session.archive().found_mixed(**conditions, **shown) as (names, rows):
        print_answer(form, names, rows, meanings_of("layers"))
