"""What the files of each projection cell were written from, so that those of which nothing changed are left alone."""

from __future__ import annotations

import hashlib
import json
import marshal
from dataclasses import dataclass
from importlib.resources import files
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvmdb.atomic import replace_file
from mvmdb.catalog.ask.page.exposures import MappedExposures
from mvmdb.catalog.ask.page.places import Place
from mvmdb.page.cells import Pictured, write_cells
from mvmdb.page.prints import find_new, write_prints
from mvmdb.page.tree import SOURCES, PageTree, is_same

_WRITERS = ("cells.py", "chunks.py", "prints.py", "tallies.py")
"""The modules whose change may change what is written from the same rows."""
_PLAIN = 2
"""The format of marshal that says each value anew: later ones depend on which objects are the same."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A projection cell as it was written: the digest of its sources, its number of sky cells, and the stamps of its
    files.
    """

    digest: str
    n_cells: int
    files: dict[str, list[int]]


class PageMemory:
    """What is known of the projection cells of a page, as the last run left them."""

    def __init__(self, tree: PageTree) -> None:
        self._tree = tree
        self._known = _read(tree)
        self._written: dict[str, tuple[str, int, list[str]]] = {}
        code = b"".join((files("mvmdb.page") / name).read_bytes() for name in _WRITERS)
        self._code = hashlib.blake2b(code, digest_size=16).hexdigest()

    def write(self, place: Place, exposures: MappedExposures, seen: NDArray[np.bool_], pictured: Pictured) -> int:
        """Write the files of a projection cell, unless they are there and were written from the same; mark in `seen`
        the exposures whose footprints they have. Returns the number of sky cells.
        """
        key = str(place.projection_cell)
        pictures = {row[:5]: pictured(row[1], row[2], row[4]) for row in place.products if row[3] != "missing"}
        digest = self._digest(place, exposures, seen, pictures)
        known = self._known.get(key)
        if known is not None and known.digest == digest and self._tree.keep_all(known.files):
            seen[find_new(place, exposures, seen)[1]] = True
            self._written[key] = (digest, known.n_cells, list(known.files))
            return known.n_cells
        by_name = {(row[1], row[2], row[4]): picture for row, picture in pictures.items()}
        before = len(self._tree.sizes)
        prints = write_prints(self._tree, place, exposures, seen)
        n_cells = write_cells(self._tree, place, exposures, prints, lambda *names: by_name.get(names))
        self._written[key] = (digest, n_cells, list(islice(self._tree.sizes, before, None)))
        return n_cells

    def save(self) -> None:
        """Keep what was written for the next run, once the tree is finished. Raises OSError."""
        value = {
            key: (digest, n_cells, {name: self._tree.stamp(name) for name in names})
            for key, (digest, n_cells, names) in self._written.items()
        }
        content = json.dumps(value, separators=(",", ":")).encode("ascii")
        if is_same(self._tree.folder / SOURCES, content):
            return
        replace_file(self._tree.folder / SOURCES, lambda file: file.write(content))

    def _digest(
        self, place: Place, exposures: MappedExposures, seen: NDArray[np.bool_], pictures: dict[Any, str | None]
    ) -> str:
        """A digest of all that the files of a projection cell follow from."""
        at = exposures.places(np.array([row[0] for row in place.exposures], np.int64))
        mapped = [
            column[at].tobytes() for column in (exposures.frame, exposures.stale, exposures.mixed, seen)
        ] if len(exposures) else []  # fmt: skip
        rows = (place.layers, place.members, place.exposures, place.products, place.reasons, place.events)
        sources = (self._code, rows, (at >= 0).tobytes(), mapped, sorted(pictures.items()))
        return hashlib.blake2b(marshal.dumps(sources, _PLAIN), digest_size=16).hexdigest()


def _read(tree: PageTree) -> dict[str, _Known]:
    """What the last run left; nothing if there is no such file, or another's."""
    try:
        value = json.loads((tree.folder / SOURCES).read_bytes())
        return {
            key: _Known(str(one[0]), int(one[1]), {name: list(stamp) for name, stamp in one[2].items()})
            for key, one in value.items()
        }
    except (OSError, ValueError, AttributeError, LookupError, TypeError):
        return {}
