"""What the server shows besides Datasette: the way to the map, and the files of the products folder."""

from __future__ import annotations

import asyncio
import mimetypes
import os
from pathlib import Path

from mvmdb.companions.kinds import find_kind
from mvmdb.inputs import open_plain
from mvmdb.names import is_cell_name, is_product_in
from mvmdb.page.tree import OWN
from mvmdb.serve.drawing import MapDrawing
from mvmdb.serve.guard import App, Receive, Scope, Send, answer

MAP = "map"
"""Where the map is: /map/index.html."""
PRODUCTS = "products"
"""Where the products folder is: /products/<sky cell>/<file>."""
_TYPES = {
    ".fits": "application/fits", ".ecsv": "text/plain; charset=utf-8", ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
}  # fmt: skip
"""Types that a system's own list may lack."""
_PIECE = 1 << 20
_RETRY = 3


class Routes:
    """An ASGI application before Datasette's `app`: what belongs to the map."""

    def __init__(self, app: App, drawing: MapDrawing, products: Path | None) -> None:
        self._app, self._drawing, self._products = app, drawing, products

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        if path in (f"/{MAP}", f"/{MAP}/"):
            await answer(send, 302, "", (b"location", f"/{MAP}/index.html".encode()))
        elif path == f"/{MAP}/index.html" and not self._drawing.is_there:
            # Browsers follow Refresh, programs Retry-After.
            wait = str(_RETRY).encode()
            await answer(send, 503, self._drawing.tell(), (b"refresh", wait), (b"retry-after", wait))
        elif path.startswith(f"/{MAP}/"):
            await _send_file(scope, send, find_on_map(self._drawing.folder, path.removeprefix(f"/{MAP}/")))
        elif path.startswith(f"/{PRODUCTS}/"):
            await _send_file(scope, send, find_product(self._products, path.removeprefix(f"/{PRODUCTS}/")))
        else:
            await self._app(scope, receive, send)


def find_on_map(folder: Path, path: str) -> Path | None:
    """A file of the map; None for others in its folder, and outside of it."""
    first, *others = path.split("/")
    if path != "index.html" and (first not in OWN or not others):
        return None
    return None if any(name.startswith(".") or not name for name in others) else folder / path


def find_product(products: Path | None, path: str) -> Path | None:
    """The file `<sky cell>/<name>` of the products folder: a mosaic, or a file that stands beside it; else None."""
    skycell, slash, name = path.partition("/")
    if products is None or not slash or not is_cell_name(skycell):
        return None
    is_shown = is_product_in(skycell, name) or find_kind(name, skycell) is not None
    return products / skycell / name if is_shown else None


async def _send_file(scope: Scope, send: Send, path: Path | None) -> None:
    """Answer with a file as it was when it was opened; Datasette itself would cut one that is replaced meanwhile."""
    try:
        if path is None:
            raise FileNotFoundError
        file = await asyncio.to_thread(open_plain, path)
    except OSError:
        await answer(send, 404, "there is no such file; expected one of the map, a mosaic, or a file beside it")
        return
    with file:
        state = os.fstat(file.fileno())
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        kind = _TYPES.get(path.suffix, kind)
        headers = [(b"content-type", kind.encode()), (b"content-length", str(state.st_size).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        left = 0 if scope["method"] == "HEAD" else state.st_size
        while left:
            piece = await asyncio.to_thread(file.read, min(left, _PIECE))
            if not piece:
                break
            left -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
