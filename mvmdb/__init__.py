"""mvmdb: which Hubble multi-visit mosaics are out of date, why, and how to bring them up to date.

The functions that programs written for drizzlepac call are here by name; they are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mvmdb.compat import ProjectionCell, SkyCell, generate_poller_file, get_sky_cells, run_mvm_processing

__version__ = "0.1.0"

__all__ = [
    "ProjectionCell", "SkyCell", "__version__", "generate_poller_file", "get_sky_cells", "run_mvm_processing",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'mvmdb' has no attribute {name!r}")
    from mvmdb import compat

    return getattr(compat, name)
