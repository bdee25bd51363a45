"""What came from a file is shown as text that a terminal does not obey."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mvmdb.console import show
from mvmdb.console.show import printable


def test_escapes_are_spelled_and_letters_of_any_script_are_not() -> None:
    assert printable("Ångström é 1") == "Ångström é 1"
    assert printable("a\x1b[2J\n\x9b\u202e\udcff") == r"a\x1b[2J\n\x9b\u202e\udcff"


@given(st.text(st.characters(codec=None)))
def test_any_text_becomes_printable_and_can_be_written(text: str) -> None:
    assert printable(text).isprintable()
    printable(text).encode()


def test_everything_is_printed_as_printable_text_or_by_a_function_that_sees_to_it() -> None:
    """JSON is ASCII; rows.py has forms of its own; help texts and the demonstration's words hold nothing from files."""
    package = Path(show.__file__).parents[1]
    printing = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"\bclick\.s?echo\b|(?<![\w.])print\(|\bsys\.std(out|err)\.write\b", path.read_text())
    }
    assert printing == {
        "console/show.py", "console/rows.py", "console/options.py", "console/commands/demo.py", "cli.py",
    }  # fmt: skip
