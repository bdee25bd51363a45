"""The size and time by which a recorded file is recognized, in a range that every catalog can store."""

from __future__ import annotations

import os

_MOST = 2**63 - 1  # the widest integer of SQL: the year 2262


def file_stamp(status: os.stat_result) -> tuple[int, int]:
    """(size in bytes, time in ns since 1970) of a file; a time beyond the range becomes the nearest one in it."""
    return status.st_size, max(-_MOST, min(status.st_mtime_ns, _MOST))
