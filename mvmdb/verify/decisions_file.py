"""Whether the decisions file beside the products is whole, and this catalog's."""

from __future__ import annotations

from pathlib import Path

from mvmdb.catalog.check.finding import Damage, Finding
from mvmdb.catalog.decisions.keep import read_decisions
from mvmdb.catalog.decisions.load import IDENTITY
from mvmdb.catalog.decisions.values import FILENAME
from mvmdb.catalog.open import Begin
from mvmdb.catalog.settings import read_settings
from mvmdb.errors import InputError


def check_decisions(begin: Begin, products: Path) -> list[Finding]:
    """The finding of the decisions file, if there is one.

    It may be behind the catalog, as it is written when a command has ended.
    """
    with begin() as connection:
        identity = read_settings(connection).get(IDENTITY, "")
    try:
        there = read_decisions(products)
    except InputError as error:
        return [_of(products, str(error))]
    if there is None or there.catalog == identity:
        return []
    return [_of(products, f"it was written by the catalog {there.catalog}")]


def _of(products: Path, found: str) -> Finding:
    expected = "the decisions of this catalog"
    return Finding(Damage.DECISIONS_WRONG, path=str(products / FILENAME), found=found, expected=expected)
