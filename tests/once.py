"""Does once what tests, or the workers that run them, would each do again to the same end."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from astropy.config import ConfigItem
from sqlalchemy.util import LRUCache

_STATEMENTS: LRUCache[Any, Any] = LRUCache(10_000)
_ABSENT = object()


class Statements:
    """Compiled statements, as SQLAlchemy's option `compiled_cache` takes them.

    Engines have them in common where their databases are of one kind and version: each test has a database of its own,
    so an engine, for which a hundred statements would be compiled anew.
    """

    def get(self, key: tuple[Any, ...]) -> Any:
        return _STATEMENTS.get(self._of_kind(key))

    def __setitem__(self, key: tuple[Any, ...], compiled: Any) -> None:
        _STATEMENTS[self._of_kind(key)] = compiled

    @staticmethod
    def _of_kind(key: tuple[Any, ...]) -> tuple[Any, ...]:
        dialect, *rest = key
        return (type(dialect), dialect.server_version_info, *rest)


def compile_once(patch: pytest.MonkeyPatch) -> None:
    """Have a statement compiled once for all databases of one kind."""
    create, statements = sa.create_engine, Statements()

    def create_engine(*words: Any, execution_options: dict[str, Any] | None = None, **named: Any) -> sa.Engine:
        return create(*words, execution_options={**(execution_options or {}), "compiled_cache": statements}, **named)

    patch.setattr(sa, "create_engine", create_engine)


def configure_once(patch: pytest.MonkeyPatch) -> None:
    """Have astropy look up each item of its configuration once, until it is set.

    It does so for every card of a header, which would be a tenth of the time that tests of FITS files take.
    """
    look_up, put = ConfigItem.__call__, ConfigItem.set
    known: dict[ConfigItem, Any] = {}

    def call(item: ConfigItem) -> Any:
        value = known.get(item, _ABSENT)
        if value is _ABSENT:
            value = known[item] = look_up(item)
        return value

    def set_value(item: ConfigItem, value: Any) -> Any:
        known.clear()
        return put(item, value)

    patch.setattr(ConfigItem, "__call__", call)
    patch.setattr(ConfigItem, "set", set_value)


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Any]) -> tuple[Path, Any]:
    """A folder that is not there yet, which the first worker that asks has `make` fill, and what `make` returned.

    The others wait for it and get the same; what is returned must be JSON.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, told = base / name, base / f"{name}.json"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            told.write_text(json.dumps(make(folder)))
    return folder, json.loads(told.read_text())
