"""What came from a file is shown as text that a terminal does not obey."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mvmdb.console.show import printable


def test_escapes_are_spelled_and_letters_of_any_script_are_not() -> None:
    assert printable("Ångström é 1") == "Ångström é 1"
    assert printable("a\x1b[2J\n\x9b\u202e\udcff") == r"a\x1b[2J\n\x9b\u202e\udcff"


@given(st.text(st.characters(codec=None)))
def test_any_text_becomes_printable_and_can_be_written(text: str) -> None:
    assert printable(text).isprintable()
    printable(text).encode()
