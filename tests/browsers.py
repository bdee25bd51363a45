"""A real browser for the tests: Chromium without a window, which may load nothing but what the test serves."""

from __future__ import annotations

import functools
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NoReturn

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ARGUMENTS = (
    "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
    "--disable-gpu",
)  # fmt: skip


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Chromium of MVMDB_CHROMIUM or of the PATH; without it the test is skipped, or fails if the environment asks."""
    name = os.environ.get("MVMDB_CHROMIUM") or "chromium"
    program = shutil.which(name)
    if program is None:
        _give_up(f"there is no program {name}; install it (apt-get install chromium) or name it in MVMDB_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield browser
        browser.close()


def _give_up(message: str) -> NoReturn:
    if os.environ.get("MVMDB_REQUIRE_CHROMIUM") == "1":
        pytest.fail(f"{message}; MVMDB_REQUIRE_CHROMIUM=1 asks for it")
    pytest.skip(message)


@dataclass
class Watched:
    """A page of a browser: `troubles` are its errors and its requests for other places than it may load from."""

    page: Page
    allowed: tuple[str, ...]
    troubles: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda message: self._heard(message.type, message.text))
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("request", lambda request: self._asked(request.url))

    def _heard(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.troubles.append(text)

    def _asked(self, url: str) -> None:
        self.requests.append(url)
        if not url.startswith((*self.allowed, "data:")):
            self.troubles.append(f"asked for {url}")


@contextmanager
def open_page(browser: Browser, allowed: str, **context: Any) -> Iterator[Watched]:
    """A new page, which must have had no trouble at the end of the block; `allowed` begins what it may load."""
    made = browser.new_context(**{"viewport": {"width": 1200, "height": 800}, **context})
    try:
        watched = Watched(made.new_page(), (allowed,))
        watched.page.set_default_timeout(15_000)
        yield watched
        assert not watched.troubles, "; ".join(watched.troubles)
    finally:
        made.close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve_folder(folder: Path) -> Iterator[str]:
    """The address, without a slash at the end, under which a folder is served on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def move(page: Page, address: str) -> None:
    """Change the address of the page that is shown, from # on."""
    page.evaluate("hash => { document.getElementById('map').dataset.complete = ''; location.hash = hash; }", address)
    wait(page)


def wait(page: Page) -> None:
    """Wait until all that is to be drawn is there. (The page lets nobody evaluate a text, so no condition of code.)"""
    page.locator("#map[data-complete=true]").wait_for()
