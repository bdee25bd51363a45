"""Worker processes by a fork instead of a new interpreter: they need no second to import what they work with.

Everything else is as with `subprocess.Popen`: a process group of their own, pipes, signals and exit statuses.
"""

from __future__ import annotations

import os
import signal
import subprocess
from io import FileIO
from time import monotonic, sleep
from typing import Any

from mvmdb.workers import child


class ForkedPopen:
    """What `mvmdb.workers.child` uses of `subprocess.Popen`, for the command that it starts."""

    def __init__(self, words: list[str], *, process_group: int | None = None, **_rest: Any) -> None:
        preload, sign_every = words[3:5]
        requests, results = os.pipe(), os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                if process_group is not None:
                    os.setpgid(0, process_group)
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                os.dup2(requests[0], 0)
                os.dup2(results[1], 1)
                os.closerange(3, 1024)
                child.serve(preload, float(sign_every))
            finally:
                os._exit(1)
        os.close(requests[0])
        os.close(results[1])
        self.stdin, self.stdout = FileIO(requests[1], "wb"), FileIO(results[0], "rb")
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, timeout: float) -> int:
        until = monotonic() + timeout
        while self.poll() is None:
            if monotonic() > until:
                raise subprocess.TimeoutExpired("worker", timeout)
            sleep(0.001)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def fork_workers() -> None:
    """Start the workers of this process by a fork from now on."""

    class Module:
        """What `mvmdb.workers.child` uses of the module subprocess."""

        Popen, PIPE, DEVNULL = ForkedPopen, subprocess.PIPE, subprocess.DEVNULL
        TimeoutExpired = subprocess.TimeoutExpired

    child.subprocess = Module  # type: ignore[assignment]
