"""What an HTTP answer says of a file: its state, and which part was sent; and the links of a page."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser

from aiohttp import ClientResponse

from mvmdb.remote import faults
from mvmdb.remote.state import State

_RANGE = re.compile(r"bytes (?:(\d{1,18})-\d{1,18}|\*)/(\d{1,18})", re.ASCII)
_MOST_SECONDS = 10.0


def state_in(answer: ClientResponse, size: int) -> State:
    """The state of the file of which the answer is."""
    return State(size, answer.headers.get("ETag", ""), _modified(answer.headers.get("Last-Modified", "")))


def _modified(text: str) -> int:
    try:
        return max(0, int(parsedate_to_datetime(text).timestamp()))
    except (ValueError, OverflowError):
        return 0


def length_in(answer: ClientResponse, url: str) -> int:
    """The length of the whole, in bytes. Raises OSError where it is not told."""
    text = answer.headers.get("Content-Length", "")
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise faults.broken(url, "its server does not tell its length; expected Content-Length")
    return int(text)


def range_in(answer: ClientResponse, url: str, start: int) -> tuple[int, int]:
    """(first byte of the part, bytes of the whole); of an answer without a part, the byte that was asked for."""
    match = _RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
    if match is None:
        raise faults.broken(url, "its server does not tell which part it sends; expected Content-Range with a length")
    return int(match[1] or start), int(match[2])


def refuse_packed(answer: ClientResponse, url: str) -> None:
    """Raise OSError where the server has compressed what it sends: parts of that are no parts of the file."""
    coding = answer.headers.get("Content-Encoding", "identity")
    if coding.lower() != "identity":
        raise faults.broken(url, f"its server sends it as {coding}; expected the bytes of the file")


def seconds_in(answer: ClientResponse) -> float:
    """For how many seconds a server asks to wait, within reason."""
    text = answer.headers.get("Retry-After", "")
    return min(float(text), _MOST_SECONDS) if text.isascii() and text.isdecimal() and len(text) < 9 else 0.0


def links_in(page: str) -> list[str]:
    """Where the links of a page lead, as they are written there."""
    reader = _Links()
    reader.feed(page)
    reader.close()
    return reader.links


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value.strip() for name, value in attrs if tag == "a" and name == "href" and value]
