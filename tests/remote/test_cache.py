"""Copies of files elsewhere: fetched once, of bounded size, shared by processes, and not removed while in use."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from webserver import WebServer, touch_later

from mvmdb.errors import InputError
from mvmdb.remote.cache import parse_size
from mvmdb.remote.files import keeping, open_pixels

HOLDER = Path(__file__).with_name("holds_copy.py")
SIZE = 300_000


@pytest.fixture
def files(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses of four files; the cache holds two of them."""
    monkeypatch.setenv("MVMDB_CACHE_SIZE", f"{2 * SIZE + 1000}B")
    for name in "abcd":
        (web.root / f"{name}_flt.fits").write_bytes(name.encode() * SIZE)
    return [web.at(f"{name}_flt.fits") for name in "abcd"]


def read(address: str) -> bytes:
    with open_pixels(address) as opened:
        return opened.stream.read()


def copies(cache: Path) -> list[int]:
    return [path.stat().st_size for path in cache.iterdir() if not path.name.startswith(".")]


@contextmanager
def holder(address: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, str(HOLDER), address], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield process
    finally:
        process.communicate(timeout=20)


def test_file_is_fetched_once(files: list[str], web: WebServer, cache: Path) -> None:
    assert read(files[0]) == read(files[0]) == b"a" * SIZE
    assert web.total == SIZE
    assert copies(cache) == [SIZE]


def test_least_recently_used_copy_goes_first(files: list[str], web: WebServer, cache: Path) -> None:
    first, second, third, _ = files
    for address in (first, second, first, third):
        read(address)
    assert copies(cache) == [SIZE, SIZE]
    web.forget()
    read(first)
    read(third)
    assert web.total == 0
    read(second)
    assert web.total == SIZE


def test_file_that_changed_is_fetched_again(files: list[str], web: WebServer) -> None:
    read(files[0])
    path = web.root / "a_flt.fits"
    path.write_bytes(b"A" * SIZE)
    touch_later(path)
    assert read(files[0]) == b"A" * SIZE


def test_files_in_use_are_not_removed_and_a_full_cache_is_an_error(
    files: list[str], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MVMDB_CACHE_WAIT", "0.3")
    with holder(files[0]), holder(files[1]):
        with pytest.raises(OSError, match=r"has no room for its 300000 bytes: .*--cache-size"):
            read(files[2])
        assert copies(cache) == [SIZE, SIZE]
        assert read(files[0]) == b"a" * SIZE
    assert read(files[2]) == b"c" * SIZE
    assert copies(cache) == [SIZE, SIZE]


def test_copies_are_kept_to_the_end_of_the_work(files: list[str], web: WebServer) -> None:
    with keeping():
        read(files[0])
        read(files[1])
        with pytest.raises(OSError, match="has no room"):
            read(files[2])
        touch_later(web.root / "a_flt.fits")
        (web.root / "a_flt.fits").write_bytes(b"other")
        assert read(files[0]) == b"a" * SIZE
    assert read(files[2]) == b"c" * SIZE


def test_processes_and_threads_that_want_one_file_fetch_it_once(files: list[str], web: WebServer) -> None:
    with keeping():
        threads = [threading.Thread(target=read, args=(files[3],)) for _ in range(6)]
        for thread in threads:
            thread.start()
        with holder(files[3]), holder(files[3]):
            pass
        for thread in threads:
            thread.join()
    assert web.total == SIZE


def test_what_a_killed_process_left_is_taken_over(files: list[str], web: WebServer, cache: Path) -> None:
    read(files[0])
    (copy,) = cache.glob("*.fits")
    copy.unlink()
    copy.with_suffix(".part").write_bytes(b"x" * SIZE)
    assert read(files[0]) == b"a" * SIZE
    assert [path.suffix for path in cache.iterdir() if not path.name.startswith(".")] == [".fits"]


def test_copy_of_another_length_is_fetched_again(files: list[str], cache: Path) -> None:
    read(files[0])
    (copy,) = cache.glob("*.fits")
    os.truncate(copy, 1000)
    assert read(files[0]) == b"a" * SIZE


def test_interrupted_transfer_goes_on_where_it_ended(files: list[str], web: WebServer) -> None:
    web.cut["/a_flt.fits"] = [SIZE // 3, SIZE // 5]
    assert read(files[0]) == b"a" * SIZE
    assert web.asked["GET", "/a_flt.fits"] == 3
    assert web.total == SIZE


def test_server_without_parts_sends_whole_files(files: list[str], web: WebServer) -> None:
    web.ranges = False
    web.cut["/a_flt.fits"] = [SIZE // 3]
    assert read(files[0]) == b"a" * SIZE


def test_file_that_changes_under_the_transfer_is_no_mixture(files: list[str], web: WebServer, cache: Path) -> None:
    path = web.root / "a_flt.fits"

    def change() -> None:
        path.write_bytes(b"A" * SIZE)
        touch_later(path)

    web.cut["/a_flt.fits"] = [SIZE // 3]
    web.before["/a_flt.fits"] = [lambda: None, lambda: None, change]  # its state, its beginning, its rest
    with pytest.raises(OSError, match="changed while it was being read"):
        read(files[0])
    assert copies(cache) == []
    assert read(files[0]) == b"A" * SIZE


def test_cache_that_cannot_be_written_is_said(
    files: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MVMDB_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(OSError, match=r"cache .* cannot be written \(Not a directory\).*--cache DIR"):
        read(files[0])


@pytest.mark.parametrize(
    ("text", "size"),
    [("50GB", 50 * 10**9), ("1.5 tb", 15 * 10**11), ("700M", 7 * 10**8), ("12000", 12000), ("9kB", 9000)],
)
def test_sizes_have_units(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "0", "50 GiB", "1e9", "nan", "٣GB"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="expected a number and a unit"):
        parse_size(text)
