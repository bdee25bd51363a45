"""`mvmdb serve` and other servers as processes that answer over HTTP."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def running(*words: str, told: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that says its address: (the process, the address without / at its end)."""
    process = subprocess.Popen(
        [sys.executable, "-m", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )  # fmt: skip
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if told in line:
                yield process, re.findall(r"http://[^ ]*\d", line)[0]
                break
        else:
            pytest.fail("it ended without an address")
    finally:
        process.kill()
        process.communicate()


def get(address: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds, as it soon will."""
    ending = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < ending
