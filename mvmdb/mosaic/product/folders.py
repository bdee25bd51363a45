"""The folders of sky cells among the products."""

from __future__ import annotations

import os
from pathlib import Path

from mvmdb.names import is_cell_name


def list_cell_folders(products: Path) -> set[str]:
    """The names of the folders of sky cells among the products; none if there are no products. Raises OSError."""
    try:
        with os.scandir(products) as entries:
            names = {entry.name for entry in entries if entry.is_dir()}
    except (FileNotFoundError, NotADirectoryError):
        return set()
    return set(filter(is_cell_name, names))
