"""Cells become texts, numbers and dates, whatever the format gave; a value that cannot is a fault with its reason."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest
from astropy.time import Time

from mvmdb.tables.values import read_dates, read_numbers, read_texts


def faults_of(values: list[object], dates: bool = False) -> tuple[list[float | None], dict[int, str]]:
    """The numbers that are read, and the faults by index."""
    faults: dict[int, str] = {}
    read = read_dates if dates else read_numbers
    return read(values, "x", faults.__setitem__), faults


def test_texts_are_stripped_and_missing_ones_empty() -> None:
    values = [" WFC3  ", None, float("nan"), b" IR ", 11359, 11359.0, 0.5]
    assert read_texts(values) == ["WFC3", "", "", "IR", "11359", "11359", "0.5"]


def test_numbers_of_every_type_are_read() -> None:
    assert faults_of([1, 2.5, "3", " 4e2 "]) == ([1.0, 2.5, 3.0, 400.0], {})
    assert faults_of([None, "", "NaN", float("nan"), "null", "--", 1]) == ([*[None] * 6, 1.0], {})


@pytest.mark.parametrize("bad", ["12 s", "inf", float("inf"), True, [1.0], datetime(2012, 1, 1)])
def test_a_value_that_is_no_number_is_a_fault_of_its_row_alone(bad: object) -> None:
    numbers, faults = faults_of([1.0, bad, 2.0])
    assert numbers == [1.0, None, 2.0]
    assert list(faults) == [1]
    assert "expected a number" in faults[1]


@pytest.mark.parametrize(
    "text", ["2012-04-12 02:54:25", "2012-04-12T02:54:25.125", "2012-04-12T02:54:25Z", "2012-04-12", "20120412T025425"]
)
def test_iso_dates_are_those_of_astropy(text: str) -> None:
    (mjd,), faults = faults_of([text], dates=True)
    oracle = Time(datetime.fromisoformat(text).replace(tzinfo=None), scale="utc").mjd
    assert faults == {}
    assert mjd == pytest.approx(oracle, abs=1e-9)


def test_dates_are_read_from_values_and_with_time_zones() -> None:
    zone = timezone(timedelta(hours=2))
    values = [datetime(2012, 4, 12, 12), date(2012, 4, 12), datetime(2012, 4, 12, 12, tzinfo=zone), 56029.5, "56029.5"]
    numbers, faults = faults_of([*values, None, ""], dates=True)
    assert faults == {}
    assert numbers == pytest.approx([56029.5, 56029.0, 56029.5 - 2 / 24, 56029.5, 56029.5, None, None])


@pytest.mark.parametrize("bad", [2456030.0, "2456030.0", "12/04/2012", "yesterday", 5.0, float("inf")])
def test_julian_dates_and_other_calendars_are_faults(bad: object) -> None:
    numbers, faults = faults_of([56000.0, bad], dates=True)
    assert numbers == [56000.0, None]
    assert "expected MJD or a date" in faults[1]


def test_control_characters_and_halves_of_characters_become_blanks() -> None:
    assert read_texts(["NGC\x1b[2J", "\0A\x00B\n", "\udcff1", "Ångström", "a\tb", b"\x9bX"]) == [
        "NGC [2J", "A B", "1", "Ångström", "a b", "\ufffdX"
    ]  # fmt: skip


def test_a_value_is_quoted_no_longer_than_a_line() -> None:
    said: list[str] = []
    read_numbers(["9" * 5000 + "x"], "exptime", lambda index, why: said.append(why))
    assert len(said[0]) < 120


def test_moments_beyond_the_calendar_are_faults() -> None:
    said: list[str] = []
    far = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
    assert read_dates([far, 10**400], "expstart", lambda index, why: said.append(why)) == [None, None]
    assert len(said) == 2
