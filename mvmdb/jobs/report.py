"""What became of the layers of a run: their outcomes, and the counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mvmdb.monitor import LayerOutcome
from mvmdb.records import Action

_COUNTERS = {Action.DRIZZLE: "drizzled", Action.ADD: "added", Action.RECANVAS: "recanvased", Action.REMOVE: "removed"}


@dataclass(slots=True)
class ReconcileReport:
    """What a reconcile did.

    `waiting` layers wait for files of their members. `refused` maps exposures that proved unusable to what was found;
    `problems` are those of no single layer.
    """

    drizzled: int = 0
    added: int = 0
    recanvased: int = 0
    removed: int = 0
    failed: int = 0
    waiting: int = 0
    seconds: float = 0.0
    layers: list[LayerOutcome] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def note(self, outcome: LayerOutcome) -> None:
        """Count one layer's outcome."""
        self.layers.append(outcome)
        counter = "failed" if outcome.error else _COUNTERS[outcome.action]
        setattr(self, counter, getattr(self, counter) + 1)


def failures(outcomes: Iterable[LayerOutcome]) -> list[str]:
    """`<layer>: <error>` of each outcome that failed."""
    return [f"{outcome.layer}: {outcome.error}" for outcome in outcomes if outcome.error]
