"""Members' files that were inspected are not read again, unless anything about them changed."""

from __future__ import annotations

import os
from pathlib import Path
from time import sleep
from typing import BinaryIO

import numpy as np
import pytest
from fitsfiles import set_pixels
from mosaic_field import Field, dithered, refusal, with_members

from mvmdb.exposures.fits.digest import digest_pixels
from mvmdb.exposures.fits.file import FitsFile
from mvmdb.mosaic import inputs, seen
from mvmdb.mosaic.make import make_product
from mvmdb.mosaic.seen import SeenFiles

TICK = 0.02
"""Seconds; longer than a tick of the clock by which file systems tell times."""


class Reader:
    """Reads a file, and counts how often."""

    def __init__(self, path: Path) -> None:
        self.path, self.count = path, 0

    def __call__(self) -> bytes:
        self.count += 1
        found = self.path.read_bytes()
        sleep(TICK)
        return found


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """Of a file that counts as settled although it was just written."""
    monkeypatch.setattr(seen, "SETTLED_NS", -(10**18))
    (tmp_path / "u2eq0201t_c0m.fits").write_bytes(b"pixels")
    return Reader(tmp_path / "u2eq0201t_c0m.fits")


def test_a_file_that_stays_is_read_once(reader: Reader) -> None:
    files: SeenFiles[bytes] = SeenFiles()
    assert [files.find(str(reader.path), reader) for _ in range(3)] == [b"pixels"] * 3
    assert reader.count == 1


def test_a_file_of_the_same_size_and_time_with_other_bytes_is_read_again(reader: Reader) -> None:
    files: SeenFiles[bytes] = SeenFiles()
    files.find(str(reader.path), reader)
    status = reader.path.stat()
    reader.path.write_bytes(b"others")
    os.utime(reader.path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert files.find(str(reader.path), reader) == b"others"
    replacement = reader.path.with_name("replacement")
    replacement.write_bytes(b"thirds")
    os.utime(replacement, ns=(status.st_atime_ns, status.st_mtime_ns))
    replacement.replace(reader.path)
    assert files.find(str(reader.path), reader) == b"thirds"


def test_flags_that_come_or_change_beside_a_file_count(reader: Reader) -> None:
    files: SeenFiles[bytes] = SeenFiles()
    flags = reader.path.with_name("u2eq0201t_c1m.fits")
    for change in (lambda: None, lambda: flags.write_bytes(b"flags"), lambda: flags.write_bytes(b"more"), flags.unlink):
        change()
        files.find(str(reader.path), reader)
    assert reader.count == 4


def test_a_file_that_changed_just_now_is_not_remembered(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "SETTLED_NS", 10**18)
    files: SeenFiles[bytes] = SeenFiles()
    for _ in range(2):
        files.find(str(reader.path), reader)
    assert reader.count == 2


def test_what_changed_while_it_was_read_is_not_remembered(reader: Reader) -> None:
    files: SeenFiles[bytes] = SeenFiles()

    def read_and_append() -> bytes:
        found = reader()
        reader.path.write_bytes(found + b"!")
        return found

    files.find(str(reader.path), read_and_append)
    assert files.find(str(reader.path), reader) == b"pixels!"


def test_the_files_not_used_for_longest_leave(reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "MOST", 2)
    files: SeenFiles[bytes] = SeenFiles()
    other = tmp_path / "other"
    other.write_bytes(b"")
    third = tmp_path / "third"
    third.write_bytes(b"")
    for path in (reader.path, other, reader.path, third, reader.path):
        files.find(str(path), reader)
    assert reader.count == 3
    files.find(str(other), reader)
    assert reader.count == 4


def test_a_missing_file_raises_what_reading_raises(tmp_path: Path) -> None:
    files: SeenFiles[bytes] = SeenFiles()
    with pytest.raises(FileNotFoundError):
        files.find(str(tmp_path / "none"), Reader(tmp_path / "none"))


def test_a_second_layer_digests_no_member_again(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "SETTLED_NS", -(10**18))
    digested: list[str] = []
    digest = inputs.digest_open

    def digest_and_count(file: FitsFile, stream: BinaryIO) -> str:
        digested.append(file.path)
        return digest(file, stream)

    monkeypatch.setattr(inputs, "digest_open", digest_and_count)
    paths = dithered(field)
    job = field.job(paths)
    first = make_product(job)
    Path(job.target).unlink()
    assert make_product(job).data_digest == first.data_digest
    assert sorted(digested) == sorted(map(str, paths))


def test_a_member_that_changed_between_two_layers_is_refused(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "SETTLED_NS", -(10**18))
    path = field.expose("aa")
    job = with_members(field.job([path]), pixel_digest=digest_pixels(path))
    make_product(job)
    status = path.stat()
    set_pixels(path, np.full((64, 64), 3.0))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert "pixel digest" in refusal(job)
