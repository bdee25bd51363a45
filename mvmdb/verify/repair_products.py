"""Mends rows of products from their files; files are read before the transactions that write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mvmdb.catalog.check.finding import Finding
from mvmdb.catalog.check.mend import correct_proof, note_repairs, place_product, rewrite_product
from mvmdb.catalog.open import Engine
from mvmdb.catalog.products.observed import RecordedProduct, load_recorded
from mvmdb.errors import NameFormatError
from mvmdb.names import Kind, format_product_name, parse_layer_name, parse_product_name, product_place
from mvmdb.records import ProductRecord, Proof
from mvmdb.verify.deep_reads import FileToRead, read_files
from mvmdb.verify.product_files import has_place, product_path

KINDS: tuple[Kind, Kind] = ("flt", "flc")


def mend_product_row(engine: Engine, products: Path, finding: Finding) -> None:
    """Write the rows of a product again from its file, if that is intact and of this layer.

    Without a file, the row is given the sky cell and the file name that follow from the rest of it.
    """
    with engine.begin() as connection:
        row = load_recorded(connection, [finding.layer]).get(finding.layer)
    record = None if row is None else read_product_of(products, row.layer, row.filename)
    foreign = row is not None and record is None and _is_foreign(products, row)
    with engine.begin() as connection:
        if record is not None:
            is_mended = rewrite_product(connection, finding.layer, record)
        elif foreign:
            correct_proof(connection, finding.layer)
            is_mended = True
        else:
            is_mended = place_product(connection, finding.layer)
        if is_mended:
            note_repairs(connection, [finding])


def read_product_of(products: Path, layer: str, filename: str) -> ProductRecord | None:
    """What the intact file of the product of a layer says, if there is one and only one file.

    If the layer is none, it is the file with this name.
    """
    named = list(_places(layer, KINDS))
    paths = {path for place in named or _place_of(filename) if (path := products / place).exists()}
    if len(paths) != 1:  # with both, the next run decides
        return None
    (read,) = read_files([FileToRead(str(paths.pop()), True)])
    if read.record is None or (named and read.record.layer != layer):
        return None
    return read.record


def _places(layer: str, kinds: tuple[Kind, ...]) -> Iterator[str]:
    try:
        skycell = parse_layer_name(layer).skycell
    except NameFormatError:
        return
    yield from (product_place(skycell, format_product_name(layer, kind)) for kind in kinds)


def _place_of(filename: str) -> Iterator[str]:
    try:
        layer, kind = parse_product_name(filename)
    except NameFormatError:
        return
    yield from _places(str(layer), (kind,))


def _is_foreign(products: Path, row: RecordedProduct) -> bool:
    """Whether a product that is recorded as mvmdb's own is another program's that was adopted."""
    if row.proof != Proof.PROVEN or not has_place(row):
        return False
    (read,) = read_files([FileToRead(str(product_path(products, row)), True)])
    return read.file_digest == row.data_digest
