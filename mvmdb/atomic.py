"""Replacing a file whole or not at all: by a temporary file beside it, synced and renamed."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def replace_file(target: Path, write: Callable[[BinaryIO], object]) -> None:
    """Fill `.<name>.<host>.<thread>.tmp` beside `target`, sync it, and rename it; no trace is left of a failure.

    The folder is made where it is missing. Raises OSError; what `write` raises passes through.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # Two machines may be at one target, when one was given up for dead that still lives: no name serves both.
    temporary = target.with_name(f".{target.name}.{socket.gethostname()}.{threading.get_native_id()}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the rename itself must survive a power cut
        finally:
            os.close(folder)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
