"""Exposures whose footprint cannot be measured: they are registered, without a WCS solution; others are unaffected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mvmdb.exposures.batch import COLUMNS, ExposureBatch
from mvmdb.exposures.eligibility import NO_SOLUTION


def refuse_place(values: Mapping[str, Any], why: str) -> dict[str, Any]:
    """The columns of an exposure, made ineligible by the rule `no solution`, without footprint and position."""
    rules = [rule for rule in values["ineligible_rule"].split("; ") if rule and rule != NO_SOLUTION]
    reasons = [values["ineligible_reason"]] if values["ineligible_reason"] else []
    return dict(values) | {
        "eligible": False,
        "ineligible_rule": "; ".join([*rules, NO_SOLUTION]),
        "ineligible_reason": "; ".join([*reasons, why]),
        "s_region": "",
        "ra": None,
        "dec": None,
    }


def refuse_places(batch: ExposureBatch, reasons: Mapping[int, str]) -> ExposureBatch:
    """A batch in which `refuse_place` has changed these exposures (by number); `footprints` is unchanged."""
    if not reasons:
        return batch
    columns = {name: list(batch.columns[name]) for name in COLUMNS}
    for row, why in reasons.items():
        for name, value in refuse_place({name: columns[name][row] for name in COLUMNS}, why).items():
            columns[name][row] = value
    return ExposureBatch(batch.n, columns, batch.footprints)
