"""Describes a database's errors in plain words, with remedies, and its address without the password."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from mvmdb.schema.addresses import hide_password

DAMAGED = (
    "expected a whole file: restore a copy of it, or move it away and build it again from exposures and products "
    "(mvmdb init --products DIR, mvmdb ingest INBOX; see docs/catalog.md)"
)
"""The remedy for a damaged SQLite file."""
_REMEDIES = (
    (r"database disk image is malformed", DAMAGED),
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
    "42501": "ask the owner of the database for the right to do this",
    "58P01": "install PostgreSQL's contrib modules on the server",  # an extension's file is missing
    "0A000": "install PostgreSQL's contrib modules on the server",
}


def shown_url(url: sa.URL) -> str:
    """A URL without its password, also where the password is in the query."""
    return hide_password(url.render_as_string(hide_password=True))


def is_busy(error: Any) -> bool:
    """Whether a driver's error means that the database was waited for in vain, because others hold it."""
    return getattr(error, "sqlstate", None) == "55P03" or "database is locked" in str(error)


def describe_wait(error: Any, seconds: float, holders: Sequence[str]) -> str:
    """A wait in vain, as one line: how long, and for whom as far as that is known."""
    who = " and ".join(holders) or "another program, which reads it or writes to it"
    return f"{plain_words(error)}; waited {seconds:g} s for {who}; wait until it ends, or stop it, and run this again"


def describe_fault(error: Any, *, disconnected: bool) -> str:
    """A driver's error as one line, with a remedy where one is known. `disconnected`: the connection broke."""
    words = plain_words(error)
    state = getattr(error, "sqlstate", None) or ""
    if disconnected:
        return f"the connection was lost ({words}); its transaction was not written: run the command again"
    remedy = _REMEDIES_BY_STATE.get(state) or next((r for p, r in _REMEDIES if re.search(p, words)), "")
    return f"{words}; {remedy}" if remedy else words


def plain_words(error: Any) -> str:
    """The text of a driver's error, as one line; without the excerpt of the SQL that PostgreSQL prints under it."""
    report = getattr(error, "diag", None)
    primary = report.message_primary if report is not None else None
    sentences = (primary, report.message_hint) if report is not None and primary else (str(error),)
    return " ".join(". ".join(sentence for sentence in sentences if sentence).split()).rstrip(".")
