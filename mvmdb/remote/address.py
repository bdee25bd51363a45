"""Which texts are addresses of files elsewhere, and the one form in which the catalog holds each; nothing is opened.

An address in the catalog is read by everybody who can read the catalog, so none may hold a password or a signature.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mvmdb.errors import InputError, UsageError

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_WEB = {"http": "80", "https": "443"}
_LOCAL = ("file", "local")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_QUERY = re.compile(r"uri=([\w:/.+-]+)", re.ASCII)
"""What MAST's download service takes; any other query may be a signature, or hold a token under some name."""
_UNSEEN = re.compile(r"[\x00-\x20\x7f]")


def is_url(address: str | os.PathLike[str]) -> bool:
    """Whether an address is that of a file elsewhere, `https://...` or `s3://...`, and not a path of this machine."""
    return isinstance(address, str) and _URL.match(address) is not None


def is_web(url: str) -> bool:
    """Whether a canonical address is one of HTTP."""
    return protocol_of(url) in _WEB


def protocol_of(url: str) -> str:
    """What stands before `://` of a canonical address."""
    return url.split("://", 1)[0]


def canonical(address: str) -> str:
    """The address as the catalog holds it; that of a file of this machine (`file://`) becomes a path.

    Protocol and host are in small letters, the usual port is left out, and letters are not escaped without need.
    Raises InputError for an address with a password, a query or a fragment, for chains (`::`), and for `.` and `..` in
    its path. MAST's `?uri=mast:...` is no secret, and is kept.
    """
    match = _URL.match(address)
    if match is None:
        raise InputError(f"{address!r} is no address; expected https://, s3:// or another protocol of fsspec")
    protocol, rest = match[1].lower(), address[match.end() :]
    host, _, path = re.split(r"[?#]", rest)[0].partition("/")
    shown = f"{protocol}://{host.rpartition('@')[2]}/{path}"
    if "::" in address:
        raise InputError(f"{shown} is a chain of protocols; expected one address without `::`")
    if protocol in _LOCAL:
        return os.path.abspath("/" + rest.lstrip("/"))
    if _UNSEEN.search(rest):
        raise InputError(f"{shown} has blanks or control characters; expected them escaped, as %20")
    host, slash, path = rest.partition("/")
    if "@" in host:
        raise InputError(
            f"{shown} has a user or password; expected an address without: fsspec takes them from ~/.netrc, its own "
            "configuration or the environment"
        )
    if not host:
        raise InputError(f"{shown} has no host or bucket; expected one after ://")
    if protocol in _WEB:
        host = host.lower().removesuffix(f":{_WEB[protocol]}")
        path = _canonical_path(path, shown)
    elif "?versionId=" in path:
        raise InputError(f"{shown} names one version of a file; expected the file: leave out ?versionId=")
    if any(part in (".", "..") for part in path.split("/")):
        raise InputError(f"{shown} has . or .. in its path; expected the folder that is meant")
    return f"{protocol}://{host}{slash}{path}"


def _canonical_path(path: str, shown: str) -> str:
    path, mark, query = path.partition("?")
    if "#" in path + query:
        raise InputError(f"{shown} has a fragment; expected an address without #")
    if mark:
        match = _QUERY.fullmatch(unquote(query))
        if match is None:
            raise InputError(
                f"{shown} comes with a query; expected an address without ?, as it would be kept in the catalog, and "
                "signed addresses let whoever reads them in: give the plain address, or fetch the file"
            )
        return f"{_unescape(path)}?uri={match[1]}"
    return _unescape(path)


def _unescape(path: str) -> str:
    """The path with only what must be escaped, in capitals (section 6.2.2 of RFC 3986)."""

    def settle(match: re.Match[str]) -> str:
        letter = chr(int(match[1], 16))
        return letter if letter in _PLAIN else match[0].upper()

    return _ESCAPE.sub(settle, path)


def absolute(address: str) -> str:
    """The canonical form of a URL, or an absolute path. No link is followed: an inbox keeps the name the user knows."""
    return canonical(address) if is_url(address) else os.path.abspath(os.path.expanduser(address))


def require_local(path: str | os.PathLike[str]) -> Path:
    """The path of what is written or read here. Raises UsageError for an address, which would make a folder `s3:`."""
    if is_url(path):
        shown = _hide_secrets(os.fspath(path))
        raise UsageError(f"{shown} is an address; expected a path of this machine: only exposures may lie elsewhere")
    return Path(path)


def _hide_secrets(url: str) -> str:
    """The address without what may be a password or a signature."""
    protocol, rest = re.split(r"[?#]", url)[0].split("://", 1)
    host, slash, path = rest.partition("/")
    return f"{protocol}://{host.rpartition('@')[2]}{slash}{path}"


def join(folder: str, name: str) -> str:
    """The address of a file of this name in a folder elsewhere."""
    return f"{folder.rstrip('/')}/{name}"


def file_name(address: str) -> str:
    """The name of the file at an address, as it is written there."""
    return Path(address).name


def is_below(url: str, folder: str) -> bool:
    """Whether an address is below a folder, both canonical, and of the same host; the folder itself is not."""
    begin = folder.rstrip("/") + "/"
    same_host = urlsplit(url).netloc == urlsplit(folder).netloc
    return same_host and url.startswith(begin) and len(url) > len(begin)
