"""Runs a function in a forked child that may take little memory and time, as a hostile file would have it take more."""

from __future__ import annotations

import os
import pickle
import resource
import signal
import traceback
from collections.abc import Callable
from typing import TypeVar

R = TypeVar("R")


class ChildDiedError(Exception):
    """The child did not return: it crashed, hung, or raised."""


def run_limited(function: Callable[[], R], *, megabytes: int, seconds: int) -> R:
    """What `function` returns in a child with so much more memory than this process has, and so much processor time."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        try:
            with open("/proc/self/statm") as file:
                used = int(file.read().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + megabytes * 1_000_000,) * 2)
            resource.setrlimit(
                resource.RLIMIT_CPU, (round(resource.getrusage(resource.RUSAGE_SELF).ru_utime) + seconds,) * 2
            )
            signal.alarm(10 * seconds)  # for what waits and takes no processor time
            answer: tuple[bool, object] = (True, function())
        except BaseException:
            answer = (False, traceback.format_exc())
        with os.fdopen(writer, "wb") as pipe:
            pickle.dump(answer, pipe)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        content = pipe.read()
    _, status = os.waitpid(pid, 0)
    if not content:
        raise ChildDiedError(f"the child ended with {os.waitstatus_to_exitcode(status)}")
    good, value = pickle.loads(content)
    if not good:
        raise ChildDiedError(str(value))
    return value  # type: ignore[no-any-return]
