"""The generated parts of pages: what stands between two marks is replaced, the prose around them stays."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

Block = tuple[str, str]
"""The name of a generated part of a page, and its text."""


def marks(name: str, maker: str) -> tuple[str, str]:
    """The lines before and after a generated part, which a command makes."""
    return f"<!-- {name}: made by `{maker}` -->", f"<!-- end of {name} -->"


def fill_page(text: str, blocks: Iterable[Block], maker: str) -> str:
    """The text of a page with the parts of these names replaced. Raises ValueError where marks of one are missing."""
    for name, content in blocks:
        begin, end = marks(name, maker)
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        count = len(pattern.findall(text))
        if count != 1:
            raise ValueError(
                f"the page lacks its marks: it has {count} parts {name!r}; expected one, between {begin} and {end}"
            )
        text = pattern.sub(lambda _, new=f"{begin}\n\n{content}\n\n{end}": new, text)  # type: ignore[misc]
    return text


def write_page(page: Path, blocks: Iterable[Block], maker: str) -> None:
    """Replace these parts of a page."""
    page.write_text(fill_page(page.read_text(encoding="utf-8"), blocks, maker), encoding="utf-8")
