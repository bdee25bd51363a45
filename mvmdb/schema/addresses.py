"""Databases' addresses as users give them: which form they have, and how messages show them, without a password.

A slip must not print a password, so whatever may be one is hidden, in addresses that cannot be read too.
"""

from __future__ import annotations

import re
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from mvmdb.errors import CatalogError
from mvmdb.passwords import HIDDEN, QUERY_SECRET, WORD_SECRET, hide_slips

_SERVER_SCHEME = re.compile(r"(postgres\w*|mysql\w*|mariadb\w*|oracle\w*|mssql\w*)(\+\w+)?:?/+", re.IGNORECASE)
_USER_AT_HOST = re.compile(r"[^\s/\\]+@[^\s/\\]+([/?].*)?|[^\s/\\]+:.*@.*")
_EXPECTED = "expected a path, sqlite:///PATH or postgresql+psycopg://USER@HOST:PORT/DATABASE"


def database_url(address: str) -> sa.URL:
    """The SQLAlchemy URL of a path or URL given by a user. Raises CatalogError, whose message shows no password."""
    if not address.strip():
        raise CatalogError(f"the address of the catalog is empty; {_EXPECTED}")
    if "://" not in address and _is_slip(address):
        raise CatalogError(f"{hide_password(address)} is not a database address; {_EXPECTED}")
    try:
        url = sa.make_url(address) if "://" in address else _file_url(address)
    except (ArgumentError, ValueError) as error:  # ValueError: the port is not a number; its text shows what is there
        raise CatalogError(f"{hide_password(address)} is not a database address; {_EXPECTED}") from error
    name = url.database or ""
    if url.get_backend_name() == "sqlite" and (name in ("", ":memory:") or name.startswith("file:")):
        raise CatalogError(f"{address!r} is no file, and a catalog in memory would be lost; give a path: --db FILE")
    if url.get_backend_name() != "sqlite" and "@" in (url.host or ""):
        raise CatalogError(
            f"{hide_password(address)} has more than one @; write %40 for an @ in a user's name or password"
        )
    return url


def _file_url(path: str) -> sa.URL:
    return sa.URL.create("sqlite", database=str(Path(path).expanduser()))


def hide_password(address: str) -> str:
    """A path or URL as messages may show it: without a password, whatever its form."""
    text = hide_slips(WORD_SECRET.sub(rf"\1={HIDDEN}", QUERY_SECRET.sub(rf"\1={HIDDEN}", address)))
    if text.lower().startswith(("sqlite:", "/", "./", "~")) or not ("://" in text or _is_slip(text)):
        return text
    scheme = re.match(r"[\w+]*:?/+", text)
    start = scheme.end() if scheme is not None else 0
    body, rest = text[start:], ""
    if "@" in body:
        login, _, rest = body.rpartition("@")
        user = login.split(":", 1)[0]
        return f"{text[:start]}{user}:{HIDDEN}@{rest}" if ":" in login else text
    host, colon, port = body.partition(":")
    if colon and not re.match(r"\d*(?:[/?]|$)", port):  # no port, so it may be a password
        return f"{text[:start]}{host}:{HIDDEN}"
    return text


def _is_slip(address: str) -> bool:
    """Whether what has no `://` is meant as the address of a server, not as a path."""
    words = re.search(r"\b(host|hostaddr|dbname|user|password)\s*=", address) is not None
    is_server = _SERVER_SCHEME.match(address) is not None or _USER_AT_HOST.fullmatch(address) is not None
    return (words or is_server) and not Path(address).exists()
