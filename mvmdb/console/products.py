"""The options with which a user accepts a products folder that looks wrong."""

from __future__ import annotations

import click

yes = click.option("--yes", "rebuild", is_flag=True, help="Make mosaics again even if most of them are missing.")
move_products = click.option(
    "--move-products", "move", is_flag=True, help="Use DIR as the products folder, although another one is recorded."
)
