"""Where the time of a block of code went: what the benchmarks' --profile prints."""

from __future__ import annotations

import cProfile
import pstats
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def profiled(wanted: bool, n_lines: int = 25) -> Iterator[None]:
    """Print the functions of this process (no worker) that took most time in the block, on standard error."""
    if not wanted:
        yield
        return
    with cProfile.Profile() as profile:
        yield
    pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(n_lines)
