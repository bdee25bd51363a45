"""Replaces an active file that is gone by another file of the same exposure, if there is one."""

from __future__ import annotations

from collections.abc import Sequence

from mvmdb.catalog.exposures.other_files import load_other_files, replace_gone
from mvmdb.catalog.open import Engine
from mvmdb.records import Policy


def replace_missing_files(
    engine: Engine, policy: Policy, *, cells: Sequence[int] | None = None, everything: bool = False
) -> bool:
    """Register another file for each member of a stale layer whose active file is gone; return whether any was.

    In these sky cells (keys) or in all; with `everything`, for members of fresh layers too. Files that cannot be read
    are logged and left out.
    """
    with engine.begin() as connection:
        candidates = load_other_files(connection, cells=cells, everything=everything)
    return bool(replace_gone(engine, candidates, policy))
