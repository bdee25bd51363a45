"""Where the repository is, and the shared data beside it."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def shared_folder() -> Path:
    """The folder of the shared data, which may be missing; the environment's MVMDB_SHARED names another place."""
    return Path(os.environ.get("MVMDB_SHARED") or REPOSITORY.parent / "shared").resolve()
