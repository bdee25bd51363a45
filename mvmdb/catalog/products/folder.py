"""Whether a folder can be the archive's products folder; a run stops if it looks like another one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from mvmdb.catalog.open import Begin
from mvmdb.catalog.settings import recorded_products_folder
from mvmdb.errors import UsageError
from mvmdb.names import is_cell_name, is_product_name, product_place
from mvmdb.schema import tables as t
from mvmdb.schema.values import has_impossible

_SEVERAL = 3
"""From this many products, most of them missing means that the folder itself is missing, e.g. not mounted."""

_LOOKED_AT = 1000  # products, about: checking a million would take as long as the nightly check of all


@dataclass(frozen=True, slots=True)
class Consent:
    """What the user has agreed to: making missing mosaics again, and a folder other than the recorded one."""

    rebuild: bool = False
    move: bool = False


UNASKED = Consent()
"""No consent: the user was not asked."""


def require_products_folder(begin: Begin, folder: Path, consent: Consent) -> None:
    """Raise UsageError, with the remedy, if products are recorded and this folder does not look like theirs.

    Either it is not the recorded folder, or most of three or more products are missing from it, or all products and
    their sky cell folders are, as on a volume that is not mounted. `consent` allows either.
    """
    product = t.product.c
    with begin() as connection:
        count = connection.scalar(sa.select(sa.func.count()).select_from(t.product)) or 0
        recorded = recorded_products_folder(connection)
        query = sa.select(product.skycell, product.filename).where(product.id % (count // _LOOKED_AT + 1) == 0)
        query = query.where(sa.not_(has_impossible(connection.dialect.name, t.product)))
        rows = [
            (cell, name) for cell, name in connection.execute(query) if is_cell_name(cell) and is_product_name(name)
        ]
    if not count:
        return
    if recorded is not None and not consent.move and not _is_same(recorded, folder):
        raise UsageError(
            f"{count} products are recorded in {recorded}, not in {folder}; leave out the folder, or, if they have "
            "moved, add --move-products"
        )
    if not consent.rebuild:
        _require_most(folder, rows)


def _require_most(folder: Path, rows: Sequence[tuple[str, str]]) -> None:
    missing = sum(not os.path.lexists(folder / product_place(skycell, filename)) for skycell, filename in rows)
    none_there = missing == len(rows) and not any((folder / skycell).exists() for skycell, _ in rows)
    if missing and (none_there or (len(rows) >= _SEVERAL and 2 * missing > len(rows))):
        raise UsageError(
            f"{missing} of {len(rows)} recorded products looked for are missing from {folder}; is its volume mounted? "
            "If they are lost, and are to be made anew, add --yes"
        )


def _is_same(first: Path, second: Path) -> bool:
    return first.resolve() == second.resolve()
