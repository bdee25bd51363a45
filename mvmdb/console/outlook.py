"""Prints the plan, for commands that look at the whole archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from mvmdb.console import options

if TYPE_CHECKING:
    from mvmdb.catalog.ask.misaligned import Misalignment
    from mvmdb.catalog.ask.mixing import Mixing
    from mvmdb.catalog.claims.alive import AtWork
    from mvmdb.reconcile.planning import Outlook


def show_outlook(
    outlook: Outlook,
    as_json: bool,
    warnings: Mapping[str, int] | None = None,
    at_work: Sequence[AtWork] = (),
    mixing: Mixing | None = None,
    misalignment: Misalignment | None = None,
) -> None:
    """Print the plan as JSON or in words.

    With `warnings`, also how many exposures have each kind of warning, the runs that are `at_work`, and how many layers
    mix astrometric frames, or have members that do not lie together.
    """
    from mvmdb.console.mixing import mixing_words
    from mvmdb.console.render import at_work_json, at_work_words, plan_json, plan_words, warning_words

    more = {"warnings": warnings, "at_work": at_work_json(at_work)}
    astrometry = {} if mixing is None else mixing.as_values()
    astrometry |= {} if misalignment is None else misalignment.as_values()
    more |= {"astrometry": astrometry} if astrometry else {}
    if as_json:
        options.emit_json(plan_json(outlook) | ({} if warnings is None else more))
        return
    mixed = mixing_words(astrometry) if astrometry else ()
    options.emit_lines(chain(plan_words(outlook), warning_words(warnings or {}), mixed, at_work_words(at_work)))
