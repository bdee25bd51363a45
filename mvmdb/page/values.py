"""What the writer of the sky map is told, and what it says that it did."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from mvmdb.errors import UsageError
from mvmdb.shown import Shown, Told

_SCHEMES = ("", "http", "https", "file")


@dataclass(frozen=True, slots=True)
class PageOptions:
    """How the map is written.

    `title`: its heading. `products_url`: the address under which the web server shows the products folder, absolute or
    relative to the page; None for `file:` links. `sql_url`: the page of an SQL browser such as Datasette's
    `https://host/mvm`, to which `?sql=...` is added; None to show the SQL with a button that copies it. `pictures`:
    make small pictures of mosaics. Raises UsageError for an address that is none of the web's, or of a file.
    """

    title: str = "Hubble multi-visit mosaics"
    products_url: str | None = None
    sql_url: str | None = None
    pictures: bool = False

    def __post_init__(self) -> None:
        for name, url in (("products-url", self.products_url), ("sql-url", self.sql_url)):
            if url is not None:
                _require_web(name, url)


@dataclass(frozen=True, slots=True, repr=False)
class PageReport(Shown):
    """What was written: `index` is the path of index.html.

    `files` and `size` (bytes) are of the whole page; `written`, `unchanged` and `removed` count files. `first_view` is
    how many bytes a browser loads until it shows the whole sky. `problems`: products of which no picture could be made.
    """

    index: str
    exposures: int
    skycells: int
    layers: int
    files: int
    size: int
    first_view: int
    written: int
    unchanged: int
    removed: int
    pictures: int = 0
    problems: tuple[str, ...] = ()

    @property
    def attention(self) -> bool:
        """Whether a picture could not be made."""
        return bool(self.problems)

    def tell(self) -> Told:
        """What the page shows, and which files changed."""
        line = (
            f"{self.index}: {self.exposures} exposures, {self.skycells} sky cells, {self.layers} layers; "
            f"{self.files} files, {self.written} written, {self.unchanged} unchanged, {self.removed} removed"
        )
        return Told(line, ("problem",), ((problem,) for problem in self.problems))


def _require_web(name: str, url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageError(f"{name} is {url!r} ({error}); expected an address like https://host/products") from error
    if parts.scheme.lower() not in _SCHEMES or any(c in url for c in " '\"<>\\;,") or not url.isprintable():
        raise UsageError(f"{name} is {url!r}; expected an address like https://host/products, without spaces or quotes")
