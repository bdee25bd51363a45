"""The products folder that a command writes to, and the options with which a user accepts one that looks wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mvmdb.catalog.open import Engine

yes = click.option("--yes", "rebuild", is_flag=True, help="Make mosaics again even if most of them are missing.")
move_products = click.option(
    "--move-products", "move", is_flag=True, help="Use DIR as the products folder, although another one is recorded."
)


def agreed_products(engine: Engine, given: Path | None, *, rebuild: bool, move: bool) -> Path:
    """The products folder: the given one, or else the recorded one.

    Raises UsageError if there is neither, or if the folder does not look like the recorded products' folder and the
    user has not agreed to it: `rebuild` is --yes, `move` is --move-products.
    """
    from mvmdb.catalog.products.folder import Consent, require_products_folder
    from mvmdb.catalog.settings import products_folder

    with engine.begin() as connection:
        folder = products_folder(connection, given)
    require_products_folder(engine.begin, folder, Consent(rebuild, move))
    return folder
