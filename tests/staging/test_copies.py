"""One file put beside a poller: as a copy of its own, with shared blocks where that can be, or as a link."""

from __future__ import annotations

import errno
import fcntl
import os
import re
from pathlib import Path

import pytest

from mvmdb.errors import InputError
from mvmdb.staging import copies
from mvmdb.staging.copies import FICLONE, Link, can_clone, is_current, put

CONTENT = b"0123456789" * 1000


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "ib6o04tuq_flt.fits"
    path.write_bytes(CONTENT)
    os.utime(path, ns=(10**18, 10**18 + 123_456_789))
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "cell").mkdir()
    return tmp_path / "cell" / "hst_11359_04_wfc3_ir_f125w_ib6o04tu_flt.fits"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_copy_is_independent_of_its_input_and_has_its_time(source: Path, target: Path) -> None:
    put(source, target, "copy")
    assert target.read_bytes() == CONTENT
    assert target.stat().st_mtime_ns == source.stat().st_mtime_ns
    assert is_current(source, target, "copy")
    with target.open("r+b") as file:
        file.write(b"drizzlepac")
    assert source.read_bytes() == CONTENT
    assert not is_current(source, target, "copy")
    assert names(target.parent) == [target.name]


def test_a_read_only_input_gives_a_copy_that_can_be_written_to(source: Path, target: Path) -> None:
    source.chmod(0o444)
    put(source, target, "copy")
    assert target.stat().st_mode & 0o200


@pytest.mark.parametrize("change", ["size", "time"])
def test_an_input_with_another_size_or_time_makes_the_copy_outdated(source: Path, target: Path, change: str) -> None:
    put(source, target, "copy")
    if change == "size":
        source.write_bytes(CONTENT + b"x")
        os.utime(source, ns=(10**18, target.stat().st_mtime_ns))
    else:
        os.utime(source, ns=(10**18, 10**18))
    assert not is_current(source, target, "copy")
    put(source, target, "copy")
    assert is_current(source, target, "copy")
    assert target.read_bytes() == source.read_bytes()


def test_blocks_are_shared_where_the_file_system_can(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def clone(into: int, request: int, of: int) -> int:
        asked.append(request)
        os.pwrite(into, os.pread(of, 1 << 20, 0), 0)
        return 0

    monkeypatch.setattr(fcntl, "ioctl", clone)
    monkeypatch.setattr(copies, "_copy_bytes", lambda *files: pytest.fail("no byte is copied"))
    assert can_clone(source, target.parent)
    put(source, target, "copy")
    assert asked == [FICLONE, FICLONE]
    assert target.read_bytes() == CONTENT
    assert is_current(source, target, "copy")
    assert names(target.parent) == [target.name]


@pytest.mark.parametrize("cause", [errno.EXDEV, errno.ENOSYS])
def test_bytes_are_copied_where_the_system_cannot_do_it_itself(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch, cause: int
) -> None:
    def refuse(*arguments: object) -> int:
        raise OSError(cause, os.strerror(cause))

    monkeypatch.setattr(fcntl, "ioctl", refuse)
    monkeypatch.setattr(os, "copy_file_range", refuse)
    assert not can_clone(source, target.parent)
    put(source, target, "copy")
    assert target.read_bytes() == CONTENT
    monkeypatch.delattr(os, "copy_file_range")
    target.unlink()
    put(source, target, "copy")
    assert target.read_bytes() == CONTENT


def test_a_disk_that_fills_up_leaves_no_file(source: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(*arguments: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "copy_file_range", fill)
    with pytest.raises(InputError, match=re.escape(f"cannot put {source} at {target}: No space left")):
        put(source, target, "copy")
    assert names(target.parent) == []


def test_an_input_that_changes_while_it_is_copied_is_refused(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_bytes = copies._copy_bytes

    def change(reader: object, writer: object) -> None:
        copy_bytes(reader, writer)  # type: ignore[arg-type]
        source.write_bytes(b"new")

    monkeypatch.setattr(copies, "_copy_bytes", change)
    with pytest.raises(InputError, match="changed while it was copied"):
        put(source, target, "copy")
    assert names(target.parent) == []


@pytest.mark.parametrize("link", ["hard", "symbolic"])
def test_links_are_made_on_request_and_replaced_by_copies(source: Path, target: Path, link: Link) -> None:
    put(source, target, "copy")
    assert not is_current(source, target, link)
    put(source, target, link)
    assert is_current(source, target, link)
    put(source, target, link)
    assert target.samefile(source)
    assert target.is_symlink() == (link == "symbolic")
    assert not is_current(source, target, "copy"), "what drizzlepac writes would reach the input"
    put(source, target, "copy")
    assert is_current(source, target, "copy")
    assert not target.samefile(source)
    assert names(target.parent) == [target.name]
    assert source.read_bytes() == CONTENT


def test_hard_links_across_file_systems_are_refused_with_the_remedy(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(InputError, match="expected the same file system: leave out --link hard"):
        put(source, target, "hard")
    assert names(target.parent) == []


def test_a_device_or_a_pipe_is_not_copied(tmp_path: Path, target: Path) -> None:
    os.mkfifo(tmp_path / "pipe_flt.fits")
    with pytest.raises(InputError, match="named pipe"):
        put(tmp_path / "pipe_flt.fits", target, "copy")
    assert not can_clone(tmp_path / "pipe_flt.fits", target.parent)
