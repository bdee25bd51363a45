"""Which exposures may enter layers, by their headers: one rule, one reason; what a refusal leads to is not decided.

The rules are those of the HAP pipeline (drizzlepac `haputils/analyze.py`, type MVM), each tested, none hiding another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mvmdb.errors import UsageError
from mvmdb.exposures.fits.cards import Value
from mvmdb.records import Policy, Refusal

EMPTY = "empty"
"""The rule that only pixels can break: every SCI array is all zeros. It is applied when pixels are read."""
NO_SOLUTION = "no solution"

_SWITCHES = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}
_CALIBRATIONS = ("DARK", "TUNG", "BIAS", "FLAT", "DEUT", "EARTH-CAL")
_WFPC2_CALIBRATIONS = ("INTFLAT", "UVFLAT", "VISFLAT", "KSPOTS", "DARK", "BIAS", "EARTH-CALIB")
_FILTER_KEYWORDS = ("FILTER", "FILTER1", "FILTER2", "FILTNAM1", "FILTNAM2")

Header = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class PolicySwitches:
    """What the environment says of the archive's policy; None where a variable is not set."""

    include_small: bool | None
    only_cte: bool | None


def judge(primary: Header, sci: Sequence[Header], wcs_problem: str = "") -> tuple[Refusal, ...]:
    """Every rule that an exposure breaks, in the order of the table in docs; empty for an eligible exposure.

    `primary` and `sci` are the headers as mappings; `wcs_problem` says why the WCS cannot be evaluated, or is empty.
    The rule `empty` needs pixels and is not tried here.
    """
    wfpc2 = _word(primary, "INSTRUME") == "WFPC2"
    tests = (
        ("imaging", _not_imaging(primary, wfpc2)),
        ("drizzle", _one_of(primary, "DRIZCORR", ("OMIT", "SKIPPED"))),
        ("moving target", "MTFLAG is T" if _is_true(primary.get("MTFLAG")) else ""),
        ("spatial scan", _spatial_scan(primary)),
        ("calibration", _calibration(primary, wfpc2)),
        ("exposure time", _no_exposure_time(primary)),
        ("charge injection", _charge_injection(primary)),
        ("spectroscopic element", _filter_starting(primary, ("G", "PR"))),
        ("ramp or block", _filter_starting(primary, ("FR", "BLOCK"))),
        ("guiding", _holding(primary, "QUALITY", ("GSFAIL", "TDF-DOWN"))),
        (NO_SOLUTION, _no_solution(sci) or wcs_problem),
    )
    return tuple(Refusal(rule, found) for rule, found in tests if found)


def warn(primary: Header) -> tuple[str, ...]:
    """What does not exclude an exposure but may spoil a mosaic: guiding on gyros or in coarse track."""
    found = _holding(primary, "FGSLOCK", ("GY", "COARSE"))
    return (f"{found}: the telescope may have drifted",) if found else ()


def read_policy_switches(environ: Mapping[str, str]) -> PolicySwitches:
    """MVM_INCLUDE_SMALL and MVM_ONLY_CTE: on, true, yes, off, false or no, in any case.

    Raises UsageError, naming the variable, for any other value.
    """
    return PolicySwitches(_switch(environ, "MVM_INCLUDE_SMALL"), _switch(environ, "MVM_ONLY_CTE"))


def apply_switches(policy: Policy, environ: Mapping[str, str]) -> Policy:
    """The policy as the environment wants it; a variable that is not set leaves the policy's own value."""
    switches = read_policy_switches(environ)
    return replace(
        policy,
        include_small=policy.include_small if switches.include_small is None else switches.include_small,
        only_cte=policy.only_cte if switches.only_cte is None else switches.only_cte,
    )


def _switch(environ: Mapping[str, str], variable: str) -> bool | None:
    text = environ.get(variable)
    if text is None:
        return None
    value = _SWITCHES.get(text.strip().lower())
    if value is None:
        raise UsageError(f"{variable} is {text!r}; expected on, off, true, false, yes or no; set it so, or unset it")
    return value


def _word(header: Header, keyword: str) -> str:
    value = header.get(keyword)
    return value.strip().upper() if isinstance(value, str) else ""


def _is_true(value: Value) -> bool:
    """A flag that some pipelines write as a logical, and others as the text `T`."""
    return value is True or (isinstance(value, str) and value.strip().upper() == "T")


def _one_of(header: Header, keyword: str, refused: tuple[str, ...]) -> str:
    value = _word(header, keyword)
    return f"{keyword} is {value}" if value in refused else ""


def _holding(header: Header, keyword: str, refused: tuple[str, ...]) -> str:
    value = _word(header, keyword)
    return f"{keyword} is {value}" if any(word in value for word in refused) else ""


def _not_imaging(primary: Header, wfpc2: bool) -> str:
    keyword, expected = ("IMAGETYP", "EXT") if wfpc2 else ("OBSTYPE", "IMAGING")
    value = _word(primary, keyword)
    return "" if value == expected else f"{keyword} is {value or 'missing'}"


def _spatial_scan(primary: Header) -> str:
    return _one_of(primary, "SCAN_TYP", ("C", "D")) if _word(primary, "INSTRUME") == "WFC3" else ""


def _calibration(primary: Header, wfpc2: bool) -> str:
    if wfpc2 and _word(primary, "IMAGETYP") == "EXT":
        return ""
    return _holding(primary, "TARGNAME", _WFPC2_CALIBRATIONS if wfpc2 else _CALIBRATIONS)


def _no_exposure_time(primary: Header) -> str:
    exptime = primary.get("EXPTIME")
    zero = isinstance(exptime, int | float) and abs(exptime) <= 1e-5
    return f"EXPTIME is {exptime}" if zero else ""


def _charge_injection(primary: Header) -> str:
    if _word(primary, "DETECTOR") != "UVIS":
        return ""
    value = _word(primary, "CHINJECT") or "NONE"
    return "" if value == "NONE" else f"CHINJECT is {value}"


def _filters(primary: Header) -> Iterator[tuple[str, str]]:
    return ((keyword, _word(primary, keyword)) for keyword in _FILTER_KEYWORDS)


def _filter_starting(primary: Header, starts: tuple[str, ...]) -> str:
    return ", ".join(f"{keyword} is {name}" for keyword, name in _filters(primary) if name.startswith(starts))


def _no_solution(sci: Sequence[Header]) -> str:
    return "" if all(_word(header, "WCSNAME") for header in sci) else "WCSNAME is missing"
