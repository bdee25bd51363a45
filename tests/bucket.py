"""A server of S3 for the tests, in a process of its own, and how fsspec is told of it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec

_KEYS = {"key": "testing", "secret": "testing"}


@dataclass(frozen=True)
class S3Server:
    """A server of S3 at `url`."""

    url: str

    @property
    def options(self) -> dict[str, Any]:
        """fsspec's configuration of the protocol s3."""
        return {**_KEYS, "endpoint_url": self.url}

    def files(self) -> Any:
        """fsspec's view, for the test itself."""
        return fsspec.filesystem("s3", use_listings_cache=False, skip_instance_cache=True, **self.options)

    def put(self, path: Path, key: str) -> str:
        """Upload a file to `bucket/key`, and return its address."""
        self.files().put_file(str(path), key)
        return f"s3://{key}"


@contextmanager
def run_s3() -> Iterator[S3Server]:
    """A server at a free port, until the end of the block."""
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    program = f"from moto.server import main; main(['-H', '127.0.0.1', '-p', '{port}'])"
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(process, port)
        yield S3Server(f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait()


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("moto's server does not start")
