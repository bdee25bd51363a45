"""The web server of `mvmdb serve`: where it listens, when it is ready, and how it ends."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mvmdb.errors import UsageError
from mvmdb.page.values import PageOptions
from mvmdb.serve.drawing import MapDrawing
from mvmdb.serve.guard import LOOPBACK, Guard
from mvmdb.serve.routes import PRODUCTS, Routes
from mvmdb.serve.site import Site, open_site, require_datasette

_GRACE_SECONDS = 2


def run_server(
    file: Path,
    *,
    host: str,
    port: int,
    timeout: float,
    drawing: MapDrawing | None,
    products: Path | None,
    ready: Callable[[str], object],
) -> None:
    """Serve a catalog's file until SIGINT or SIGTERM, which is raised again as it would have been without a server.

    `ready` is told the address once requests are answered. `port` 0: any that is free. `drawing`: the map, kept up to
    date meanwhile; `products`: the folder that it links to. Raises UsageError if the place is taken, and where
    Datasette is not installed.
    """
    require_datasette()
    with ExitStack() as stack:
        listening = stack.enter_context(_listen(host, port))
        site = stack.enter_context(open_site(file, timeout, drawing))
        app = site.datasette.app()
        if drawing is not None:
            links = None if products is None else f"/{PRODUCTS}"
            stack.enter_context(drawing.kept(PageOptions(products_url=links, sql_url=site.database_path)))
            app = Routes(app, drawing, products)
        address = _address_of(host, listening)
        _server_class()(site, Guard(app, _names_of(host)), lambda: ready(address)).run([listening])


def _listen(host: str, port: int) -> socket.socket:
    """A socket that is bound. Raises UsageError, with the remedy, if it cannot be."""
    try:
        places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, place = places[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(place)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UsageError(
                f"port {port} of {host} is in use; give another one with --port, or --port 0 for any that is free"
            ) from error
        raise UsageError(
            f"cannot listen on port {port} of {host} ({error.strerror or error}); expected an address of this machine, "
            "and a port from 1024 on"
        ) from error
    return listening


def _address_of(host: str, listening: socket.socket) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listening.getsockname()[1]}/"


def _names_of(host: str) -> tuple[str, ...]:
    """The names by which requests may call a server on this address: any, if others than this machine reach it."""
    is_local = host in ("localhost", "::1") or host.startswith("127.")
    return (*LOOPBACK, host) if is_local else ()


def _server_class() -> Any:
    """uvicorn's server, made when it is known to be installed."""
    import uvicorn

    class Server(uvicorn.Server):
        """A server of one site, which says when it is ready, and ends the questions that are at work when it ends."""

        def __init__(self, site: Site, app: Guard, ready: Callable[[], object]) -> None:
            super().__init__(
                uvicorn.Config(
                    app,
                    lifespan="on",
                    ws="none",
                    log_config=None,
                    access_log=False,
                    server_header=False,
                    timeout_graceful_shutdown=_GRACE_SECONDS,
                )
            )
            self._site, self._ready = site, ready

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await self._site.datasette.invoke_startup()
            await super().startup(sockets)
            if self.started:
                self._ready()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            self._site.interrupt()
            await super().shutdown(sockets)

    return Server
