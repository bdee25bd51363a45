"""A server of HTTP for the tests: it counts the bytes that it sends, and has the faults that real servers have."""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

_CHUNK = 1 << 20


@dataclass
class WebServer:
    """A folder on the web. `sent` counts bytes of bodies by path, `asked` the requests by (method, path).

    `ranges`, `etags`, `times`, `heads`: whether the server takes and tells them. By path: `failing`, the statuses of
    the next answers; `redirects`, where they lead; `cut`, of how many bytes the next answers are robbed; `before`, what
    happens before each of the next answers; `silent`, which get no answer; `slow`, which come at 2 kB/s; `packed`,
    which say that they are compressed; `pages`, other contents; `fixed_etags`, ETags instead of those of the contents.
    """

    root: Path
    url: str = ""
    sent: Counter[str] = field(default_factory=Counter)
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    ranges: bool = True
    etags: bool = True
    times: bool = True
    heads: bool = True
    failing: dict[str, list[int]] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    cut: dict[str, list[int]] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    slow: set[str] = field(default_factory=set)
    packed: set[str] = field(default_factory=set)
    fixed_etags: dict[str, str] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
    before: dict[str, list[Callable[[], object]]] = field(default_factory=dict)
    closing: threading.Event = field(default_factory=threading.Event)

    def at(self, path: Path | str) -> str:
        """The URL of a file in the folder."""
        relative = Path(path).relative_to(self.root).as_posix() if isinstance(path, Path) else path
        return self.url + quote(relative)

    @property
    def total(self) -> int:
        return self.sent.total()

    def forget(self) -> None:
        self.sent.clear()
        self.asked.clear()


def etag_of(path: Path) -> str:
    """An ETag of the state of a file, as web servers make it: of its size and time."""
    status = path.stat()
    return f'"{hashlib.md5(repr((status.st_size, status.st_mtime_ns)).encode()).hexdigest()}"'


@contextmanager
def serve(root: Path) -> Iterator[WebServer]:
    """Serve a folder at a free port of this machine until the end of the block."""
    web = WebServer(root)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(web))
    server.daemon_threads = True
    web.url = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield web
    finally:
        web.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(web: WebServer) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        served = web

    return Handler


class _Handler(BaseHTTPRequestHandler):
    served: WebServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        web, path = self.served, unquote(self.path)
        web.asked[self.command, path] += 1
        if web.before.get(path):
            web.before[path].pop(0)()
        if path in web.silent:
            web.closing.wait()
            self.close_connection = True
            return
        if web.failing.get(path):
            status = web.failing[path].pop(0)
            if status == 0:  # the connection is reset
                self.close_connection = True
                self.connection.close()
                return
            self._send(status, {}, b"")
        elif path in web.redirects:
            self._send(302, {"Location": web.redirects[path]}, b"")
        elif path in web.pages:
            self._send(200, {"Content-Type": "text/html"}, web.pages[path].encode())
        elif self.command == "HEAD" and not web.heads:
            self._send(405, {}, b"")
        else:
            self._serve(web, path)

    def _serve(self, web: WebServer, path: str) -> None:
        query = urlsplit(self.path).query
        name = query.removeprefix("uri=mast:") if query else path.lstrip("/")
        file = web.root / unquote(name)
        if file.is_dir():
            links = "".join(
                f'<a href="{quote(entry.name)}{"/" * entry.is_dir()}">{entry.name}</a>'
                for entry in sorted(file.iterdir())
            )
            self._send(200, {"Content-Type": "text/html"}, f'<a href="../">up</a><a href="?C=N">N</a>{links}'.encode())
            return
        if not file.is_file():
            self._send(404, {}, b"")
            return
        status = file.stat()
        headers = {"Content-Type": "application/fits"}
        if web.etags:
            headers["ETag"] = web.fixed_etags.get(path) or etag_of(file)
        if web.times:
            headers["Last-Modified"] = formatdate(status.st_mtime, usegmt=True)
        if path in web.packed:
            headers["Content-Encoding"] = "gzip"
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted is None or not web.ranges:
            self._send_part(web, path, file, 200, headers, 0, status.st_size)
            return
        first = int(wanted[1])
        if first >= status.st_size:
            self._send(416, headers | {"Content-Range": f"bytes */{status.st_size}"}, b"")
            return
        stop = min(int(wanted[2]) + 1 if wanted[2] else status.st_size, status.st_size)
        headers["Content-Range"] = f"bytes {first}-{stop - 1}/{status.st_size}"
        self._send_part(web, path, file, 206, headers, first, stop)

    def _send_part(
        self, web: WebServer, path: str, file: Path, status: int, headers: dict[str, str], first: int, stop: int
    ) -> None:
        self._head(status, headers, stop - first)
        if self.command == "HEAD":
            return
        robbed = web.cut[path].pop(0) if web.cut.get(path) else 0
        with file.open("rb") as stream:
            stream.seek(first)
            left = max(0, stop - first - robbed)
            while left and (chunk := stream.read(min(100 if path in web.slow else _CHUNK, left))):
                left -= len(chunk)
                if path in web.slow and web.closing.wait(0.05):
                    return
                web.sent[path] += len(chunk)  # before it is sent: a client may ask for the sum as soon as it has all
                try:
                    self.wfile.write(chunk)
                except OSError:  # the client has seen enough
                    self.close_connection = True
                    return
        if robbed:
            self.close_connection = True

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self._head(status, headers, len(body))
        if self.command != "HEAD":
            self.wfile.write(body)

    def _head(self, status: int, headers: dict[str, str], length: int) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()


def touch_later(path: Path, seconds: float = 10.0) -> None:
    """Make a file's time later, so that its ETag and Last-Modified are others."""
    when = os.stat(path).st_mtime + seconds
    os.utime(path, (when, when))


def wait_for(condition: object, seconds: float = 10.0) -> None:
    """Wait until something is so; fail if it is not in time."""
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)
