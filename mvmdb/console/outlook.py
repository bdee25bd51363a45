"""Makes and prints the plan, for commands that look at the whole archive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from mvmdb.console import options
from mvmdb.console.options import Session

if TYPE_CHECKING:
    from mvmdb.catalog.open import Begin
    from mvmdb.reconcile.planning import Outlook


@contextmanager
def looked(
    session: Session,
    cells: tuple[str, ...],
    *,
    deep: bool = False,
    products: Path | None = None,
    available: bool = False,
) -> Iterator[tuple[Outlook, Begin]]:
    """The outlook on these sky cells (names) or on all, and the `begin` of the transactions that it was made in.

    With `products`, the mosaics are looked for in that folder; what they show is recorded only if it is the recorded
    folder.
    """
    from mvmdb.catalog.open import open_catalog
    from mvmdb.catalog.settings import recorded_products_folder
    from mvmdb.reconcile.planning import look_ahead

    with open_catalog(session.address) as engine, engine.begin() as connection:
        recorded = recorded_products_folder(connection)
    folder = recorded if products is None else products.absolute()
    with options.looking(session, keep=folder == recorded) as (begin, policy):
        keys = options.chosen_cells(begin, cells)
        yield look_ahead(begin, folder, policy, cells=keys, deep=deep, available=available), begin


def show_outlook(outlook: Outlook, as_json: bool, warnings: Mapping[str, int] | None = None) -> None:
    """Print the plan as JSON or in words, and how many exposures have each kind of warning, if that is given."""
    from mvmdb.console.render import plan_json, plan_words, warning_words

    if as_json:
        options.emit_json(plan_json(outlook) | ({} if warnings is None else {"warnings": warnings}))
    else:
        options.emit_lines(chain(plan_words(outlook), warning_words(warnings or {})))
