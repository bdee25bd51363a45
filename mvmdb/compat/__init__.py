"""Functions and classes of drizzlepac 3.11's MVM code under their own names, with its parameters and return values.

docs/drizzlepac.md says what differs and why. They are `get_sky_cells`, `interpret_scells`, `SkyCell` and
`ProjectionCell` (`haputils/cell_utils.py`), `generate_poller_file` (`haputils/make_poller_files.py`) and
`run_mvm_processing` (`hapmultisequencer.py`).
"""

from mvmdb.compat.cells import ProjectionCell, SkyCell
from mvmdb.compat.overlaps import get_sky_cells, interpret_scells
from mvmdb.compat.pollers import generate_poller_file
from mvmdb.compat.processing import run_mvm_processing

__all__ = [
    "ProjectionCell", "SkyCell", "generate_poller_file", "get_sky_cells", "interpret_scells", "run_mvm_processing",
]  # fmt: skip
