"""The manifest: the text file that lists the products of a sky cell that exist in its folder, and their logs."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import BinaryIO

from mvmdb.inputs import open_plain
from mvmdb.mosaic.product.trailer import write_trailers
from mvmdb.mosaic.product.write import write_atomically
from mvmdb.names import format_trailer_name, is_product_in, parse_product_name

log = logging.getLogger(__name__)

_LARGEST = 1 << 24
"""The most bytes of a manifest: a hundred thousand products of one sky cell."""


def write_manifest(folder: str | Path, skycell: str, *, every_log: bool = False) -> bool:
    """Write the logs of a sky cell's products in `folder`, and list both in `<skycell>_manifest.txt`, one name a line.

    Returns whether any file was written: those that are right are left alone. A log that is newer than its product is
    taken to be right, unless `every_log` asks for each to be compared. Raises ProductError when the folder cannot be
    written.
    """
    folder = Path(folder)
    if not folder.is_dir():
        return False  # nothing was made, and nothing is listed
    written = write_trailers(folder, skycell, every=every_log)
    target = folder / format_manifest_name(skycell)
    while (data := format_manifest(list_files(folder, skycell))) != _there(target):
        write_atomically(target, partial(_write, data))
        log.info("wrote %s", target)
        written = True  # look again: another run may have put a product in its place meanwhile, and listed it
    return written


def read_manifest(path: Path) -> bytes:
    """The content of a manifest. Raises OSError, also for what is no plain file, or is larger than any manifest."""
    with open_plain(path) as stream:
        data = stream.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise OSError(errno.EFBIG, f"it has more than {_LARGEST} bytes", str(path))
    return data


def _there(path: Path) -> bytes | None:
    try:
        return read_manifest(path)
    except OSError:  # none yet, or something else, which is replaced
        return None


def _write(data: bytes, file: BinaryIO) -> None:
    file.write(data)


def list_products(folder: Path, skycell: str) -> list[str]:
    """The names of the files in a sky cell's folder that are named as products of this sky cell, sorted."""
    return sorted(path.name for path in folder.iterdir() if path.is_file() and is_product_in(skycell, path.name))


def list_files(folder: Path, skycell: str) -> list[str]:
    """The names that the manifest of a sky cell has: its products in the folder, and their logs, sorted."""
    products = list_products(folder, skycell)
    logs = {name_trailer(name) for name in products}
    return sorted([*products, *(name for name in logs if (folder / name).is_file())])


def name_trailer(product: str) -> str:
    """The file name of the log of a product."""
    layer, _ = parse_product_name(product)
    return format_trailer_name(str(layer))


def format_manifest(names: Iterable[str]) -> bytes:
    """The content of a manifest that lists these files."""
    return "".join(f"{name}\n" for name in sorted(names)).encode()


def format_manifest_name(skycell: str) -> str:
    """The file name of a sky cell's manifest: `<skycell>_manifest.txt`."""
    return f"{skycell}_manifest.txt"
