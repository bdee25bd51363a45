"""The pictures of mosaics that the map shows: those that stand beside the products, or small ones made for it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from astropy.io import fits

from mvmdb.page.tree import PageTree
from mvmdb.pictures.mosaics import require_pictures, shrink, stretch

LARGEST = 512
"""The longest side of a small picture, in pixels."""


@dataclass(slots=True)
class Pictures:
    """Where the picture of each product is; with `make`, those of the page are made where the product has changed."""

    tree: PageTree
    products: Path | None
    products_url: str
    make: bool
    made: int = 0
    problems: list[str] = field(default_factory=list)

    def find(self, skycell: str, filename: str, digest: str) -> str | None:
        """The address of a product's picture as the page links to it, or None if there is none."""
        if self.products is None or not filename.endswith(".fits"):
            return None
        stem = filename.removesuffix(".fits")
        if self.make:
            return self._own(skycell, stem, digest)
        beside = _names(str(self.products / skycell))
        for name in (f"{stem}_thumb.jpg", f"{stem}.jpg"):
            if name in beside:
                return f"{self.products_url}/{quote(skycell)}/{quote(name)}"
        return None

    def _own(self, skycell: str, stem: str, digest: str) -> str | None:
        """A picture in the page's folder, named by the digest of the product, so that a new product gets a new one."""
        name = f"pictures/{skycell}/{stem}.{digest[-12:]}.jpg"
        if self.tree.keep(name):
            return quote(name)
        assert self.products is not None
        source = self.products / skycell / f"{stem}.fits"
        try:
            self.tree.put(name, _shrunk(source))
        except (OSError, KeyError, ValueError, TypeError) as error:
            self.problems.append(f"{source}: no picture could be made ({error})")
            return None
        self.made += 1
        return quote(name)


def _shrunk(source: Path) -> bytes:
    """A small JPEG of a mosaic. Raises OSError, KeyError or ValueError if it cannot be read."""
    from io import BytesIO

    buffer = BytesIO()
    with fits.open(source, memmap=True) as hdus:
        grey = stretch(shrink(hdus["SCI"].data, LARGEST))
    require_pictures().fromarray(grey[::-1]).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


@lru_cache(maxsize=8)
def _names(folder: str) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))
    except OSError:
        return frozenset()
