"""Receives reports on the progress of long work; `mvmdb.console.progress` shows them."""

from __future__ import annotations

from dataclasses import dataclass

from mvmdb.records import Action, Plan


@dataclass(frozen=True, slots=True)
class LayerOutcome:
    """What was done for one layer: `product` is its path, `seconds` how long it took, `error` empty if it succeeded."""

    layer: str
    action: Action
    product: str
    seconds: float
    error: str = ""


class Monitor:
    """Receives reports on long work and ignores them; subclasses override the methods that they need.

    Methods may be called from a background thread, one at a time.
    """

    def files_announced(self, total: int) -> None:
        """Reading begins; there are `total` files to look at."""

    def files_read(self, count: int) -> None:
        """`count` more files were read, or found unchanged."""

    def plan_known(self, n_layers: int, plan: Plan | None = None) -> None:
        """Work on `n_layers` layers begins; `plan` has the actions and reasons, None without a catalog."""

    def layer_done(self, outcome: LayerOutcome) -> None:
        """One layer was made, or failed."""


SILENT = Monitor()
"""For callers that want no reports."""
