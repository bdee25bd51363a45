"""Files that are replaced whole: what is on the disk, and in which order, whenever the power goes."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import BinaryIO

import pytest

from mvmdb.atomic import replace_file

CONTENT = b"new" * 1000


def test_content_is_synced_before_the_rename_and_the_folder_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "folder" / "file"
    target.parent.mkdir()
    target.write_bytes(b"old")
    calls: list[object] = []
    sync, rename = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        if os.path.samestat(os.fstat(descriptor), os.stat(target.parent)):
            calls.append(("sync folder", target.read_bytes()))
        else:
            (temporary,) = set(target.parent.iterdir()) - {target}
            assert os.path.samestat(os.fstat(descriptor), os.stat(temporary))
            calls.append(("sync file", temporary.read_bytes(), target.read_bytes()))
        sync(descriptor)

    def replace(source: Path, destination: Path) -> None:
        calls.append("rename")
        rename(source, destination)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    replace_file(target, lambda file: file.write(CONTENT))
    assert calls == [("sync file", CONTENT, b"old"), "rename", ("sync folder", CONTENT)]


def test_nothing_stays_open(tmp_path: Path) -> None:
    folder = Path("/dev/fd")
    if not folder.is_dir():
        pytest.skip("this system does not list its open files")
    before = len(list(folder.iterdir()))
    for number in range(3):
        replace_file(tmp_path / f"{number}", lambda file: file.write(CONTENT))
    assert len(list(folder.iterdir())) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "2"]


def test_what_a_killed_writer_left_is_removed_and_what_others_write_is_not(tmp_path: Path) -> None:
    target = tmp_path / "file"
    begins = f".file.{socket.gethostname()}."
    left = [tmp_path / f"{begins}{number}.tmp" for number in (1, 4711)]
    kept = [tmp_path / name for name in (f".file2.{socket.gethostname()}.1.tmp", ".file.elsewhere.1.tmp", f"{begins}x")]
    for path in (*left, *kept):
        path.write_bytes(b"half")
    inner = []

    def write_meanwhile() -> None:
        inner.append(threading.get_native_id())
        replace_file(target, lambda file: file.write(b"in between"))

    def write(file: BinaryIO) -> None:
        file.write(CONTENT)
        other = threading.Thread(target=write_meanwhile)
        other.start()
        other.join()

    replace_file(target, write)
    assert inner
    assert target.read_bytes() == CONTENT
    assert sorted(tmp_path.iterdir()) == sorted([target, *kept])


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_failure_leaves_the_folder_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    if step != "write":
        monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="No space left"):
        replace_file(target, fail if step == "write" else lambda file: file.write(CONTENT))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert target.read_bytes() == b"old"


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_link_or_pipe_in_the_place_of_the_temporary_file_is_removed_and_not_written_through(
    tmp_path: Path, kind: str
) -> None:
    target, other = tmp_path / "target", tmp_path / "precious"
    other.write_text("precious")
    temporary = tmp_path / f".target.{socket.gethostname()}.{threading.get_native_id()}.tmp"
    temporary.symlink_to(other) if kind == "link" else os.mkfifo(temporary)
    replace_file(target, lambda file: file.write(b"new"))
    assert (target.read_bytes(), other.read_text()) == (b"new", "precious")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["precious", "target"]
