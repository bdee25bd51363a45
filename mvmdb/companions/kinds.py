"""The kinds of files that stand beside products on request, and their names.

Each file holds a mark in its first bytes (a comment, or a card of a header): what it was made of. So it is known to be
up to date wherever the archive is copied to, whatever the times of files are.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mvmdb.errors import UsageError
from mvmdb.inputs import open_plain
from mvmdb.names import is_product_name, parse_product_name

if TYPE_CHECKING:
    from mvmdb.catalog.products.observed import RecordedProduct
    from mvmdb.pictures.previews import SmallMosaic

NONE = "none"
_VERSION = 1
"""Count it up when files are to be made anew, since they would be made differently."""
_MARK = re.compile(rb"mvmdb companion (\w+) (\d+) ([0-9a-f]{32,40})")
_READ = 1 << 16
"""In how many bytes the mark must be."""

Make = Callable[["list[SmallMosaic]", Path, str], None]
"""Makes a file from mosaics, with a mark in it: (mosaics, target, mark)."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of file: beside each product, or one for a `skycell`.

    Its name is that of the product without `.fits`, or of the sky cell, with an `ending`. `make` is told the mosaics
    that it is made of, where it is to be, and its mark; it raises MvmdbError where that is not possible. `sources`
    chooses the mosaics (file names) of a sky cell that it is made of.
    """

    name: str
    ending: str
    meaning: str
    make: Make
    subject: Literal["product", "skycell"] = "product"
    sources: Callable[[Iterable[str]], list[str]] = sorted

    def name_file(self, subject: str) -> str:
        """The file's name beside a product (its file name), or for a sky cell."""
        return subject.removesuffix(".fits") + self.ending

    def subject_of(self, filename: str, skycell: str) -> str | None:
        """The product (its file name), or the sky cell, that a file of this name belongs to; None if it is none."""
        subject = filename.removesuffix(self.ending)
        if subject == filename:
            return None
        if self.subject == "skycell":
            return subject if subject == skycell else None
        product = f"{subject}.fits"
        return product if is_product_name(product) and parse_product_name(product)[0].skycell == skycell else None


def parse_kinds(text: str) -> tuple[str, ...]:
    """The kinds in a text such as `jpg,thumb`, each once, in the order of KINDS; none for `none` or an empty text.

    Raises UsageError for a kind that is not known.
    """
    words = [word.strip().lower() for word in text.split(",")]
    if words in ([NONE], [""]):
        return ()
    for word in words:
        if word not in KINDS:
            raise UsageError(f"{word!r} cannot stand beside products; expected none, or some of {', '.join(KINDS)}")
    return tuple(name for name in KINDS if name in words)


def format_kinds(kinds: Iterable[str]) -> str:
    """The inverse of `parse_kinds`."""
    return ",".join(kinds) or NONE


def format_mark(kind: str, digests: Iterable[tuple[str, str]]) -> str:
    """The mark of a file made of mosaics: (file name, data digest) of each."""
    text = "".join(f"{name} {digest}\n" for name, digest in sorted(digests))
    return f"mvmdb companion {kind} {_VERSION} {hashlib.sha256(text.encode()).hexdigest()[:32]}"


def read_mark(path: Path) -> str | None:
    """The mark in a file; None if it has none, and is none of mvmdb's. Raises OSError if it cannot be read."""
    with open_plain(path) as file:
        match = _MARK.search(file.read(_READ))
    return None if match is None else match[0].decode()


def find_kind(filename: str, skycell: str) -> tuple[Kind, str] | None:
    """The kind of a file in a sky cell's folder, and the product or sky cell that it belongs to; None if of no kind."""
    for kind in KINDS.values():
        subject = kind.subject_of(filename, skycell)
        if subject is not None:
            return kind, subject
    return None


def digests_of(products: Iterable[RecordedProduct]) -> dict[str, str]:
    """The data digests of products, by file name."""
    return {product.filename: product.data_digest for product in products}


def _make_jpg(mosaics: list[SmallMosaic], target: Path, mark: str) -> None:
    from mvmdb.pictures.previews import draw_preview, write_jpeg

    write_jpeg(target, draw_preview(mosaics[0]), mark)


def _make_thumb(mosaics: list[SmallMosaic], target: Path, mark: str) -> None:
    from mvmdb.pictures.previews import draw_thumb, write_jpeg

    write_jpeg(target, draw_thumb(mosaics[0]), mark)


def _make_wht(mosaics: list[SmallMosaic], target: Path, mark: str) -> None:
    from mvmdb.pictures.previews import draw_weight, write_jpeg

    write_jpeg(target, draw_weight(mosaics[0]), mark)


def _make_color(mosaics: list[SmallMosaic], target: Path, mark: str) -> None:
    from mvmdb.pictures.color import draw_color
    from mvmdb.pictures.previews import write_jpeg

    colors, words = draw_color([mosaic.path for mosaic in mosaics])
    write_jpeg(target, colors, f"{mark}; {words}")


def _with_wavelength(products: Iterable[str]) -> list[str]:
    """The fine mosaics with a known wavelength: each layer has one of these."""
    from mvmdb.pictures.color import pivot_of

    fine = (name for name in products if parse_product_name(name)[0].scale == "fine")
    return sorted(name for name in fine if pivot_of(name) is not None)


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("jpg", ".jpg", "the mosaic, of 2048 pixels at most", _make_jpg),
        Kind("thumb", "_thumb.jpg", "the mosaic, of 256 pixels at most", _make_thumb),
        Kind("wht", "_wht.jpg", "the weights", _make_wht),
        Kind("color", "_color.jpg", "a sky cell in colours", _make_color, "skycell", _with_wavelength),
    )
}
