"""Makes and prints the plan, for commands that look at the whole archive."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from mvmdb.console import options
from mvmdb.console.options import Session

if TYPE_CHECKING:
    from mvmdb.catalog.claims.alive import AtWork
    from mvmdb.catalog.narrow import Narrowing
    from mvmdb.catalog.open import Begin, Engine
    from mvmdb.reconcile.planning import Outlook
    from mvmdb.records import Policy

CELLS_AT_ONCE = 1000


@contextmanager
def looked(
    session: Session,
    cells: tuple[str, ...],
    *,
    deep: bool = False,
    products: Path | None = None,
    available: bool = False,
    narrowing: Narrowing | None = None,
) -> Iterator[tuple[Outlook, Begin, Policy]]:
    """The outlook on these sky cells (names) or on all, the `begin` of transactions that agree with it, and the policy.

    What the files show is recorded, unless the environment asks for another policy than the recorded one, or
    `products` is another folder than the recorded one: then it is a trial, and looking changes nothing. No transaction
    is open while files are read. Raises as `options.catalog`.
    """
    from mvmdb.catalog.narrow import EVERYTHING
    from mvmdb.catalog.open import open_catalog
    from mvmdb.catalog.settings import policy_in, recorded_products_folder
    from mvmdb.reconcile.planning import look_ahead

    with open_catalog(session.address) as engine:
        with engine.begin() as connection:
            recorded = recorded_products_folder(connection)
        folder = recorded if products is None else products.absolute()
        policy, is_recorded = policy_in(engine)
        keys = options.chosen_cells(engine.begin, cells)
        look = partial(
            look_ahead, products=folder, policy=policy, deep=deep, available=available,
            narrowing=narrowing or EVERYTHING,
        )  # fmt: skip
        if is_recorded and folder == recorded:
            yield look(engine.begin, cells=keys), engine.begin, policy
        else:
            yield *_look_on_trial(engine, look, keys), policy


def _look_on_trial(engine: Engine, look: Callable[..., Outlook], keys: list[int] | None) -> tuple[Outlook, Begin]:
    """The outlook as it would be with the environment's policy, and a `begin` with that policy.

    Some sky cells at a time: each transaction recomputes their layers, while others wait to write.
    """
    from mvmdb.catalog.ask.cells import known_cells
    from mvmdb.catalog.configure import follow_environment
    from mvmdb.catalog.open import Trial
    from mvmdb.reconcile.planning import join_outlooks

    if keys is None:
        with engine.begin() as connection:
            cells = known_cells(connection)
    else:
        cells = sorted(set(keys))
    begin = Trial(engine, partial(follow_environment, cells=cells))
    if len(cells) <= CELLS_AT_ONCE:
        return look(begin, cells=cells), begin
    outlooks = []
    for first in range(0, len(cells), CELLS_AT_ONCE):
        some = cells[first : first + CELLS_AT_ONCE]
        outlooks.append(look(Trial(engine, partial(follow_environment, cells=some)), cells=some))
    return join_outlooks(outlooks), begin


def show_outlook(
    outlook: Outlook, as_json: bool, warnings: Mapping[str, int] | None = None, at_work: Sequence[AtWork] = ()
) -> None:
    """Print the plan as JSON or in words.

    With `warnings`, also how many exposures have each kind of warning, and the runs that are `at_work`.
    """
    from mvmdb.console.render import at_work_json, at_work_words, plan_json, plan_words, warning_words

    if as_json:
        options.emit_json(
            plan_json(outlook) | ({} if warnings is None else {"warnings": warnings, "at_work": at_work_json(at_work)})
        )
    else:
        options.emit_lines(chain(plan_words(outlook), warning_words(warnings or {}), at_work_words(at_work)))
