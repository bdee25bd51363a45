"""Values tell what they are: in one line that a terminal may print, and in HTML that a notebook may show."""

from __future__ import annotations

from dataclasses import dataclass

from mvmdb.shown import MOST_SHOWN, Shown, Told


@dataclass(frozen=True, repr=False)
class Listed(Shown):
    line: str
    rows: tuple[tuple[object, ...], ...] = ()

    def tell(self) -> Told:
        return Told(self.line, ("name", "<b>"), self.rows)


def test_a_line_is_one_line_without_control_characters() -> None:
    assert repr(Listed("2 layers\x1b[2J\nmore")) == "<Listed: 2 layers\\x1b[2J\\nmore>"


def test_html_is_escaped_and_limited() -> None:
    page = Listed("a & b", (("<script>alert(1)</script>", None),) * (MOST_SHOWN + 7))._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "<th>&lt;b&gt;</th>" in page
    assert "a &amp; b" in page
    assert page.count("<tr>") == MOST_SHOWN + 1
    assert "and 7 more" in page
    assert "<table>" not in Listed("nothing")._repr_html_()
