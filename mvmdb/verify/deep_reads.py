"""Reading products and exposures whole, for somebody who waits elsewhere; what it means is not decided here.

Worker processes import this module and what it needs, and no database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mvmdb.errors import ExposureError, ProductError
from mvmdb.records import Dataset, ProductRecord


class FileToRead(NamedTuple):
    """A file to read whole, of a product or of an exposure; `digest` asks for the digest of an exposure's pixels.

    Of a product that was `adopted` from another program, the digest of the file is all that there is to compare.
    """

    path: str
    is_product: bool
    digest: bool = False
    adopted: bool = False


@dataclass(frozen=True, slots=True)
class FileRead:
    """What a file says: a product's record, or an exposure's headers and, if asked for, the digest of its pixels.

    `file_digest` is that of the whole file, of a product that was adopted or is not mvmdb's own; `own`: whether
    one that was adopted is.
    """

    record: ProductRecord | None = None
    dataset: Dataset | None = None
    pixel_digest: str | None = None
    file_digest: str = ""
    own: bool = False
    error: str = ""


def read_files(files: Sequence[FileToRead]) -> list[FileRead]:
    """What each file says, or why it cannot be read or is damaged."""
    return [_read(file) for file in files]


def _read(file: FileToRead) -> FileRead:
    try:
        if file.adopted:
            return _digest_product(file.path)
        return _read_product(file.path) if file.is_product else _read_exposure(file)
    except (ExposureError, ProductError) as error:
        return FileRead(error=str(error))
    except Exception as error:  # one file's surprise must not take the other files with it
        return FileRead(error=f"{file.path} is damaged ({type(error).__name__}: {error})")


def _digest_product(path: str) -> FileRead:
    from mvmdb.mosaic.product.foreign import digest_file

    return FileRead(file_digest=digest_file(Path(path)), own=_is_own(path))


def _is_own(path: str) -> bool:
    from mvmdb.mosaic.product.foreign import is_own

    try:
        return is_own(Path(path))
    except ProductError:
        return False


def _read_product(path: str) -> FileRead:
    from mvmdb.mosaic.product.read import read_product

    try:
        return FileRead(record=read_product(path, deep=True))
    except ProductError as error:
        if _is_own(path):
            raise
        return FileRead(error=str(error), file_digest=_digest_product(path).file_digest)


def _read_exposure(file: FileToRead) -> FileRead:
    from mvmdb.exposures.fits.checksum import check_sums
    from mvmdb.exposures.fits.digest import digest_pixels
    from mvmdb.exposures.fits.file import open_or_blame, scan_open
    from mvmdb.exposures.read import read_exposure

    with open_or_blame(file.path) as opened:
        for hdu in scan_open(opened, file.path).hdus:
            check_sums(opened.stream, hdu, file.path)
        digest = digest_pixels(file.path) if file.digest else None
        return FileRead(dataset=read_exposure(file.path), pixel_digest=digest)
