"""Rows are judged by the rules of exposures.eligibility, under the same names."""

from __future__ import annotations

import pytest

from mvmdb.exposures.eligibility import judge
from mvmdb.tables.rules import judge_row

GOOD = {
    "instrument": "wfc3", "detector": "ir", "filters": "F125W", "target": "GOODS-S", "exposed": True,
    "product": "image", "intent": "science", "moving": "",
}  # fmt: skip
WFPC2 = {"instrument": "wfpc2", "detector": "pc", "filters": "F606W"}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({}, ""),
        ({"product": ""}, ""),
        ({"product": "IMAGING"}, ""),
        ({"product": "spectrum"}, "imaging"),
        ({"exposed": False}, "exposure time"),
        ({"filters": "G141"}, "spectroscopic element"),
        ({"instrument": "acs", "detector": "wfc", "filters": "CLEAR1L;G800L"}, "spectroscopic element"),
        ({"instrument": "acs", "detector": "sbc", "filters": "PR110L;N/A"}, "spectroscopic element"),
        ({"instrument": "acs", "detector": "wfc", "filters": "FR914M;CLEAR2L"}, "ramp or block"),
        ({"filters": "BLOCKED"}, "ramp or block"),
        ({"target": "DARK-NM"}, "calibration"),
        ({"target": "tungsten"}, "calibration"),
        ({"moving": "T"}, "moving target"),
        ({"moving": "true"}, "moving target"),
        ({"moving": "F"}, ""),
        (WFPC2, ""),
        (WFPC2 | {"target": "KSPOTS"}, ""),
        (WFPC2 | {"target": "KSPOTS", "intent": ""}, "calibration"),
        ({"filters": "G141", "product": "spectrum"}, "imaging; spectroscopic element"),
    ],
)
def test_the_rule_that_a_row_breaks(change: dict[str, object], rule: str) -> None:
    rules, reasons = judge_row(**(GOOD | change))  # type: ignore[arg-type]
    assert rules == rule
    assert bool(reasons) == bool(rule)


def test_rules_have_the_names_of_those_of_files() -> None:
    header = {
        "INSTRUME": "WFC3", "DETECTOR": "IR", "FILTER": "G141", "TARGNAME": "DARK", "EXPTIME": 0.0, "MTFLAG": "T",
        "OBSTYPE": "SPECTROSCOPIC",
    }  # fmt: skip
    expected = "; ".join(refusal.rule for refusal in judge(header, [{"WCSNAME": "IDC_x"}]))
    worst = GOOD | {
        "filters": "G141", "target": "DARK", "exposed": False, "moving": "T", "product": "spectrum",
    }  # fmt: skip
    assert judge_row(**worst)[0] == expected  # type: ignore[arg-type]
