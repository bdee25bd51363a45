"""Jobs whose files do not fit into the cache together: they wait for one another, and never for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from archive import Archive
from command_line import run
from webserver import WebServer, wait_for

from mvmdb.errors import InputError, ProductError
from mvmdb.remote.cache import Cache, NoRoomError, cache_here
from mvmdb.remote.files import keep_fetched, keeping, open_pixels
from mvmdb.remote.store import store_of

SIZE = 300_000


@pytest.fixture
def files(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses of four files; the cache holds two of them."""
    monkeypatch.setenv("MVMDB_CACHE_SIZE", f"{2 * SIZE + 1000}B")
    monkeypatch.setenv("MVMDB_CACHE_WAIT", "30")
    for name in "abcd":
        (web.root / f"{name}_flt.fits").write_bytes(name.encode() * SIZE)
    return [web.at(f"{name}_flt.fits") for name in "abcd"]


def read(address: str) -> bytes:
    with open_pixels(address) as opened:
        return opened.stream.read()


def read_both(first: str, second: str, sign: Path, other: Path) -> bytes:
    """Read one file and, when another process has read its first one too, a second."""

    def work() -> bytes:
        content = read(first)
        sign.touch()
        wait_for(other.exists)
        return content + read(second)

    return keep_fetched(work)


def hold(address: str, folder: Path, size: int) -> Callable[[], None]:
    """Open a copy as another process would: unknown to this one's own copies."""
    store = store_of(address)
    return Cache(folder, size).open(address, store.state(address), store).close


def test_who_holds_nothing_waits_for_room(files: list[str], cache: Path) -> None:
    closes = [hold(address, cache, 2 * SIZE + 1000) for address in files[:2]]
    timer = threading.Timer(0.5, closes[0])
    timer.start()
    started = time.monotonic()
    assert read(files[2]) == b"c" * SIZE
    assert time.monotonic() - started >= 0.4
    closes[1]()


def test_who_holds_copies_is_told_at_once_and_done_again_when_others_are_ready(files: list[str], cache: Path) -> None:
    close = hold(files[0], cache, 2 * SIZE + 1000)
    tries: list[float] = []

    def work() -> bytes:
        tries.append(time.monotonic())
        if len(tries) == 2:
            threading.Timer(0.5, close).start()
        try:
            return read(files[1]) + read(files[2])
        except OSError as error:
            raise ProductError("in other words") from error

    assert keep_fetched(work) == b"b" * SIZE + b"c" * SIZE
    assert len(tries) == 2
    assert tries[1] - tries[0] < 5


def test_two_that_need_what_the_other_has_are_both_done(files: list[str], tmp_path: Path) -> None:
    signs = [tmp_path / "one", tmp_path / "two"]
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        one = pool.submit(read_both, files[0], files[2], *signs)
        two = pool.submit(read_both, files[1], files[3], *reversed(signs))
        assert one.result(60) == b"a" * SIZE + b"c" * SIZE
        assert two.result(60) == b"b" * SIZE + b"d" * SIZE


def test_waiting_has_an_end(files: list[str], cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MVMDB_CACHE_WAIT", "0.3")
    close = hold(files[0], cache, 2 * SIZE + 1000)
    with pytest.raises(OSError, match="has no room for its 300000 bytes"):
        keep_fetched(lambda: (read(files[1]), read(files[2])))
    with cache_here().turn(), pytest.raises(NoRoomError, match=r"have waited for room .* for 0.3 s"):
        keep_fetched(lambda: (read(files[1]), read(files[2])))
    close()
    assert keep_fetched(lambda: read(files[2])) == b"c" * SIZE


def test_nobody_waits_for_what_cannot_be(files: list[str]) -> None:
    started = time.monotonic()
    with keeping(), pytest.raises(OSError, match="has no room") as caught:
        [read(address) for address in files[:3]]
    assert not isinstance(caught.value, NoRoomError)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("text", ["-1", "soon", "nan", "inf"])
def test_a_time_that_is_none_is_refused(files: list[str], monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("MVMDB_CACHE_WAIT", text)
    with pytest.raises(InputError, match=f"MVMDB_CACHE_WAIT is '{text}'; expected seconds"):
        read(files[0])


def test_layers_are_made_with_a_cache_for_one_of_them(here: Archive, web: WebServer) -> None:
    paths = [here.expose(name, east=east, filters=filters, folder=web.root) for name, east, filters in
             (("ib6o04tuq", 0, "F125W"), ("ib6o04txq", 1, "F125W"), ("ib6o05tuq", 0, "F160W"),
              ("ib6o05txq", 1, "F160W"))]  # fmt: skip
    here.ingest(*map(web.at, paths))
    size = max(path.stat().st_size for path in paths)
    done = run(here, "reconcile", "-o", str(here.products), "--jobs", "2", env={"MVMDB_CACHE_SIZE": f"{2 * size}B"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert here.look().stale == 0
