"""A real browser for the tests: headless Chromium, driven by Playwright, which sees nothing but this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
_HERE = ("file:", "data:", "blob:", "about:", "http://127.0.0.1", "http://localhost")


@dataclass
class Browser:
    """An open browser; what went wrong in its pages is an error of the test."""

    chromium: Any
    settings: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def page(self, **settings: Any) -> Iterator[Page]:
        """A page in a profile of its own; afterwards it must have had no error, and no request to elsewhere."""
        context = self.chromium.new_context(**(self.settings | settings))
        try:
            page = context.new_page()
            troubles: list[str] = []
            page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
            page.on("pageerror", lambda error: troubles.append(str(error)))
            page.on("request", lambda request: None if request.url.startswith(_HERE) else troubles.append(request.url))
            yield page
            assert not troubles, "; ".join(troubles)
        finally:
            context.close()


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Chromium, closed after the block; the test is skipped where there is none, unless MVMDB_REQUIRE_CHROMIUM=1."""
    program = os.environ.get("MVMDB_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        reason = "no Chromium: apt-get install chromium, or name one in MVMDB_CHROMIUM"
        if os.environ.get("MVMDB_REQUIRE_CHROMIUM") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=program, args=list(_FLAGS))
        try:
            yield Browser(chromium)
        finally:
            chromium.close()
