"""Replaces a file as a whole or not at all: a temporary file in the same folder is written, synced and renamed."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def replace_file(target: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write `.<name>.<host>.<thread>.tmp` next to `target`, sync it and rename it; after a failure, remove it.

    `write` writes the content to the open file. A missing folder is created. Raises OSError, and whatever `write`
    raises.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # Two machines may write the same target if one was presumed dead but still runs: their names must differ.
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
