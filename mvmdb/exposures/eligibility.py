"""Which exposures may enter layers, by their headers: one rule, one reason; what a refusal leads to is not decided.

The rules are those of the HAP pipeline (drizzlepac `haputils/analyze.py`, type MVM), each tested, none hiding another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mvmdb.errors import UsageError
from mvmdb.exposures.fits.cards import Value, to_number
from mvmdb.instruments import INSTRUMENTS, Instrument, list_filter_keywords
from mvmdb.records import Policy, Refusal

NO_SOLUTION = "no solution"
EXPOSURE_TIME = "exposure time"
EMPTY = "empty"
UNITS = "units"
DATA = "data"
ERRORS = "errors"
PIXEL_RULES = (EMPTY, UNITS, EXPOSURE_TIME, DATA, ERRORS)
"""The rules that are applied when pixels are read: no good pixel has a finite value other than 0; BUNIT is no unit that
is known; EXPTIME is not above 0; the file is damaged or contradicts itself; it has no ERR, and mosaics have errors."""

_SWITCHES = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}

Header = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class PolicySwitches:
    """What the environment says of the archive's policy; None where a variable is not set."""

    include_small: bool | None
    only_cte: bool | None


def judge(primary: Header, sci: Sequence[Header], wcs_problem: str = "") -> tuple[Refusal, ...]:
    """Every rule that an exposure breaks, in the order of docs/eligibility.md; empty for an eligible exposure.

    `primary` and `sci` are the headers as mappings, of an instrument that is known; `wcs_problem` says why the WCS
    cannot be evaluated, or is empty. PIXEL_RULES need pixels and are not tried here.
    """
    instrument = INSTRUMENTS[word(primary, "INSTRUME").lower()]
    tried = [(rule, find_fault(primary, instrument)) for rule, find_fault in _PRIMARY_RULES]
    tried.append((NO_SOLUTION, _no_solution(sci, instrument) or wcs_problem))
    return tuple(Refusal(rule, fault) for rule, fault in tried if fault)


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


def word(header: Header, keyword: str) -> str:
    """A text of a header in capitals without blanks around it; empty where it is absent or no text."""
    value = header.get(keyword)
    return value.strip().upper() if isinstance(value, str) else ""


def is_moving(primary: Header) -> bool:
    """Whether the telescope followed a moving target."""
    return _is_true(primary.get("MTFLAG"))


def _is_true(value: Value) -> bool:
    """A flag that some pipelines write as a logical, and others as the text `T`."""
    return value is True or (isinstance(value, str) and value.strip().upper() == "T")


def _one_of(header: Header, keyword: str, refused: tuple[str, ...]) -> str:
    value = word(header, keyword)
    return f"{keyword} is {value}" if value in refused else ""


def holding(header: Header, keyword: str, refused: tuple[str, ...]) -> str:
    """`KEYWORD is VALUE` where the value contains one of these words, else empty."""
    value = word(header, keyword)
    return f"{keyword} is {value}" if any(word in value for word in refused) else ""


def _not_imaging(primary: Header, instrument: Instrument) -> str:
    keyword, expected = instrument.imaging
    value = word(primary, keyword)
    return "" if value == expected else f"{keyword} is {value or 'missing'}"


def _not_drizzled(primary: Header, instrument: Instrument) -> str:
    return _one_of(primary, "DRIZCORR", ("OMIT", "SKIPPED"))


def _moving_target(primary: Header, instrument: Instrument) -> str:
    return "MTFLAG is T" if is_moving(primary) else ""


def _spatial_scan(primary: Header, instrument: Instrument) -> str:
    return _one_of(primary, "SCAN_TYP", instrument.scan_types)


def _calibration(primary: Header, instrument: Instrument) -> str:
    if instrument.imaging_is_science and not _not_imaging(primary, instrument):
        return ""
    return holding(primary, "TARGNAME", instrument.calibration_targets)


def _no_exposure_time(primary: Header, instrument: Instrument) -> str:
    exptime = to_number(primary.get("EXPTIME"))
    zero = exptime is not None and abs(exptime) <= 1e-5
    return f"EXPTIME is {primary['EXPTIME']}" if zero else ""


def _charge_injection(primary: Header, instrument: Instrument) -> str:
    detector = instrument.find(word(primary, "DETECTOR").lower())
    if detector is None or not detector.charge_injection:
        return ""
    value = word(primary, "CHINJECT") or "NONE"
    return "" if value == "NONE" else f"CHINJECT is {value}"


def _spectroscopic_element(primary: Header, instrument: Instrument) -> str:
    return _filter_starting(primary, ("G", "PR"))


def _ramp_or_block(primary: Header, instrument: Instrument) -> str:
    return _filter_starting(primary, ("FR", "BLOCK"))


def _poor_guiding(primary: Header, instrument: Instrument) -> str:
    return holding(primary, "QUALITY", ("GSFAIL", "TDF-DOWN"))


def _filters(primary: Header) -> Iterator[tuple[str, str]]:
    return ((keyword, word(primary, keyword)) for keyword in list_filter_keywords())


def _filter_starting(primary: Header, starts: tuple[str, ...]) -> str:
    return ", ".join(f"{keyword} is {name}" for keyword, name in _filters(primary) if name.startswith(starts))


def _no_solution(sci: Sequence[Header], instrument: Instrument) -> str:
    return "" if instrument.plain_solutions or all(word(header, "WCSNAME") for header in sci) else "WCSNAME is missing"


_PRIMARY_RULES: tuple[tuple[str, Callable[[Header, Instrument], str]], ...] = (
    ("imaging", _not_imaging),
    ("drizzle", _not_drizzled),
    ("moving target", _moving_target),
    ("spatial scan", _spatial_scan),
    ("calibration", _calibration),
    (EXPOSURE_TIME, _no_exposure_time),
    ("charge injection", _charge_injection),
    ("spectroscopic element", _spectroscopic_element),
    ("ramp or block", _ramp_or_block),
    ("guiding", _poor_guiding),
)
HEADER_RULES = (*(rule for rule, _ in _PRIMARY_RULES), NO_SOLUTION)
"""The rules that headers alone can break, in the order in which they are reported."""
