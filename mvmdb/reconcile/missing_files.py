"""Replaces an active file that is gone by another file of the same exposure, if there is one."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

from mvmdb.catalog.exposures.other_files import load_other_files
from mvmdb.catalog.exposures.read_first import write_with_files
from mvmdb.catalog.exposures.register import register
from mvmdb.catalog.open import Engine
from mvmdb.errors import ExposureError
from mvmdb.exposures.fits.digest import digest_pixels
from mvmdb.exposures.read import read_exposure
from mvmdb.exposures.reading import ReadDataset
from mvmdb.records import Policy

log = logging.getLogger(__name__)


def replace_missing_files(
    engine: Engine, policy: Policy, *, cells: Sequence[int] | None = None, everything: bool = False
) -> bool:
    """Register another file for each member of a stale layer whose active file is gone; return whether any was.

    In these sky cells (keys) or in all; with `everything`, for members of fresh layers too. Files that cannot be read
    are logged and left out.
    """
    with engine.begin() as connection:
        candidates = load_other_files(connection, cells=cells, everything=everything)
    datasets = []
    for ipppssoo, active, other in candidates:
        if os.path.exists(active):
            continue
        try:
            datasets.append(ReadDataset(read_exposure(other), digest_pixels(other)))
        except ExposureError as error:
            log.warning("%s: %s", ipppssoo, error)
    if datasets:
        write_with_files(engine, lambda connection, others: register(connection, datasets, policy, others))
    return bool(datasets)
