"""Whether the files of products are there, and are what their rows say."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from mvmdb.catalog.check.finding import Damage, Finding, differences
from mvmdb.catalog.products.observed import RecordedProduct
from mvmdb.errors import NameFormatError, ProductError
from mvmdb.names import format_trailer_name, product_place
from mvmdb.records import ProductState, Proof
from mvmdb.stamp import file_stamp
from mvmdb.verify.deep_reads import FileRead


def product_path(products: Path, row: RecordedProduct) -> Path:
    """Where the file of a product should be."""
    return products / product_place(row.skycell, row.filename)


def has_place(row: RecordedProduct) -> bool:
    """Whether a row names a file in the products folder; otherwise it contradicts itself, and no file is looked at."""
    try:
        product_place(row.skycell, row.filename)
    except NameFormatError:
        return False
    return True


def look_at_product(products: Path, row: RecordedProduct) -> Finding | None:
    """The finding of a product's file from its size and time; None where they are as recorded.

    A product that is recorded as missing, and is, is no finding: the catalog knows it. Nor is one that is recorded as
    damaged, of which only reading it whole could tell that it is not.
    """
    path = product_path(products, row)
    try:
        status = os.stat(path)
    except OSError as error:
        if row.state == ProductState.MISSING:
            return None
        return _of(Damage.PRODUCT_MISSING, row, path, error.strerror or str(error), f"{row.size} bytes")
    if row.state == ProductState.DAMAGED:
        return None
    if row.state == ProductState.MISSING:
        return _of(Damage.PRODUCT_CHANGED, row, path, "a file", "none, as recorded")
    size, mtime_ns = file_stamp(status)
    if (size, mtime_ns) == (row.size, row.mtime_ns):
        return None
    pairs = {"size": (size, row.size), "mtime_ns": (mtime_ns, row.mtime_ns)}
    wrong: dict[str, tuple[object, object]] = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    found, expected = differences(wrong)
    return _read_headers(row, path) or _of(Damage.PRODUCT_CHANGED, row, path, found, expected)


def look_at_trailer(product: Path, row: RecordedProduct) -> Iterator[Finding]:
    """The finding of a log that does not say what its product, which is intact, says; one that is gone is none here."""
    from mvmdb.mosaic.product.trailer import expect_trailer

    path = product.with_name(format_trailer_name(row.layer))
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        yield _of(Damage.TRAILER_WRONG, row, path, error.strerror or str(error), "the log of its mosaic")
        return
    expected = expect_trailer(product)
    if expected is not None and data != expected:
        yield _of(Damage.TRAILER_WRONG, row, path, "another text", "the log of its mosaic")


def _read_headers(row: RecordedProduct, path: Path) -> Finding | None:
    """The finding of a file with another size or time that shows in its headers; its pixels are not read.

    A product that was adopted from another program has headers that say nothing of it.
    """
    if row.proof != Proof.PROVEN:
        return None
    from mvmdb.mosaic.product.read import read_product

    try:
        record = read_product(path)
    except ProductError as error:
        return _of(Damage.PRODUCT_DAMAGED, row, path, str(error))
    if record.layer != row.layer:
        return _of(Damage.PRODUCT_SWAPPED, row, path, record.layer, row.layer)
    return None


def compare_product(products: Path, row: RecordedProduct, read: FileRead) -> Finding | None:
    """The finding of a product's file that was read whole; rows of its provenance are compared elsewhere."""
    path = product_path(products, row)
    known = row.state == ProductState.DAMAGED
    if row.proof != Proof.PROVEN and read.own:
        return _of_proof(row, path, Proof.PROVEN)
    if row.proof == Proof.PROVEN and read.file_digest == row.data_digest:
        return _of_proof(row, path, Proof.TRUSTED if row.recipe_digest else Proof.UNPROVEN)
    if row.proof != Proof.PROVEN and not read.error:
        if read.file_digest == row.data_digest:
            return _of_state(row, path)
        return None if known else _of(Damage.PRODUCT_DAMAGED, row, path, read.file_digest, row.data_digest)
    if read.record is None:
        return None if known else _of(Damage.PRODUCT_DAMAGED, row, path, read.error)
    if read.record.layer != row.layer:
        return None if known else _of(Damage.PRODUCT_SWAPPED, row, path, read.record.layer, row.layer)
    return _of_state(row, path)


def _of_proof(row: RecordedProduct, path: Path, proof: Proof) -> Finding:
    """The finding of a product that is recorded as another program's and is not, or the other way round."""
    return _of(Damage.PRODUCT_WRONG, row, path, *differences({"proof": (str(row.proof), str(proof))}))


def _of_state(row: RecordedProduct, path: Path) -> Finding | None:
    if row.state != ProductState.INTACT:
        return _of(Damage.PRODUCT_CHANGED, row, path, "an intact file", f"{row.state}, as recorded")
    return None


def _of(
    kind: Damage, row: RecordedProduct, path: Path, found: str, expected: str = "the file as it was made"
) -> Finding:
    return Finding(kind, skycell=row.skycell, layer=row.layer, path=str(path), found=found, expected=expected)
