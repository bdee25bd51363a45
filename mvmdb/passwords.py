"""Passwords in texts: which parts of an address may be one, and texts without them. It opens and connects nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote, unquote_plus

HIDDEN = "***"
_SECRET_KEY = r"[\w-]*(?:pass|pwd|secret|token|credential)[\w-]*"
QUERY_SECRET = re.compile(rf"(?<=[?&])({_SECRET_KEY})=([^&]*)", re.IGNORECASE)
WORD_SECRET = re.compile(rf"\b({_SECRET_KEY})\s*=\s*('(?:[^'\\]|\\.)*'?|\S*)", re.IGNORECASE)
_URL = re.compile(r"\b[a-z][\w+.-]{0,30}:/\S+", re.IGNORECASE)  # pathlib writes one slash
_LOGIN = re.compile(r"^([^:]+:/+[^:/@]*):.*@")
_ODD_LOGIN = re.compile(r"^([\w+.-]+:/+[\w.%+-]*)([^\w.%+:/@?-][^@/]*)@")
"""What is not a user's name before `@`, such as a password after a semicolon."""
_ODD_PORT = re.compile(r"^([\w+.-]+:/+(?:[^/?#]*@)?[^/?#:@\[\]]*):(?!\d*(?:[/?#]|$))([^/?#@]*)(?=[/?#]|$)")
"""What is not a number where the port should be."""
_SERVER = re.compile(r"^(?:postgres|mysql|mariadb|oracle|mssql)", re.IGNORECASE)
_KEY_VALUE = re.compile(r"(?<=[?&])([^=&?]+)=([^&]*)")
_OPTIONS = frozenset(
    [
        "host",
        "hostaddr",
        "port",
        "user",
        "dbname",
        "service",
        "sslmode",
        "sslrootcert",
        "sslcert",
        "sslcrl",
        "connect_timeout",
        "application_name",
        "target_session_attrs",
        "channel_binding",
        "client_encoding",
        "gssencmode",
        "krbsrvname",
        "keepalives",
        "keepalives_idle",
        "options",
        "tcp_user_timeout",
        "load_balance_hosts",
        "passfile",
        "servicefile",
    ]
)
"""Options of PostgreSQL's that hold no secret (libpq, section "Parameter Key Words")."""
_VALUE = re.compile(rf"(?<=[?&])({_SECRET_KEY})=[^&'\")]*", re.IGNORECASE)


def secrets_of(address: str) -> set[str]:
    """What may be a password in an address, as it is written and as it is meant."""
    secrets = {value for pattern in (QUERY_SECRET, WORD_SECRET) for _, value in pattern.findall(address)}
    if "://" in address and not address.lower().startswith("sqlite:"):
        body = address.split("://", 1)[1]
        login = body.rpartition("@")[0] if "@" in body else body
        if ":" in login:
            secrets.add(login.split(":", 1)[1])
        secrets |= {match[2] for pattern in (_ODD_LOGIN, _ODD_PORT) if (match := pattern.match(address))}
        secrets |= {value for key, value in _KEY_VALUE.findall(address) if key not in _OPTIONS}
    return {secret for value in secrets for secret in (value, unquote(value), unquote_plus(value)) if len(secret) > 1}


def without_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """A text of any origin without these passwords, and without any in a URL, wherever somebody put it.

    >>> without_secrets("no such file: postgresql:/me:pw@host/mvm?password=pw&sslpassword=pw")
    'no such file: postgresql:/me:***@host/mvm?password=***&sslpassword=***'
    """
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return _URL.sub(lambda url: hide_slips(_VALUE.sub(rf"\1={HIDDEN}", _LOGIN.sub(rf"\1:{HIDDEN}@", url[0]))), text)


def hide_slips(url: str) -> str:
    """A URL of a server without what may be a password in the wrong place: beside the user, as the port, as an option.

    >>> hide_slips("postgresql://me;pw@host:pw2/mvm?pazzwd=pw3&sslmode=require")
    'postgresql://me***@host:***/mvm?pazzwd=***&sslmode=require'
    """
    if _SERVER.match(url) is None:
        return url
    url = _ODD_PORT.sub(rf"\1:{HIDDEN}", _ODD_LOGIN.sub(rf"\1{HIDDEN}@", url))
    return _KEY_VALUE.sub(lambda pair: pair[0] if pair[1] in _OPTIONS else f"{pair[1]}={HIDDEN}", url)
