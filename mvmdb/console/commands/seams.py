"""The command seams."""

from __future__ import annotations

from typing import Any

import click

from mvmdb.console.conditions import conditions, showing
from mvmdb.console.options import Session


@click.command(short_help="List steps of the sky inside mosaics, the worst first.")
@conditions
@click.option("--gradients", is_flag=True, help="Only pairs whose difference changes within their overlap.")
@showing
@click.pass_obj
def seams(
    session: Session, /, conditions: dict[str, Any], gradients: bool, shown: dict[str, Any], form: str | None
) -> None:
    """List the seams of mosaics: what is left of the difference of each pair of overlapping members, the worst first.

    A mosaic has one sky per exposure, which cannot meet the measured difference of every pair. `residual` is what is
    left (electrons/s/arcsec^2), and `sigma` how many standard deviations of the measurement that is; it is known for
    mosaics of the method mvmdb. A pair `looks_like_gradient` if its difference changes by 5 standard deviations or
    more from one half of the overlap to the other: no single sky takes that away. Gradients that both exposures share
    are not seen. Conditions are those of `search layers`.

    Example: mvmdb seams --filter f125w --limit 20
    """
    from mvmdb.catalog.ask.seams import meanings_of_seams
    from mvmdb.console.rows import print_answer

    with session.archive().found_seams(gradients=gradients, **conditions, **shown) as (names, rows):
        print_answer(form, names, rows, meanings_of_seams())
