"""Exposures whose footprint cannot be measured: registered as those without a solution are, so that the rest go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mvmdb.exposures.batch import COLUMNS, ExposureBatch
from mvmdb.exposures.eligibility import NO_SOLUTION


def refuse_place(values: Mapping[str, Any], why: str) -> dict[str, Any]:
    """The columns of an exposure, ineligible by the rule `no solution` and without a footprint."""
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
    """A batch in which these exposures, by number, are as `refuse_place` makes them; `footprints` stays as it is."""
    if not reasons:
        return batch
    columns = {name: list(batch.columns[name]) for name in COLUMNS}
    for row, why in reasons.items():
        for name, value in refuse_place({name: columns[name][row] for name in COLUMNS}, why).items():
            columns[name][row] = value
    return ExposureBatch(batch.n, columns, batch.footprints)
