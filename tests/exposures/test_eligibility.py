"""Every rule of eligibility refuses what it should, passes its neighbours, and hides no other rule."""

from __future__ import annotations

import pytest

from mvmdb.errors import UsageError
from mvmdb.exposures.doubts import warn
from mvmdb.exposures.eligibility import PolicySwitches, judge, read_policy_switches
from mvmdb.records import Refusal

IR = {
    "INSTRUME": "WFC3", "DETECTOR": "IR", "OBSTYPE": "IMAGING", "IMAGETYP": "EXT", "DRIZCORR": "PERFORM", "MTFLAG": " ",
    "SCAN_TYP": "N", "TARGNAME": "NGC104", "EXPTIME": 100.0, "FILTER": "F125W", "QUALITY": " ", "FGSLOCK": "FINE",
}  # fmt: skip
UVIS = {**IR, "DETECTOR": "UVIS", "FILTER": "F606W", "CHINJECT": "NONE"}
ACS = {
    **{key: value for key, value in IR.items() if key not in ("FILTER", "SCAN_TYP")},
    "INSTRUME": "ACS", "DETECTOR": "WFC", "FILTER1": "CLEAR1L", "FILTER2": "F814W",
}  # fmt: skip
WFPC2 = {
    "INSTRUME": "WFPC2", "IMAGETYP": "EXT", "DRIZCORR": "PERFORM", "MTFLAG": False, "TARGNAME": "NGC104",
    "EXPTIME": 100.0, "FILTNAM1": "F814W", "FILTNAM2": " ", "FGSLOCK": "FINE",
}  # fmt: skip
SOLVED = [{"WCSNAME": "IDC_w3m18525i"}]


@pytest.mark.parametrize("header", [IR, UVIS, ACS, WFPC2])
def test_ordinary_exposures_are_eligible(header: dict) -> None:
    assert judge(header, SOLVED) == ()


@pytest.mark.parametrize(
    ("base", "change", "rule", "found"),
    [
        (IR, {"OBSTYPE": "SPECTROSCOPIC"}, "imaging", "OBSTYPE is SPECTROSCOPIC"),
        (IR, {"OBSTYPE": None}, "imaging", "OBSTYPE is missing"),
        (ACS, {"OBSTYPE": "CORONAGRAPHIC"}, "imaging", "OBSTYPE is CORONAGRAPHIC"),
        (WFPC2, {"IMAGETYP": "DARK"}, "imaging", "IMAGETYP is DARK"),
        (IR, {"DRIZCORR": "OMIT"}, "drizzle", "DRIZCORR is OMIT"),
        (ACS, {"DRIZCORR": "skipped"}, "drizzle", "DRIZCORR is SKIPPED"),
        (IR, {"MTFLAG": "T"}, "moving target", "MTFLAG is T"),
        (WFPC2, {"MTFLAG": True}, "moving target", "MTFLAG is T"),
        (IR, {"SCAN_TYP": "C"}, "spatial scan", "SCAN_TYP is C"),
        (UVIS, {"SCAN_TYP": "D"}, "spatial scan", "SCAN_TYP is D"),
        (IR, {"TARGNAME": "DARK-NM"}, "calibration", "TARGNAME is DARK-NM"),
        (IR, {"TARGNAME": "TUNGSTEN"}, "calibration", "TARGNAME is TUNGSTEN"),
        (IR, {"TARGNAME": "BIAS"}, "calibration", "TARGNAME is BIAS"),
        (IR, {"TARGNAME": "ORBIT-FLAT"}, "calibration", "TARGNAME is ORBIT-FLAT"),
        (UVIS, {"TARGNAME": "DEUTERIUM"}, "calibration", "TARGNAME is DEUTERIUM"),
        (ACS, {"TARGNAME": "earth-calib"}, "calibration", "TARGNAME is EARTH-CALIB"),
        (IR, {"EXPTIME": 0.0}, "exposure time", "EXPTIME is 0.0"),
        (IR, {"EXPTIME": 1e-5}, "exposure time", "EXPTIME is 1e-05"),
        (UVIS, {"CHINJECT": "CONT"}, "charge injection", "CHINJECT is CONT"),
        (IR, {"FILTER": "G141"}, "spectroscopic element", "FILTER is G141"),
        (ACS, {"FILTER1": "G800L"}, "spectroscopic element", "FILTER1 is G800L"),
        (ACS, {"FILTER2": "PR200L"}, "spectroscopic element", "FILTER2 is PR200L"),
        (ACS, {"FILTER2": "FR656N"}, "ramp or block", "FILTER2 is FR656N"),
        (ACS, {"FILTER1": "BLOCK1"}, "ramp or block", "FILTER1 is BLOCK1"),
        (WFPC2, {"FILTNAM2": "FR418N18"}, "ramp or block", "FILTNAM2 is FR418N18"),
        (IR, {"QUALITY": "GSFAIL;"}, "guiding", "QUALITY is GSFAIL;"),
        (IR, {"QUALITY": "tdf-down at start"}, "guiding", "QUALITY is TDF-DOWN AT START"),
    ],
)
def test_rule_refuses(base: dict, change: dict, rule: str, found: str) -> None:
    assert judge({**base, **change}, SOLVED) == (Refusal(rule, found),)


@pytest.mark.parametrize(
    ("base", "change"),
    [
        (IR, {"DRIZCORR": "COMPLETE"}),
        (IR, {"DRIZCORR": None}),
        (IR, {"MTFLAG": "F"}),
        (ACS, {"SCAN_TYP": "C"}),  # the rule is one of WFC3
        (IR, {"CHINJECT": "CONT"}),  # the rule is one of UVIS
        (UVIS, {"CHINJECT": None}),
        (IR, {"EXPTIME": 1.1e-5}),
        (ACS, {"FILTER1": "POL60V", "FILTER2": "F606W"}),
        (ACS, {"DETECTOR": "SBC", "FILTER1": "F150LP", "FILTER2": "N/A"}),
        (IR, {"QUALITY": "OK"}),
        (WFPC2, {"TARGNAME": "DARK-CLOUD"}),  # its calibrations are told by IMAGETYP
        (ACS, {"IMAGETYP": "DARK"}),
    ],
)
def test_rule_passes_its_neighbours(base: dict, change: dict) -> None:
    assert judge({**base, **change}, SOLVED) == ()


def test_wfpc2_calibration_needs_target_and_image_type() -> None:
    rules = [refusal.rule for refusal in judge({**WFPC2, "TARGNAME": "KSPOTS", "IMAGETYP": "CAL"}, SOLVED)]
    assert rules == ["imaging", "calibration"]
    rules = [refusal.rule for refusal in judge({**WFPC2, "TARGNAME": "TUNGSTEN", "IMAGETYP": "CAL"}, SOLVED)]
    assert rules == ["imaging"]


@pytest.mark.parametrize("sci", [[{}], [{"WCSNAME": "  "}], [{"WCSNAME": "OPUS"}, {}]])
def test_no_wcsname_is_no_solution(sci: list[dict]) -> None:
    assert judge(IR, sci) == (Refusal("no solution", "WCSNAME is missing"),)


def test_a_wcs_that_cannot_be_evaluated_is_no_solution() -> None:
    assert judge(IR, SOLVED, "CRVAL1 is nan") == (Refusal("no solution", "CRVAL1 is nan"),)


def test_all_broken_rules_are_listed_in_order() -> None:
    header = {
        **UVIS, "OBSTYPE": "INTERNAL", "DRIZCORR": "OMIT", "MTFLAG": "T", "SCAN_TYP": "C", "TARGNAME": "DARK",
        "EXPTIME": 0, "CHINJECT": "CONT", "FILTER": "G280", "QUALITY": "GSFAIL",
    }  # fmt: skip
    assert [refusal.rule for refusal in judge({**header, "FILTER1": "FR1"}, [{}])] == [
        "imaging", "drizzle", "moving target", "spatial scan", "calibration", "exposure time", "charge injection",
        "spectroscopic element", "ramp or block", "guiding", "no solution",
    ]  # fmt: skip


@pytest.mark.parametrize("lock", ["FINE/GY", "FINE/GYRO", "gyros", "COARSE"])
def test_poor_guiding_is_a_warning_only(lock: str) -> None:
    header = {**IR, "FGSLOCK": lock}
    assert judge(header, SOLVED) == ()
    assert len(warn(header)) == 1
    assert lock.upper() in warn(header)[0]


def test_fine_guiding_gives_no_warning() -> None:
    assert warn(IR) == ()


@pytest.mark.parametrize(
    ("text", "value"), [("on", True), ("TRUE", True), ("Yes", True), ("off", False), ("False", False), ("nO", False)]
)
def test_switches_are_read_in_any_case(text: str, value: bool) -> None:
    assert read_policy_switches({"MVM_INCLUDE_SMALL": text}) == PolicySwitches(value, None)
    assert read_policy_switches({"MVM_ONLY_CTE": text}) == PolicySwitches(None, value)


@pytest.mark.parametrize("variable", ["MVM_INCLUDE_SMALL", "MVM_ONLY_CTE"])
@pytest.mark.parametrize("text", ["1", "0", "", "maybe"])
def test_other_switch_values_are_errors_that_name_the_variable(variable: str, text: str) -> None:
    with pytest.raises(UsageError, match=variable):
        read_policy_switches({variable: text})
