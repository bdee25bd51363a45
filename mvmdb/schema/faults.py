"""A database's faults in plain words, and its address without the password; which fault it is, the database says."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa

_BUSY = "another run is writing to this catalog; wait until it ends, and run this again"
_REMEDIES = (
    (r"database is locked", _BUSY),
    (r"attempt to write a readonly database|disk I/O error|disk is full", "check the file's permissions and its disk"),
    (r"database \"[^\"]*\" does not exist", "make it with createdb, or give another --db"),
    (
        r"password authentication failed|no password supplied|role \"[^\"]*\" does not exist|pg_hba\.conf"
        r"|authentication failed for user",
        "check the user and the password in --db, PGPASSWORD or ~/.pgpass",
    ),
    (
        r"connection (failed|is bad)|timeout expired|could not (connect|translate)|failed to resolve"
        r"|starting up|shutting down",
        "check that the server is running and that --db names its host and port",
    ),
)
_REMEDIES_BY_STATE = {
    "55P03": _BUSY,
    "42501": "ask the owner of the database for the right to do this",
    "58P01": "install PostgreSQL's contrib modules on the server",  # of an extension's files
    "0A000": "install PostgreSQL's contrib modules on the server",
}


def shown_url(url: sa.URL) -> str:
    """A URL without its password, wherever that stands."""
    query = {name: "***" if name == "password" else value for name, value in url.query.items()}
    return url.set(query=query).render_as_string(hide_password=True)


def describe_fault(error: Any, *, lost: bool) -> str:
    """A driver's error as one line, with what to do where that is known. `lost`: the connection broke."""
    words = plain_words(error)
    state = getattr(error, "sqlstate", None) or ""
    if lost:
        return (
            f"the connection was lost ({words}); nothing of the transaction in hand was written: run the command again"
        )
    remedy = _REMEDIES_BY_STATE.get(state) or next((r for p, r in _REMEDIES if re.search(p, words)), "")
    return f"{words}; {remedy}" if remedy else words


def plain_words(error: Any) -> str:
    """What a driver's error says, as one line; without the place in the SQL, which PostgreSQL draws under it."""
    said = getattr(error, "diag", None)
    parts = (said.message_primary, said.message_hint) if said is not None and said.message_primary else (str(error),)
    return " ".join(". ".join(part for part in parts if part).split()).rstrip(".")
