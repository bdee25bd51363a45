"""What is said of product files that are left alone: once in a run, and as news only if no earlier night said it."""

from __future__ import annotations

import logging
from collections.abc import Collection

log = logging.getLogger(__name__)


class Remarks:
    """The remarks of one run, each once. Those `before` were made by the last night, and are logged as no warnings."""

    def __init__(self, before: Collection[str] = ()) -> None:
        self.before = frozenset(before)
        self.made: list[str] = []

    def make(self, words: str) -> None:
        """Make a remark, unless this run has made it."""
        if words in self.made:
            return
        self.made.append(words)
        log.log(logging.INFO if words in self.before else logging.WARNING, "%s", words)
