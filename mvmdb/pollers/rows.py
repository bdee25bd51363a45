"""The rows of poller files, from the members of layers: which exposures are NEW and which are OLD."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from mvmdb.catalog.ask.members import LayerExposure
from mvmdb.pollers.files import PollerRow
from mvmdb.records import PlannedLayer, ReasonCode


def poller_rows(
    exposures: Iterable[LayerExposure], new: Mapping[str, Iterable[str] | None]
) -> dict[str, list[PollerRow]]:
    """The poller rows of each sky cell (name): one per member of any layer, sorted by file name.

    `new` maps the names of stale layers to the members (ipppssoo) to mark NEW, or to None for all members. An exposure
    that is NEW in one layer is NEW.
    """
    marked = {layer: None if names is None else set(names) for layer, names in new.items()}
    rows: dict[str, dict[str, PollerRow]] = defaultdict(dict)
    for exposure in exposures:
        names = marked.get(exposure.layer, set())
        is_new = names is None or exposure.ipppssoo in names
        cell_rows = rows[exposure.skycell]
        if is_new or exposure.ipppssoo not in cell_rows:
            cell_rows[exposure.ipppssoo] = _row(exposure, is_new)
    return {skycell: sorted(by_name.values(), key=lambda row: row.filename) for skycell, by_name in rows.items()}


def missing_members(line: PlannedLayer) -> set[str] | None:
    """The members (ipppssoo) that a stale layer's product lacks or holds in an older state, for `--mark exposure`.

    None stands for all members: the product is missing or damaged.
    """
    codes = {ReasonCode.MEMBER_ADDED, ReasonCode.MEMBER_RECALIBRATED, ReasonCode.MEMBER_REALIGNED}
    whole = {ReasonCode.PRODUCT_MISSING, ReasonCode.PRODUCT_DAMAGED}
    if any(reason.code in whole for reason in line.reasons):
        return None
    return {reason.exposure for reason in line.reasons if reason.code in codes and reason.exposure}


def _row(exposure: LayerExposure, is_new: bool) -> PollerRow:
    return PollerRow(
        filename=exposure.filename,
        proposal_id=exposure.proposal_id,
        program_id=exposure.program,
        obset_id=exposure.visit,
        exptime=exposure.exptime,
        filters=exposure.filters,
        detector=exposure.detector.upper(),
        skycell=exposure.skycell,
        flag="NEW" if is_new else "OLD",
        pathname=exposure.path,
    )
