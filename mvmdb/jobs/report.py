"""The report of a run: the outcome of each layer, and the counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mvmdb.monitor import LayerOutcome
from mvmdb.records import Action

if TYPE_CHECKING:
    from mvmdb.catalog.products.attempts import FailingLayer

_COUNTERS = {
    Action.DRIZZLE: "drizzled", Action.ADD: "added", Action.RECANVAS: "recanvased", Action.SHIFT: "shifted",
    Action.RESCALE: "rescaled",
    Action.REMOVE: "removed",
}  # fmt: skip


@dataclass(slots=True)
class ReconcileReport:
    """What a run did: the number of layers by action, and the outcome of each in `layers`.

    `failed`: layers that could not be made or removed. `waiting`: layers that wait for files of their members.
    `seconds`: how long the run took. `refused` maps exposures that could not be used to the reason. `problems` are
    lines about what concerns no single layer, such as a poller file that cannot be written.
    `beside` maps paths of a poller that are not there to the files in the poller's folder that were taken instead.
    `resting` maps layers that were not tried, as they have failed again and again, to what is known of them.
    `elsewhere` maps layers that another run was making to that run, in words.
    `warnings` maps members to what their pixels showed, which is no reason to leave them out.
    `companions` counts the files that were made beside products, and `companion_problems` says which could not be: that
    is no failure.
    """

    drizzled: int = 0
    added: int = 0
    recanvased: int = 0
    shifted: int = 0
    rescaled: int = 0
    removed: int = 0
    failed: int = 0
    waiting: int = 0
    seconds: float = 0.0
    layers: list[LayerOutcome] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    beside: dict[str, str] = field(default_factory=dict)
    resting: dict[str, FailingLayer] = field(default_factory=dict)
    warnings: dict[str, str] = field(default_factory=dict)
    elsewhere: dict[str, str] = field(default_factory=dict)
    companions: int = 0
    companion_problems: list[str] = field(default_factory=list)

    def note(self, outcome: LayerOutcome) -> None:
        """Count one layer's outcome."""
        self.layers.append(outcome)
        counter = "failed" if outcome.error else _COUNTERS[outcome.action]
        setattr(self, counter, getattr(self, counter) + 1)


def failures(outcomes: Iterable[LayerOutcome]) -> list[str]:
    """`<layer>: <error>` of each outcome that failed."""
    return [f"{outcome.layer}: {outcome.error}" for outcome in outcomes if outcome.error]
