"""A worker's preload: it is killed when its first mosaic is in its place, and nobody has been told."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from mvmdb.mosaic.product import write as writing

real = writing.replace_file


def replace_file(target: Path, write: Callable[[BinaryIO], object]) -> None:
    real(target, write)
    if target.suffix == ".fits":
        os.kill(os.getpid(), signal.SIGKILL)


writing.replace_file = replace_file
