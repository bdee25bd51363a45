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
_VALUE = re.compile(rf"(?<=[?&])({_SECRET_KEY})=[^&'\")]*", re.IGNORECASE)


def secrets_of(address: str) -> set[str]:
    """What may be a password in an address, as it is written and as it is meant."""
    secrets = {value for pattern in (QUERY_SECRET, WORD_SECRET) for _, value in pattern.findall(address)}
    if "://" in address and not address.lower().startswith("sqlite:"):
        body = address.split("://", 1)[1]
        login = body.rpartition("@")[0] if "@" in body else body
        if ":" in login:
            secrets.add(login.split(":", 1)[1])
    return {secret for value in secrets for secret in (value, unquote(value), unquote_plus(value)) if len(secret) > 1}


def without_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """A text of any origin without these passwords, and without any in a URL, wherever somebody put it.

    >>> without_secrets("no such file: postgresql:/me:pw@host/mvm?password=pw&sslpassword=pw")
    'no such file: postgresql:/me:***@host/mvm?password=***&sslpassword=***'
    """
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return _URL.sub(lambda url: _VALUE.sub(rf"\1={HIDDEN}", _LOGIN.sub(rf"\1:{HIDDEN}@", url[0])), text)
