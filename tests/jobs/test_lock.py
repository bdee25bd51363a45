"""One run at a time on a products folder."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mvmdb.errors import BusyError, InputError
from mvmdb.jobs.lock import claim_folder, require_free

HOLD = """
import sys
from pathlib import Path
from mvmdb.jobs.lock import claim_folder, require_free
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


def test_the_busy_message_names_process_and_machine(tmp_path: Path) -> None:
    holder = f"process {os.getpid()} on {socket.gethostname()}"
    with claim_folder(tmp_path), pytest.raises(BusyError, match=holder), claim_folder(tmp_path):
        pass
    with claim_folder(tmp_path), pytest.raises(BusyError, match=holder):
        require_free(tmp_path)
    require_free(tmp_path)
    require_free(tmp_path / "nowhere")


@pytest.mark.parametrize("fault", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_an_error_that_says_what_to_do(
    tmp_path: Path, fault: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(fault, os.strerror(fault))

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(InputError, match=r"gives no locks .* mount it with locks"), claim_folder(tmp_path):
        pass
