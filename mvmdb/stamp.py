"""The size and time by which a file is known to be the one that was recorded, as every catalog can hold them."""

from __future__ import annotations

import os

_MOST = 2**63 - 1  # the widest integer of SQL: the year 2262


def file_stamp(status: os.stat_result) -> tuple[int, int]:
    """(bytes, nanoseconds since 1970) of a file; a time that no catalog can hold becomes the nearest that one can."""
    return status.st_size, max(-_MOST, min(status.st_mtime_ns, _MOST))
