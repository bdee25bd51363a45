"""What stands in the place of a lock file: nothing behind a link or a pipe is touched."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from archive import Archive, call

from mvmdb.jobs.lock import LOCK_NAME, claim_folder, require_free

PLACED: dict[str, Callable[[Path, Path], object]] = {
    "a link": lambda path, other: path.symlink_to(other),
    "a dangling link": lambda path, other: path.symlink_to(other.with_name("nothing")),
    "a pipe": lambda path, _other: os.mkfifo(path),
    "a folder": lambda path, _other: path.mkdir(),
}


@pytest.mark.parametrize("placed", PLACED)
def test_a_lock_that_is_no_plain_file_is_refused(tmp_path: Path, placed: str) -> None:
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.expose(shape=(16, 16))
    archive.night()
    other = tmp_path / "precious.txt"
    other.write_text("precious")
    lock = archive.products / LOCK_NAME
    lock.unlink(missing_ok=True)
    PLACED[placed](lock, other)
    refused = call(archive, "nightly", str(archive.inbox), "--jobs", "1")
    assert f"{lock} is no plain file; expected the lock that mvmdb keeps there: remove it" in str(refused.exception)
    assert other.read_text() == "precious"
    assert not other.with_name("nothing").exists()
    with pytest.raises(Exception, match="is no plain file"):
        require_free(archive.products)


def test_files_that_look_like_signs_of_other_runs_are_neither_waited_for_nor_followed(tmp_path: Path) -> None:
    other = tmp_path / "precious.txt"
    other.write_text("precious")
    os.mkfifo(tmp_path / f"{LOCK_NAME}.elsewhere.17-3.alone")
    (tmp_path / f"{LOCK_NAME}.elsewhere.18-3.alone").symlink_to(other)
    with claim_folder(tmp_path):
        pass
    assert other.read_text() == "precious"
