"""The manifest: the text file that lists the products of a sky cell that exist in its folder."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import BinaryIO

from mvmdb.errors import NameFormatError
from mvmdb.inputs import open_plain
from mvmdb.mosaic.product.write import write_atomically
from mvmdb.names import parse_product_name

log = logging.getLogger(__name__)

_LARGEST = 1 << 24
"""The most bytes of a manifest: a hundred thousand products of one sky cell."""


def write_manifest(folder: str | Path, skycell: str) -> bool:
    """List the sky cell's products that are in `folder` in `<skycell>_manifest.txt`, sorted, one file name per line.

    Returns whether the file was written: it is left alone when it is already right. Raises ProductError when the folder
    cannot be written.
    """
    folder, written = Path(folder), False
    if not folder.is_dir():
        return False  # nothing was made, and nothing is listed
    target = folder / format_manifest_name(skycell)
    while (data := format_manifest(list_products(folder, skycell))) != _there(target):
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
    return sorted(path.name for path in folder.iterdir() if path.is_file() and _is_product(path.name, skycell))


def format_manifest(names: Iterable[str]) -> bytes:
    """The content of a manifest that lists these files."""
    return "".join(f"{name}\n" for name in sorted(names)).encode()


def format_manifest_name(skycell: str) -> str:
    """The file name of a sky cell's manifest: `<skycell>_manifest.txt`."""
    return f"{skycell}_manifest.txt"


def _is_product(name: str, skycell: str) -> bool:
    try:
        layer, _ = parse_product_name(name)
    except NameFormatError:
        return False
    return layer.skycell == skycell
