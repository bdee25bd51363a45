"""Profiles a block of code: what the benchmarks' --profile prints."""

from __future__ import annotations

import cProfile
import pstats
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def profiled(enabled: bool, n_lines: int = 25) -> Iterator[None]:
    """Print the functions that took most time in the block to standard error; workers are not profiled."""
    if not enabled:
        yield
        return
    with cProfile.Profile() as profile:
        yield
    pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(n_lines)
