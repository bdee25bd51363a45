"""The manifest: the text file that lists the products of a sky cell that exist in its folder."""

from __future__ import annotations

from pathlib import Path

from mvmdb.errors import NameFormatError
from mvmdb.mosaic.product.write import write_atomically
from mvmdb.names import parse_product_name


def write_manifest(folder: str | Path, skycell: str) -> bool:
    """List the sky cell's products that are in `folder` in `<skycell>_manifest.txt`, sorted, one file name per line.

    Returns whether the file was written: it is left alone when it is already right. Raises ProductError when the folder
    cannot be written.
    """
    folder = Path(folder)
    if not folder.is_dir():
        return False  # nothing was made, and nothing is listed
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and _is_product(path.name, skycell))
    data = "".join(f"{name}\n" for name in names).encode()
    target = folder / f"{skycell}_manifest.txt"
    if target.is_file() and target.read_bytes() == data:
        return False
    write_atomically(target, lambda file: file.write(data))
    return True


def _is_product(name: str, skycell: str) -> bool:
    try:
        layer, _ = parse_product_name(name)
    except NameFormatError:
        return False
    return layer.skycell == skycell
