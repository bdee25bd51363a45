"""Pauses Python's garbage collector during work that creates many objects but no cycles."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pause the collection of cyclic garbage until the end of the block.

    The collector would visit all live objects again and again: for the rows of a table, or a plan with hundreds of
    thousands of layers, this takes 15% to 35% of the time (measured).
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
