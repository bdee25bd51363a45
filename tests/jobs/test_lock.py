"""One run at a time on a products folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mvmdb.errors import BusyError, InputError
from mvmdb.jobs.lock import claim_folder

HOLD = """
import sys
from pathlib import Path
from mvmdb.jobs.lock import claim_folder
with claim_folder(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_run_is_refused_and_told_who_holds_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "products"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BusyError, match=str(holder.pid)), claim_folder(folder):
            pass
        holder.kill()  # the lock goes with the process, however it ends
        holder.wait()
    with claim_folder(folder):
        pass


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("dear")
    with pytest.raises(InputError, match="cannot write to"), claim_folder(tmp_path / "file" / "products"):
        pass
    assert (tmp_path / "file").read_text() == "dear"
