"""The kinds of files that stand beside products on request, and their names.

Each file holds a mark in its first bytes (a comment, or a card of a header): what it was made of. So it is known to be
up to date wherever the archive is copied to, whatever the times of files are.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mvmdb.errors import InputError, UsageError
from mvmdb.inputs import open_plain
from mvmdb.names import is_product_in, parse_product_name

if TYPE_CHECKING:
    from mvmdb.catalog.products.observed import RecordedProduct
    from mvmdb.coverage.frame import FramedLayer
    from mvmdb.pictures.previews import SmallMosaic

NONE = "none"
_VERSION = 1
"""Count it up when files are to be made anew, since they would be made differently."""
_MARK = re.compile(rb"mvmdb companion (\w+) (\d+) ([0-9a-f]{32,40})")
_READ = 1 << 16
"""In how many bytes the mark must be."""


@dataclass(slots=True)
class Sources:
    """What files are made of: the `paths` of mosaics.

    `told`: what the first one holds, where the catalog says it and the mosaic does not. Each mosaic is made small, and
    its table read, when that is first asked for, and once for several files.
    """

    paths: tuple[Path, ...]
    told: FramedLayer | None = None
    _small: list[SmallMosaic] = field(default_factory=list)
    _held: FramedLayer | None = None

    @property
    def mosaic(self) -> SmallMosaic:
        """The first mosaic, for pictures."""
        from mvmdb.pictures.previews import SmallMosaic

        if not self._small:
            self._small.append(SmallMosaic(self.paths[0]))
        return self._small[0]

    @property
    def held(self) -> FramedLayer:
        """The exposures that the first mosaic holds, in its grid. Raises ProductError if it cannot be read."""
        from mvmdb.companions.held import read_held

        if self._held is None:
            self._held = self.told or read_held(self.paths[0])
        return self._held


Make = Callable[[Sources, Path, str], None]
"""Makes a file, with a mark in it: (what it is made of, target, mark)."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of file: beside each product, or one for a `skycell`.

    Its name is that of the product without `.fits`, or of the sky cell, with an `ending`. `make` is told the mosaics
    that it is made of, where it is to be, and its mark; it raises MvmdbError where that is not possible. `sources`
    chooses the mosaics (file names) of a sky cell that it is made of. `of_members`: it shows which exposures a mosaic
    holds, and not its pixels, which may be the same with and without one.
    """

    name: str
    ending: str
    meaning: str
    make: Make
    subject: Literal["product", "skycell"] = "product"
    sources: Callable[[Iterable[str]], list[str]] = sorted
    of_members: bool = False

    @property
    def is_picture(self) -> bool:
        """Whether it is a JPEG."""
        return self.ending.endswith(".jpg")

    def digest(self, product: RecordedProduct) -> str:
        """What a file of this kind must be made anew for, if it changes."""
        return f"{product.data_digest} {product.recipe_digest}" if self.of_members else product.data_digest

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
        return product if is_product_in(skycell, product) else None


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
    """The mark of a file made of mosaics: (file name, digest) of each."""
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


def _make_jpg(sources: Sources, target: Path, mark: str) -> None:
    from mvmdb.pictures.previews import draw_preview, write_jpeg

    write_jpeg(target, draw_preview(sources.mosaic), mark)


def _make_thumb(sources: Sources, target: Path, mark: str) -> None:
    from mvmdb.pictures.previews import draw_thumb, write_jpeg

    write_jpeg(target, draw_thumb(sources.mosaic), mark)


def _make_wht(sources: Sources, target: Path, mark: str) -> None:
    from mvmdb.pictures.previews import draw_weight, write_jpeg

    write_jpeg(target, draw_weight(sources.mosaic), mark)


def _make_color(sources: Sources, target: Path, mark: str) -> None:
    from mvmdb.pictures.color import draw_color
    from mvmdb.pictures.previews import write_jpeg

    colors, words = draw_color(list(sources.paths))
    write_jpeg(target, colors, f"{mark}; {words}")


def _make_exptime(sources: Sources, target: Path, mark: str) -> None:
    from mvmdb.coverage.frame_file import write_map

    _write(write_map, sources.held, target, mark)


def _make_exposures(sources: Sources, target: Path, mark: str) -> None:
    from mvmdb.coverage.frame_file import write_list

    _write(write_list, sources.held, target, mark)


def _write(write: Callable[[Path, FramedLayer, str], None], held: FramedLayer, target: Path, mark: str) -> None:
    try:
        write(target, held, mark)
    except OSError as error:
        raise InputError(
            f"cannot write {target} ({error.strerror or error}); expected a folder that can be written"
        ) from error


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
        Kind(
            "exptime",
            "_exptime.fits",
            "exposure time and number of exposures of each pixel",
            _make_exptime,
            of_members=True,
        ),
        Kind("exposures", "_exposures.ecsv", "the exposures that the mosaic holds", _make_exposures, of_members=True),
    )
}
