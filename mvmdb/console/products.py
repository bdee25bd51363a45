"""The folder of products that a command is about to write to, and the options that agree to one that looks wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mvmdb.catalog.open import Engine

yes = click.option("--yes", "rebuild", is_flag=True, help="Make mosaics anew even if most of them are missing.")
move_products = click.option(
    "--move-products", "move", is_flag=True, help="Take DIR for the folder of products, though another is recorded."
)


def agreed_products(engine: Engine, given: Path | None, *, rebuild: bool, move: bool) -> Path:
    """The folder of products: the one given, or the recorded one. Raises UsageError where it does not look like it."""
    from mvmdb.catalog.products.folder import Consent, require_products_folder
    from mvmdb.catalog.settings import products_folder

    with engine.begin() as connection:
        folder = products_folder(connection, given)
        require_products_folder(connection, folder, Consent(rebuild, move))
    return folder
