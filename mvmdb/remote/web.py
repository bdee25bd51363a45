"""Files of HTTP servers: parts and whole files over fsspec's session, which has the credentials.

fsspec's own files do not tell whether a file changed between two requests, and would read all of it where a server
takes no notice of Range. A server cannot lead mvmdb to local files, nor from https to http. A second client for parts
alone was rejected: http.client takes 0.13 ms of a processor for a request and this one 0.23 ms, a tenth of registering.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, BinaryIO, TypeVar
from urllib.parse import urljoin, urlsplit

import aiohttp
import fsspec
from fsspec.asyn import sync

from mvmdb.errors import InputError
from mvmdb.remote import faults
from mvmdb.remote.address import canonical
from mvmdb.remote.answers import length_in, links_in, range_in, refuse_packed, seconds_in, state_in
from mvmdb.remote.health import Health
from mvmdb.remote.state import State
from mvmdb.remote.store import Entry, Parts, Store, timeout

T = TypeVar("T")

TRIES = 4
"""How often a request is made that fails for what may pass: 503, a connection that is reset."""
_TRANSIENT = (429, 500, 502, 503, 504)
_PAUSE = 0.1
_LONGEST_PAUSE = 10.0
_SLOWEST = 10_000
"""Bytes per second below which a whole file is given up."""
_LONGEST_PAGE = 64_000_000
_CHUNK = 1 << 20
_NO_PARTS = (
    "its server sends no parts of files (Range), so that each header would cost a whole file; fetch the files, and "
    "ingest their folder"
)


class _PassingError(Exception):
    """What may go well at another try; `after` is for how many seconds the server asks to wait."""

    def __init__(self, words: str, after: float = 0.0) -> None:
        super().__init__(words)
        self.after = after


class Web(Store):
    """Files of HTTP servers."""

    def __init__(self) -> None:
        self._fs: Any = fsspec.filesystem("https", use_listings_cache=False)
        self._health: dict[str, Health] = {}
        timeout()  # a value that is none is told at once

    def state(self, url: str) -> State:
        """Ask with HEAD; a server that does not take it is asked for the first byte."""
        return self._run(self._state, url)

    def open(self, url: str) -> Parts:
        """Nothing is asked of the server before the first part is read."""
        return _WebParts(self, url)

    def read_part(self, url: str, start: int, length: int, expected: State | None) -> tuple[State, bytes]:
        """A part, and the state that it is of. Raises OSError, also where that is not the expected one."""
        return self._run(self._read_part, url, start, length, expected)

    def fetch(self, url: str, state: State, target: BinaryIO) -> None:
        """Fetch the whole; after an interruption, what is missing."""
        self._run(self._fetch, url, state, target, patience=timeout() * TRIES + state.size / _SLOWEST)

    def entries(self, folder: str) -> Iterator[Entry]:
        """Where the links of a folder's page lead; `listing` decides what of it is in the folder."""
        for link in self._run(self._links, folder):
            try:
                url = canonical(urljoin(folder, link.partition("#")[0]))
            except (InputError, ValueError):  # the order of columns; a link elsewhere
                continue
            # A server may take an escaped slash for one, and then a name may lead out of the folder.
            if "?" not in url and "%2F" not in url:
                yield Entry(url, url.endswith("/"))

    def _run(self, work: Callable[..., Awaitable[T]], url: str, *rest: Any, patience: float = 0.0) -> T:
        """Do it in fsspec's thread, again while a failure may pass, for so many seconds at most."""
        silent = timeout()
        patience = patience or 2 * silent
        health = self._health.setdefault(urlsplit(url).netloc, Health())
        health.check(url)

        async def try_again() -> T:
            for attempt in range(1, TRIES + 1):
                try:
                    async with asyncio.timeout(patience):
                        return await work(url, *rest)
                except _PassingError as error:
                    if attempt == TRIES:
                        health.fail()
                        raise faults.broken(url, f"{error}, {TRIES} times; try again later") from error
                    pause = _PAUSE * 2**attempt * random.uniform(0.5, 1.0)
                    await asyncio.sleep(min(max(pause, error.after), _LONGEST_PAUSE))
                except aiohttp.ServerTimeoutError as error:
                    if attempt == 2:  # one that was silent twice keeps other files waiting too
                        health.fail()
                        raise faults.late(url, silent) from error
                except TimeoutError as error:
                    raise faults.late(url, patience) from error
            raise AssertionError("the last try returns or raises")

        try:
            result: T = sync(self._fs.loop, try_again)
            health.succeed()
        except TimeoutError as error:  # fsspec puts its own error, without words, in the place of that of `try_again`
            raise error.__cause__ or error from None
        return result

    @asynccontextmanager
    async def _ask(self, method: str, url: str, headers: Mapping[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
        """The server's answer, whatever its status; failures that may pass become _PassingError."""
        session = await self._fs.set_session()
        asked = dict(self._fs.kwargs)
        asked["headers"] = {**asked.get("headers", {}), "Accept-Encoding": "identity", **headers}
        silent = timeout()
        asked["timeout"] = aiohttp.ClientTimeout(total=None, connect=silent, sock_connect=silent, sock_read=silent)
        try:
            async with session.request(method, self._fs.encode_url(url), allow_redirects=True, **asked) as answer:
                steps = [*(step.url.scheme for step in answer.history), answer.url.scheme]
                if "https" in steps and "http" in steps[steps.index("https") :]:
                    raise faults.broken(url, "its server leads from https to http, where anybody could change it")
                if answer.status in _TRANSIENT:
                    raise _PassingError(f"its server answers {answer.status} {answer.reason}", seconds_in(answer))
                yield answer
        except aiohttp.TooManyRedirects as error:
            raise faults.broken(url, "its server leads round in circles (redirects)") from error
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:  # also a redirect to file://
            raise faults.broken(url, f"its server leads to {error}; expected an address of HTTP") from error
        except TimeoutError:
            raise
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
            raise _PassingError(f"the connection fails ({error})") from error
        except aiohttp.ClientError as error:
            raise faults.broken(url, f"{type(error).__name__}: {error}") from error

    async def _state(self, url: str) -> State:
        async with self._ask("HEAD", url, {}) as answer:
            if answer.status == 200 and "Content-Length" in answer.headers:
                refuse_packed(answer, url)
                return state_in(answer, length_in(answer, url))
            if answer.status in faults.GONE:
                raise faults.gone(url)
        state, _ = await self._read_part(url, 0, 1, None)
        return state

    async def _read_part(self, url: str, start: int, length: int, expected: State | None) -> tuple[State, bytes]:
        async with self._ask("GET", url, {"Range": f"bytes={start}-{start + length - 1}"}) as answer:
            if answer.status not in (200, 206, 416):
                raise faults.of_status(url, answer.status, answer.reason)
            refuse_packed(answer, url)
            if answer.status == 200:
                if expected is not None or start or length_in(answer, url) > length:
                    raise faults.broken(url, _NO_PARTS)
                first, total = 0, length_in(answer, url)
            else:
                first, total = range_in(answer, url, start)
            state = state_in(answer, total)
            if expected is not None and state.stamp != expected.stamp:
                raise faults.changed(url)
            wanted = max(0, min(length, total - start))
            if answer.status == 416 and wanted:
                raise faults.broken(url, f"its server refuses bytes {start} to {start + length} of {total}")
            if first != start and wanted:
                raise faults.broken(url, f"its server sends a part from byte {first}; expected {start}, as asked")
            try:
                return state, await answer.content.readexactly(wanted)
            except asyncio.IncompleteReadError as error:
                raise _PassingError(f"the answer ends after {len(error.partial)} of {wanted} bytes") from error

    async def _fetch(self, url: str, state: State, target: BinaryIO) -> None:
        """Go on where the last try ended; with a server that sends no parts, begin again."""
        start = target.tell()
        if start == state.size:
            return
        async with self._ask("GET", url, {"Range": f"bytes={start}-"} if start else {}) as answer:
            if answer.status not in (200, 206):
                raise faults.of_status(url, answer.status, answer.reason)
            refuse_packed(answer, url)
            first, total = range_in(answer, url, start) if answer.status == 206 else (0, length_in(answer, url))
            if first not in (0, start):
                raise faults.broken(url, f"its server sends a part from byte {first}; expected {start}, as asked")
            if state_in(answer, total).stamp != state.stamp:
                raise faults.changed(url)
            target.seek(first)
            async for chunk in answer.content.iter_chunked(_CHUNK):
                if target.tell() + len(chunk) > state.size:
                    raise faults.broken(url, f"its server sends more than the {state.size} bytes that it told")
                target.write(chunk)
        if target.tell() != state.size:
            raise _PassingError(f"the answer ends after {target.tell()} of {state.size} bytes")

    async def _links(self, folder: str) -> list[str]:
        async with self._ask("GET", folder, {}) as answer:
            if answer.status != 200:
                raise faults.of_status(folder, answer.status, answer.reason)
            refuse_packed(answer, folder)
            if answer.content_type != "text/html":
                raise faults.broken(folder, f"it is {answer.content_type}; expected a page that lists a folder")
            page = bytearray()
            async for chunk in answer.content.iter_chunked(_CHUNK):
                page += chunk
                if len(page) > _LONGEST_PAGE:
                    raise faults.broken(folder, f"its page has more than {_LONGEST_PAGE} bytes; expected a listing")
            return links_in(page.decode("utf-8", "replace"))


class _WebParts(Parts):
    def __init__(self, web: Web, url: str) -> None:
        self._web, self._url = web, url
        self._state: State | None = None

    @property
    def state(self) -> State:
        if self._state is None:
            self._state = self._web.state(self._url)
        return self._state

    def read(self, start: int, length: int) -> bytes:
        self._state, data = self._web.read_part(self._url, start, length, self._state)
        return data
