"""How much memory this process has taken at most, since it began or since the last reset."""

from __future__ import annotations

import resource
import sys
from contextlib import suppress


def reset_peak_memory() -> None:
    """Begin a new measurement. Only Linux can; elsewhere the peak is that of the whole process so far."""
    with suppress(OSError), open("/proc/self/clear_refs", "w") as stream:
        stream.write("5")


def read_peak_memory() -> int:
    """The peak of resident memory since the last reset, in MB (1e6 bytes)."""
    with suppress(OSError), open("/proc/self/status") as stream:
        for line in stream:
            if line.startswith("VmHWM:"):  # kB of 1024 bytes, by proc_pid_status(5)
                return round(int(line.split()[1]) * 1024 / 1e6)
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2): bytes on macOS, kB elsewhere
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)
