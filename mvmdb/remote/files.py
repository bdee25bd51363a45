"""Exposure files by their address, wherever they lie: how they are opened, recognized, and missed.

An address is a path of this machine or a canonical URL. Headers are read by parts; pixels are read from a copy in the
cache. Every error is an OSError, as that of a local file.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import BinaryIO, TypeVar, cast

from mvmdb.inputs import open_plain
from mvmdb.remote import faults
from mvmdb.remote.address import is_url
from mvmdb.remote.cache import NoRoomError, cache_here
from mvmdb.remote.pairs import JoinedStream, flags_beside, join_stamps
from mvmdb.remote.ranges import PartsStream
from mvmdb.remote.state import Stamp, is_unchanged
from mvmdb.remote.store import store_of
from mvmdb.stamp import file_stamp
from mvmdb.workers.background import map_in_threads

log = logging.getLogger(__name__)

T = TypeVar("T")

AT_ONCE = 16
"""Requests that wait for servers at the same time: a distant one takes a tenth of a second for each."""
_CHUNK = 8 << 20


@dataclass(frozen=True, slots=True)
class OpenFile:
    """An open file, with its size in bytes and its time in ns: the stamp by which it is recognized.

    Of an exposure of two files (`pairs.py`), `stream` has the bytes of both, of which the first `pixels` are the file
    with its pixels; for others, `pixels` is None.
    """

    stream: BinaryIO
    size: int
    mtime_ns: int
    pixels: int | None = None


@contextmanager
def open_headers(address: str) -> Iterator[OpenFile]:
    """Open a file of which little will be read. Raises OSError, and InputError if its protocol cannot be read here."""
    with _open_both(address, _open_headers) as opened:
        yield opened


@contextmanager
def open_pixels(address: str) -> Iterator[OpenFile]:
    """Open a file of which much will be read: one elsewhere is fetched into the cache first. Raises as `open_headers`.

    Within `keeping` the copy stays, and is the same however often the file is opened.
    """
    with _open_both(address, _open_pixels) as opened:
        yield opened


@contextmanager
def _open_both(address: str, open_one: Callable[[str], AbstractContextManager[OpenFile]]) -> Iterator[OpenFile]:
    """Open a file, and the one with its flags if the exposure is one of two files; the flags may be missing."""
    beside = flags_beside(address)
    with ExitStack() as stack:
        opened = stack.enter_context(open_one(address))
        flags = None
        if beside is not None:
            with suppress(FileNotFoundError):
                flags = stack.enter_context(open_one(beside))
        if flags is not None:
            stamp = join_stamps((opened.size, opened.mtime_ns), (flags.size, flags.mtime_ns))
            joined = JoinedStream([(opened.stream, opened.size), (flags.stream, flags.size)])
            opened = OpenFile(cast(BinaryIO, joined), *stamp, pixels=opened.size)
        yield opened


@contextmanager
def _open_headers(address: str) -> Iterator[OpenFile]:
    if not is_url(address):
        with open_plain(address, buffering=0) as local:
            yield OpenFile(local, *file_stamp(os.fstat(local.fileno())))
        return
    if address in _kept.stamps:
        with _open_pixels(address) as opened:
            yield opened
        return
    parts = store_of(address).open(address)
    try:
        stream = PartsStream(parts)
    except BaseException:
        parts.close()
        raise
    with stream:
        yield OpenFile(cast(BinaryIO, stream), *parts.state.stamp)


@contextmanager
def _open_pixels(address: str) -> Iterator[OpenFile]:
    if not is_url(address):
        with open_plain(address) as stream:
            yield OpenFile(stream, *file_stamp(os.fstat(stream.fileno())))
        return
    with keeping():
        stamp, kept = _kept.take(address)
        with open(kept.name, "rb") as stream:
            yield OpenFile(stream, *stamp)


@contextmanager
def keeping() -> Iterator[None]:
    """Keep what is fetched in the block until its end: several readings of a file see one state of it."""
    _kept.enter()
    try:
        yield
    finally:
        _kept.leave()


def fetch_whole(address: str, recorded: Stamp | None, target: BinaryIO) -> Stamp:
    """Write a file elsewhere to `target`, from the cache if it has a copy, and return its stamp; nothing is cached.

    Raises OSError, also for a file that is not as it was `recorded` (None: in any state is right).
    """
    store = store_of(address)
    state = store.state(address)
    if recorded is not None and not is_unchanged(address, recorded, state.stamp):
        raise faults.outdated(address)
    copy = cache_here().find(address, state)
    if copy is None:
        store.fetch(address, state, target)
    else:
        with copy:
            shutil.copyfileobj(copy, target, _CHUNK)
    if target.tell() != state.size:
        raise faults.broken(address, f"{target.tell()} of its {state.size} bytes came; run the command again")
    return state.stamp


def keep_fetched(work: Callable[[], T]) -> T:
    """Do `work` with what it fetches kept until its end; it may be done twice.

    Where others' copies leave no room, all is let go, and the work is done again when it is its turn to wait for room:
    if two works waited with copies of their own, each might wait for the other. Raises what `work` raises.
    """
    try:
        with keeping():
            return work()
    except Exception as error:
        if not _lacks_room(error):
            raise
        log.info("%s; it is made again when there is room", error)
    with cache_here().turn(), keeping(), _kept.in_turn():
        return work()


def _lacks_room(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, NoRoomError):
        error = error.__cause__ or error.__context__
    return error is not None


class _Kept:
    """The copies that this process holds open, and so keeps in the cache, with the stamps of their files."""

    def __init__(self) -> None:
        self._turns = 0
        self.stamps: dict[str, Stamp] = {}
        self._copies: dict[str, BinaryIO] = {}
        self._fetching: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self._users = 0

    def enter(self) -> None:
        with self._lock:
            self._users += 1

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users:
                return
            copies = list(self._copies.values())
            for held in (self.stamps, self._copies, self._fetching):
                held.clear()
        for copy in copies:
            copy.close()

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        self._turns += 1
        try:
            yield
        finally:
            self._turns -= 1

    def _bytes(self) -> int:
        with self._lock:
            return sum(size for size, _ in self.stamps.values())

    def take(self, address: str) -> tuple[Stamp, BinaryIO]:
        with self._lock:
            fetching = self._fetching.setdefault(address, threading.Lock())
        with fetching:
            if address not in self.stamps:
                store = store_of(address)
                state = store.state(address)
                self._copies[address] = cache_here().open(
                    address, state, store, mine=self._bytes, in_turn=self._turns > 0
                )
                self.stamps[address] = state.stamp
            return self.stamps[address], self._copies[address]


_kept = _Kept()


def stamp_of(address: str) -> Stamp:
    """The size and time by which an exposure, of one file or two, is recognized, as they are now. Raises OSError."""
    stamp, beside = _stamp_of(address), flags_beside(address)
    if beside is None:
        return stamp
    try:
        return join_stamps(stamp, _stamp_of(beside))
    except FileNotFoundError:
        return stamp


def _stamp_of(address: str) -> Stamp:
    return store_of(address).state(address).stamp if is_url(address) else file_stamp(os.stat(address))


def stamps_of(addresses: Iterable[str]) -> Mapping[str, Stamp | OSError]:
    """The stamp of each file now, or why it cannot be had; servers are asked for several at the same time."""
    listed = list(dict.fromkeys(addresses))
    elsewhere = [address for address in listed if is_url(address)]
    stamps = {address: _try_stamp(address) for address in listed if not is_url(address)}
    stamps |= zip(elsewhere, map_in_threads(_try_stamp, elsewhere, AT_ONCE), strict=True)
    return stamps


def _try_stamp(address: str) -> Stamp | OSError:
    try:
        return stamp_of(address)
    except OSError as error:
        return error


def are_gone(addresses: Iterable[str]) -> set[str]:
    """Those of the files that are gone for sure; one elsewhere may be there although its server does not answer."""
    listed = list(addresses)
    stamps = stamps_of(address for address in listed if is_url(address))
    gone = {address for address, found in stamps.items() if isinstance(found, FileNotFoundError)}
    return gone | {address for address in listed if not is_url(address) and not os.path.exists(address)}
