"""A monitor that keeps what it is told."""

from __future__ import annotations

from mvmdb.monitor import LayerOutcome, Monitor
from mvmdb.records import Plan


class NotingMonitor(Monitor):
    """Notes every report, by its kind."""

    def __init__(self) -> None:
        self.announced: list[int] = []
        self.read: list[int] = []
        self.plans: list[tuple[int, Plan | None]] = []
        self.done: list[LayerOutcome] = []

    def files_announced(self, total: int) -> None:
        self.announced.append(total)

    def files_read(self, count: int) -> None:
        self.read.append(count)

    def plan_known(self, n_layers: int, plan: Plan | None = None) -> None:
        self.plans.append((n_layers, plan))

    def layer_done(self, outcome: LayerOutcome) -> None:
        self.done.append(outcome)
