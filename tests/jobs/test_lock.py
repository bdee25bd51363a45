"""One run at a time on a products folder."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path
from threading import Timer
from time import monotonic, sleep

import pytest

from mvmdb.errors import BusyError, InputError
from mvmdb.jobs.lock import DEAD_SECONDS, claim_folder, require_free

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


def sign_of_another_host(folder: Path, how: str, *, seconds_ago: float = 0) -> Path:
    """The file of a run of another host, whose lock does not reach this one, as on NFS with local locks."""
    folder.mkdir(exist_ok=True)
    sign = folder / f".mvmdb.lock.node-7.example.org.4711-3.{how}"
    sign.write_bytes(b"")
    time = sign.stat().st_mtime - seconds_ago
    os.utime(sign, (time, time))
    return sign


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(("theirs", "mine"), [("alone", False), ("shared", False), ("alone", True)])
def test_a_living_run_of_another_host_is_seen_where_its_lock_is_not(tmp_path: Path, theirs: str, mine: bool) -> None:
    sign = sign_of_another_host(tmp_path, theirs, seconds_ago=DEAD_SECONDS - 10)
    expected = r"process 4711 on node-7.example.org\) works on .* its lock ends after 180 s"
    with pytest.raises(BusyError, match=expected), claim_folder(tmp_path, shared=mine):
        pass
    assert sign.exists()
    assert names(tmp_path) == [".mvmdb.lock", sign.name]


def test_runs_that_share_work_side_by_side_on_several_hosts(tmp_path: Path) -> None:
    sign = sign_of_another_host(tmp_path, "shared")
    with claim_folder(tmp_path, shared=True), claim_folder(tmp_path, shared=True):
        assert len(names(tmp_path)) == 4
        with pytest.raises(BusyError, match=f"process {os.getpid()} on"), claim_folder(tmp_path):
            pass
    assert sign.exists()


@pytest.mark.parametrize("mine", [False, True])
def test_a_run_that_gives_no_sign_any_more_is_taken_for_dead(tmp_path: Path, mine: bool) -> None:
    sign_of_another_host(tmp_path, "alone", seconds_ago=DEAD_SECONDS + 1)
    with claim_folder(tmp_path, shared=mine):
        assert len(names(tmp_path)) == 2
    assert names(tmp_path) == [".mvmdb.lock"]


def test_a_run_that_was_taken_for_dead_hears_of_it(tmp_path: Path) -> None:
    with claim_folder(tmp_path) as lock:
        lock.require_held()
        lock.touch()
        (sign,) = tmp_path.glob(".mvmdb.lock.*")
        sign.unlink()  # as another host does after it saw no sign for minutes
        with pytest.raises(BusyError, match=r"taken for dead, and .* left to another"):
            lock.require_held()


def test_a_run_gives_signs_of_life_while_it_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mvmdb.jobs.lock.SIGN_SECONDS", 0.01)
    with claim_folder(tmp_path) as lock:
        (sign,) = tmp_path.glob(".mvmdb.lock.*")
        os.utime(sign, (1e9, 1e9))
        until = monotonic() + 30
        while sign.stat().st_mtime_ns < lock.taken_ns and monotonic() < until:
            sleep(0.01)
        assert sign.stat().st_mtime_ns >= lock.taken_ns


def test_what_killed_runs_of_this_host_left_goes_with_the_next_run(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    for how in ("alone", "shared"):
        (tmp_path / f".mvmdb.lock.{socket.gethostname()}.{ended.pid}-3.{how}").write_bytes(b"")
    with claim_folder(tmp_path, shared=True):
        assert len(names(tmp_path)) == 2
    (tmp_path / f".mvmdb.lock.{socket.gethostname()}.{os.getpid()}-99.alone").write_bytes(b"")  # the same number again
    with claim_folder(tmp_path):
        assert len(names(tmp_path)) == 2


def test_a_lock_is_waited_for_as_long_as_asked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "mvmdb")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BusyError), claim_folder(tmp_path, wait=0.1):
            pass
        assert "waiting for 0 s at most: another run (process" in caplog.text
        end = Timer(0.3, holder.kill)
        end.start()
        with claim_folder(tmp_path, wait=60):
            assert holder.wait() != 0
        end.join()
