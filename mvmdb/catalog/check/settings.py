"""Whether the recorded settings are ones that mvmdb writes; what is not known here is not judged."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import get_args

import sqlalchemy as sa

from mvmdb.catalog.alternates import check_name
from mvmdb.catalog.check.finding import Damage, Finding
from mvmdb.catalog.settings import (
    ALTERNATE,
    BESIDE,
    FRAMES,
    LONGEST_HISTORY,
    METHOD,
    PRODUCTS,
    SHALLOW,
    WEIGHT,
    read_settings,
)
from mvmdb.errors import UsageError
from mvmdb.layers.divisions import parse_epochs
from mvmdb.recipe import Method, Shallow, Weight
from mvmdb.records import ExptimeLayers, Frames, Rule
from mvmdb.schema import tables as t


def check_settings(connection: sa.Connection) -> list[Finding]:
    """The findings in the archive's settings; of a value that is no text, another finding tells."""
    settings = read_settings(connection)
    wrong = [
        _of(key, repr(value), _CHECKS[key][1])
        for key, value in sorted(settings.items())
        if key in _CHECKS and not _holds(_CHECKS[key][0], value)
    ]
    n_products = connection.scalar(sa.select(sa.func.count()).select_from(t.product))
    if PRODUCTS not in settings and n_products:  # every night records it
        wrong.append(_of(PRODUCTS, f"nothing, so no file of {n_products} products is looked at", "an absolute path"))
    return wrong


def _of(key: str, found: str, expected: str) -> Finding:
    return Finding(Damage.SETTING_WRONG, table=f"archive ({key})", found=found, expected=expected)


def _holds(check: Callable[[str], bool], value: str) -> bool:
    try:
        return check(value)
    except (ValueError, UsageError):
        return False


def _is_time(value: str) -> bool:
    return dt.datetime.fromisoformat(value).tzinfo is None


def _is_cells(value: str) -> bool:
    cells = json.loads(value)
    return isinstance(cells, list) and all(isinstance(cell, int) for cell in cells)


_SWITCH = (lambda value: value in ("True", "False"), "True or False")
_CELLS = (_is_cells, "a list of sky cells, JSON")
_CHECKS: dict[str, tuple[Callable[[str], bool], str]] = {
    SHALLOW: (lambda value: value in ("", *get_args(Shallow)), "hap, match or nothing"),
    "rule": (lambda value: value in get_args(Rule), "overlap or nearest"),
    "exptime_layers": (lambda value: value in get_args(ExptimeLayers), "all, classes or clusters"),
    "epochs": (lambda value: parse_epochs(value) == value, "epochs, as init takes them"),
    "errors": _SWITCH,
    WEIGHT: (lambda value: value in get_args(Weight), "exptime or ivm"),
    METHOD: (lambda value: value in get_args(Method), "hap or mvmdb"),
    FRAMES: (lambda value: value in get_args(Frames), ", ".join(get_args(Frames))),
    ALTERNATE: (lambda value: value == "" or check_name(value) == value, "the name of a solution, or nothing"),
    BESIDE: (lambda value: not value or all(map(str.isalnum, value.split(","))), "kinds of files, as init takes them"),
    "include_small": _SWITCH,
    "only_cte": _SWITCH,
    "products": (lambda value: value.startswith("/"), "an absolute path"),
    "history_days": (
        lambda value: value.isascii() and value.isdecimal() and int(value) <= LONGEST_HISTORY,
        "a number of days",
    ),
    "pollers_unfinished": _CELLS,
    "pollers_behind": _CELLS,
    "pollers_since": (_is_time, "a time, UTC"),
}
