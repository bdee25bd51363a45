"""A night on a disk that is really full, and on one that turns read-only: `make chaos-full` tries every size."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from chaos.full_disk import NAMESPACE


def test_a_night_on_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    probe = [*NAMESPACE, "mount", "-t", "tmpfs", "none", str(tmp_path)]
    try:
        tried = subprocess.run(probe, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        pytest.skip(f"there is no program unshare: {error}")
    if tried.returncode != 0:
        pytest.skip(f"no file system can be mounted in a namespace here: {tried.stderr.strip()}")
    command = [*NAMESPACE, sys.executable, "-m", "chaos.full_disk", str(tmp_path)]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "full 3 times, read-only once, 0 faults\n"), done.stderr
