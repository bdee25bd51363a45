"""Cells of a table as texts, numbers and dates, whatever the format gave; read.py decides what they mean."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime

import numpy as np

_MISSING = frozenset({"", "nan", "null", "none", "--", "n/a"})
_MJD_EPOCH = datetime(1858, 11, 17)
_DAY = 86400.0
_MJD_RANGE = (30000.0, 100000.0)  # 1941 to 2132; a Julian date or seconds would be outside

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # and halves of characters, which no database holds

Fault = Callable[[int, str], None]
"""Called with the index of a value in its list, and what is wrong with it."""


def shorten(text: str, most: int = 60) -> str:
    """A text for a message: no more than `most` characters of it."""
    return text if len(text) <= most else text[: most - 3] + "..."


def read_texts(values: Sequence[object], *, as_given: bool = False) -> list[str]:
    """Texts without surrounding blanks, and unless `as_given` with a blank for each control character; a missing value
    is empty."""
    try:
        texts = list(map(str.strip, values))  # type: ignore[arg-type]
    except TypeError:  # not all are texts
        texts = [value.strip() if isinstance(value, str) else _as_text(value) for value in values]
    if as_given or "".join(texts).isprintable():
        return texts
    return [_CONTROLS.sub(" ", text).strip() for text in texts]


def read_numbers(values: Sequence[object], label: str, fault: Fault) -> list[float | None]:
    """Finite numbers, None where a value is missing; anything else is a fault."""
    try:
        numbers = list(map(float, values))  # type: ignore[arg-type]
        if math.isfinite(math.fsum(numbers)) and bool not in set(map(type, values)):
            return list(numbers)
    except (TypeError, ValueError, OverflowError):
        pass  # one by one, to find out which
    return _each(values, label, "a number", fault, _read_number)


def read_dates(values: Sequence[object], label: str, fault: Fault) -> list[float | None]:
    """MJD, from MJD or ISO 8601 dates (UTC unless they say otherwise); None where missing."""
    try:
        numbers = np.array(list(map(float, values)))  # type: ignore[arg-type]
        if ((numbers >= _MJD_RANGE[0]) & (numbers <= _MJD_RANGE[1])).all():
            return list(numbers.tolist())
    except (TypeError, ValueError, OverflowError):
        pass  # not all are plain numbers
    return _each(values, label, "MJD or a date like 2012-04-12 02:54:25", fault, _read_date)


def _each(
    values: Sequence[object], label: str, expected: str, fault: Fault, read: Callable[[object], float]
) -> list[float | None]:
    result: list[float | None] = []
    for index, value in enumerate(values):
        number = None
        if not _is_missing(value):
            try:
                number = read(value)
            except (ValueError, OverflowError):
                fault(index, f"found {label} {shorten(repr(value))}; expected {expected}")
        result.append(number)
    return result


def _is_missing(value: object) -> bool:
    if value is None:
        return True
    if isinstance(value, str):
        return value.strip().lower() in _MISSING
    return isinstance(value, float) and math.isnan(value)


def _read_number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def _read_date(value: object) -> float:
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return _as_mjd(datetime.fromisoformat(value.strip()))
        return _check_mjd(number)
    if isinstance(value, datetime):
        return _as_mjd(value)
    if isinstance(value, date):
        return _as_mjd(datetime(value.year, value.month, value.day))
    return _check_mjd(_read_number(value))


def _as_mjd(moment: datetime) -> float:
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return (moment - _MJD_EPOCH).total_seconds() / _DAY


def _check_mjd(number: float) -> float:
    if not _MJD_RANGE[0] <= number <= _MJD_RANGE[1]:
        raise ValueError
    return number


def _as_text(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace").strip()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
