"""Rows as they are printed: equal to what libraries print of all rows at once, and read one after the other."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from tabulate import tabulate

from mvmdb.console import rows as module
from mvmdb.console.rows import print_answer, print_csv, print_json, print_json_lines, print_table

NAMES = ("n", "text", "a longer name")
ROWS: list[tuple[Any, ...]] = [
    (1, "xxxxx", 0.1 + 0.2), (2**40, None, True), (3, "  padded ", 1e-20), (4, "ü, \"quoted\"", "abc"),
]  # fmt: skip


@pytest.mark.parametrize("n", [0, 1, 4])
def test_a_table_is_the_one_that_tabulate_makes(n: int, capsys: pytest.CaptureFixture[str]) -> None:
    print_table(NAMES, ROWS[:n])
    assert capsys.readouterr().out == tabulate(ROWS[:n], headers=NAMES, disable_numparse=True) + "\n"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(6.066373893312515, "6.066373893"), (353.16248321987654, "353.1624832"), (0.5, "0.5"), (4122160.0, "4122160.0"),
     (-1.23456789012e-20, "-1.23456789e-20"), (1e300, "1e+300"), (float("inf"), "inf"), (float("nan"), "nan"),
     (12345678901234, "12345678901234"), (123456789012.75, "123456789012.75")],
)  # fmt: skip
def test_numbers_of_an_answer_have_ten_digits(value: float, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_answer(None, ("x",), [(value,)], {})
    assert capsys.readouterr().out.splitlines()[2] == shown
    print_csv(("x",), [(value,)])
    assert repr(type(value)(capsys.readouterr().out.splitlines()[1])) == repr(value)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_json_is_one_list_as_json_itself_prints_it(n: int, capsys: pytest.CaptureFixture[str]) -> None:
    print_json(NAMES, ROWS[:n])
    values = [dict(zip(NAMES, row, strict=True)) for row in ROWS[:n]]
    assert capsys.readouterr().out == json.dumps(values, indent=1) + "\n"


def test_what_json_does_not_know_is_null_or_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_json_lines(("a", "b", "c"), [(float("inf"), [float("nan"), 1], {"k": b"x"})])
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [None, 1], "c": {"k": "78"}}


def test_csv_is_read_back(capsys: pytest.CaptureFixture[str]) -> None:
    print_csv(NAMES, ROWS[3:])
    assert list(csv.reader(io.StringIO(capsys.readouterr().out))) == [list(NAMES), ["4", 'ü, "quoted"', "abc"]]


def test_csv_is_exact_in_a_file_and_harmless_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [("\x1b[2J", "\x9b\u202e", "a\nb", "=1+1", 7)]
    print_csv(("a", "b", "c", "d", "\x1b"), rows)
    assert list(csv.reader(io.StringIO(capsys.readouterr().out)))[1] == [*rows[0][:4], "7"]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_csv(("a", "b", "c", "d", "\x1b"), rows)
    assert capsys.readouterr().out == "a,b,c,d,\\x1b\n\\x1b[2J,\\x9b\\u202e,a\\nb,=1+1,7\n"


class Counted:
    """Rows that count how many of them were taken."""

    def __init__(self, n: int) -> None:
        self.n, self.taken = n, 0

    def __iter__(self) -> Iterator[tuple[int, str]]:
        for number in range(1, self.n + 1):
            self.taken = number
            yield number, "x"


@pytest.mark.parametrize("show", [print_csv, print_json, print_json_lines, print_table])
def test_rows_are_printed_while_they_are_read(
    show: Callable[[Any, Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, printed = Counted(10_000), []
    monkeypatch.setattr(module.click, "echo", lambda text, **_: printed.append((rows.taken, len(text))))
    show(("n", "x"), rows)
    assert max(length for _, length in printed) < 60_000
    assert len(printed) >= 10
    taken = [number for number, _ in printed][-9:]
    assert all(after - before <= 1000 for before, after in pairwise(taken))


@pytest.mark.parametrize("show", [print_csv, print_json, print_json_lines, print_table])
def test_bytes_are_shown_by_their_digits(show: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    show(["blob"], [(b"\x00\xffabc",), (memoryview(b"\x01"),)])
    out = capsys.readouterr().out
    assert "00ff616263" in out
    assert "01" in out
    assert "b'" not in out
