"""Reports of the progress of long work; `mvmdb.console.progress` shows them."""

from __future__ import annotations

from dataclasses import dataclass

from mvmdb.records import Action, Plan


@dataclass(frozen=True, slots=True)
class LayerOutcome:
    """What was done for one layer; `error` is empty when it is fresh now."""

    layer: str
    action: Action
    product: str
    seconds: float
    error: str = ""


class Monitor:
    """Receives reports of long work and does nothing with them; subclasses override what they want to know.

    Methods may be called from a background thread, one at a time.
    """

    def files_announced(self, total: int) -> None:
        """There are `total` files to look at."""

    def files_read(self, count: int) -> None:
        """`count` more files were read, or found unchanged."""

    def plan_known(self, n_layers: int, plan: Plan | None = None) -> None:
        """`n_layers` layers need work, and it begins now; `plan` says what and why, where a catalog made it."""

    def layer_done(self, outcome: LayerOutcome) -> None:
        """One layer was made, or failed."""


SILENT = Monitor()
"""For callers that want no reports."""
