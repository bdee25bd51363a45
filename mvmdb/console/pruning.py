"""The options of pruning, how the user is asked, and what is said of it; catalog/exposures/prune.py does it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from mvmdb.console.show import warn
from mvmdb.errors import UsageError

if TYPE_CHECKING:
    from mvmdb.archive.pruning import Pruning as ArchivePruning
    from mvmdb.catalog.exposures.prune import GoneFile, PruneReport

F = TypeVar("F", bound=Callable[..., Any])

_MOST_LISTED = 20

_prune = click.option(
    "--prune", is_flag=True,
    help="Let exposures leave whose files are gone from the folders that are given, until the files return.",
)  # fmt: skip
_limit = click.option(
    "--prune-limit", type=click.IntRange(1), metavar="N",
    help="With --prune: let none leave if more than N would (default: 100), as when a volume is not mounted.",
)  # fmt: skip
_PRUNE_YES = "With --prune: let them leave without asking at a terminal."


@dataclass(frozen=True, slots=True)
class Pruning:
    """What the options of pruning say."""

    wanted: bool
    limit: int | None
    yes: bool

    def chosen(self, before: Callable[[], object]) -> ArchivePruning | None:
        """What is to be pruned, if anything; `before` is called before the user is asked.

        Raises UsageError if an option lacks --prune.
        """
        if not self.wanted:
            if self.yes or self.limit is not None:
                raise UsageError("--prune-limit and --prune-yes say how to prune; expected --prune with them")
            return None
        from mvmdb.archive.pruning import MOST
        from mvmdb.archive.pruning import Pruning as ArchivePruning

        def agree(gone: Sequence[GoneFile]) -> str:
            before()
            return "" if self.yes else _ask(gone)

        return ArchivePruning(MOST if self.limit is None else self.limit, agree)


def pruning(*aliases: str) -> Callable[[F], F]:
    """Give a command the options of pruning; it gets one argument, `pruning`. Aliases are of --prune-yes."""
    _yes = click.option("--prune-yes", *aliases, "prune_yes", is_flag=True, help=_PRUNE_YES)

    def with_options(command: F) -> F:
        @wraps(command)
        def gathered(*arguments: Any, prune: bool, prune_limit: int | None, prune_yes: bool, **named: Any) -> object:
            return command(*arguments, pruning=Pruning(prune, prune_limit, prune_yes), **named)

        return _prune(_limit(_yes(cast(F, gathered))))

    return with_options


def _ask(gone: Sequence[GoneFile]) -> str:
    """Ask at a terminal whether these exposures may leave; an empty text for yes, else why not."""
    if sys.stdin is None or not sys.stdin.isatty():
        return (
            f"{_count(gone)} would leave, and nobody can be asked; run this at a terminal, or repeat with --prune-yes"
        )
    for file in gone[:_MOST_LISTED]:
        warn(f"gone: {file.ipppssoo}: {file.path}")
    if len(gone) > _MOST_LISTED:
        warn(f"gone: {len(gone) - _MOST_LISTED} more")
    if click.confirm(f"Let {_count(gone)} leave?", err=True):
        return ""
    return f"{_count(gone)} would have left; the answer was no: put the files back, or prune again"


def prune_words(report: PruneReport | None) -> Iterator[str]:
    """Lines for people: what switched to another file, what left, or why nothing did."""
    if report is None:
        return
    for name, path in report.switched.items():
        yield f"switched: {name}: its file is gone, and {path} takes its place"
    for file in report.pruned:
        yield f"pruned: {file.ipppssoo}: {file.path} is gone"
    if report.refused:
        yield f"nothing pruned: {report.refused}"


def prune_json(report: PruneReport | None) -> dict[str, Any]:
    """The value of `prune` in JSON; none without --prune."""
    if report is None:
        return {}
    gone, pruned = ([file._asdict() for file in files] for files in (report.gone, report.pruned))
    return {"prune": {"gone": gone, "pruned": pruned, "switched": report.switched, "refused": report.refused}}


def _count(gone: Sequence[GoneFile]) -> str:
    return "1 exposure whose file is gone" if len(gone) == 1 else f"{len(gone)} exposures whose files are gone"
