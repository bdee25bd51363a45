"""Which requests reach Datasette: those that read, addressed to this server by a name that is its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""Names of this machine for itself."""
_READING = {"GET", "HEAD", "OPTIONS"}


class Guard:
    """An ASGI application before another one.

    `names`: the hosts that a request may be addressed to, without ports; empty: any. A page of a stranger's that had
    its own host name resolve to this machine (DNS rebinding) could otherwise read the catalog.
    """

    def __init__(self, app: App, names: Collection[str]) -> None:
        self._app, self._names = app, frozenset(names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["method"] not in _READING:
            await answer(send, 405, "this server only reads; expected GET or HEAD", (b"allow", b"GET, HEAD, OPTIONS"))
        elif self._names and _host_of(scope) not in self._names:
            await answer(send, 421, "this server has another name; expected the address that `mvmdb serve` printed")
        else:
            await self._app(scope, receive, send)


def _host_of(scope: Scope) -> str:
    """The host that a request is addressed to, without its port; empty where it names none, or two."""
    hosts = [value.decode("latin-1").lower() for name, value in scope["headers"] if name.lower() == b"host"]
    if len(hosts) != 1:
        return ""
    host, colon, port = hosts[0].rpartition(":")
    return str(host) if colon and port.isdigit() else str(hosts[0])


async def answer(send: Send, status: int, words: str, *headers: tuple[bytes, bytes]) -> None:
    """Answer a request with a line of text."""
    start = [(b"content-type", b"text/plain; charset=utf-8"), *headers]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": words.encode()})
