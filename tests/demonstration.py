"""One finished demonstration for all the tests that look at it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Demo:
    """A finished demonstration: its folder, what it returned, and what it said."""

    folder: Path
    code: int
    story: tuple[str, ...]

    @property
    def nights(self) -> tuple[str, str]:
        """The story of each night."""
        text = "\n".join(self.story)
        second = text.index("NIGHT 2")
        return text[:second], text[second:]
