"""The files of one projection cell: its sky cells in numbers, and all that is known about each of them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from mvmdb.catalog.ask.page.exposures import MappedExposures
from mvmdb.catalog.ask.page.places import Place
from mvmdb.names import CELLS_PER_PROJECTION_CELL, is_cell_name, parse_cell_name
from mvmdb.page.chunks import share_out
from mvmdb.page.tallies import script, tally
from mvmdb.page.tree import PageTree

FULL = 6000
"""Layers and members per file of details, about 200 KB; one sky cell is never divided."""
_EXPOSURE_LISTS = ("cameras", "filters", "targets", "catalogs", "solutions")

LAYER = (
    "kind", "n", "waiting", "exptime", "first", "last", "area", "mean", "stale", "failure", "frames", "mixed",
    "reasons", "product", "members",
)  # fmt: skip
"""What a list of a layer's values has: a place in `kinds`, ... and the members (panel.js has the same order).

`members`: places in the list of exposures, each as the difference from the one before; or one number, the place of an
earlier layer of the sky cell with the same members.
"""

Pictured = Callable[[str, str, str], str | None]
"""The picture of a product, by its sky cell, file name and digest: its address from the page, None without one."""


def write_cells(
    tree: PageTree, place: Place, exposures: MappedExposures, prints: list[list[int]], pictured: Pictured
) -> int:
    """Write the files of a projection cell; `prints` lists its files of footprints. Returns the number of sky cells."""
    base = place.projection_cell * CELLS_PER_PROJECTION_CELL
    grouped = _Grouped(place, base)
    cells = sorted({*grouped.layers, *grouped.orphans})
    files = share_out([grouped.weight(cell) for cell in cells], FULL)
    name = f"p{place.projection_cell:04d}"
    for number, together in groupby(zip(files, cells, strict=True), key=lambda pair: pair[0]):
        some = [cell for _, cell in together]
        key = f"layers/{name}-{number}"
        tree.put(f"data/{key}.js", script(key, grouped.details(some, pictured)))
    key = f"cells/{name}"
    stale = [sum(bool(row[11]) for row in grouped.layers.get(cell, ())) for cell in cells]
    value = {
        "p": place.projection_cell,
        "cells": cells,
        "files": files,
        "layers": [len(grouped.layers.get(cell, ())) for cell in cells],
        "stale": stale,
        "orphans": [len(grouped.orphans.get(cell, ())) for cell in cells],
        "prints": prints,
        "tally": _tally(place, exposures, base),
    }
    tree.put(f"data/{key}.js", script(key, value))
    return len(cells)


class _Grouped:
    """The rows of a projection cell by sky cell (its number within the projection cell) and by layer."""

    def __init__(self, place: Place, base: int) -> None:
        self.layers = {key - base: list(rows) for key, rows in groupby(place.layers, key=lambda row: row[1])}
        self._members: dict[int, list[int]] = {
            key: [row[1] for row in rows] for key, rows in groupby(place.members, key=lambda row: row[0])
        }
        self._exposures = {row[0]: row for row in place.exposures}
        self._products = {row[0]: row for row in place.products}
        self._reasons = {key: list(rows) for key, rows in groupby(place.reasons, key=lambda row: row[0])}
        self.orphans: dict[int, list[tuple[Any, ...]]] = {}
        for row in place.products:
            if row[6] is None and is_cell_name(row[1]):
                self.orphans.setdefault(parse_cell_name(row[1]).index - base, []).append(row)
        self._events: dict[int, list[tuple[Any, ...]]] = {}
        for row in place.events:
            self._events.setdefault(_cell_of_layer(row[0], base), []).append(row)

    def weight(self, cell: int) -> int:
        """How much there is to say of a sky cell."""
        return sum(1 + len(self._members.get(row[0], ())) for row in self.layers.get(cell, ()))

    def details(self, cells: Sequence[int], pictured: Pictured) -> dict[str, Any]:
        """All about some sky cells, with the exposures that they name.

        `kinds` are the names of layers without `hst_<sky cell>_`.
        """
        used = {key for cell in cells for row in self.layers.get(cell, ()) for key in self._members.get(row[0], ())}
        rows = sorted((self._exposures[key] for key in used if key in self._exposures), key=lambda row: row[1])
        place_of = {row[0]: place for place, row in enumerate(rows)}
        kinds: dict[str, int] = {}
        listed = {str(cell): self._cell(cell, place_of, kinds, pictured) for cell in cells}
        return {"exposures": _exposure_columns(rows), "kinds": list(kinds), "cells": listed}

    def _cell(
        self, cell: int, place_of: dict[int, int], kinds: dict[str, int], pictured: Pictured
    ) -> dict[str, list[Any]]:
        """A sky cell: `layers`, each a list in the order of LAYER, `orphans` and `events`."""
        layers: list[list[Any]] = []
        known: dict[tuple[int, ...], int] = {}
        for row in self.layers.get(cell, ()):
            _, _, name, _, n, waiting, exptime, first, last, area, mean, stale, failure, frames, mixed = row
            members = tuple(sorted(place_of[key] for key in self._members.get(row[0], ()) if key in place_of))
            same = known.setdefault(members, len(layers))
            product = self._products.get(name)
            layers.append([
                kinds.setdefault(name.split("_", 2)[2], len(kinds)), n, waiting, _number(exptime, 3),
                _number(first, 4), _number(last, 4), _number(area, 4), _number(mean, 3), int(bool(stale)), failure,
                frames, _number(mixed, 6), _by_code(self._reasons.get(name, ())),
                None if product is None else _product(product, pictured),
                same if same < len(layers) else _steps(members),
            ])  # fmt: skip
        orphans = [[row[0], _product(row, pictured)] for row in self.orphans.get(cell, ())]
        events = [_event(row) for row in self._events.get(cell, ())]
        return {"layers": layers, "orphans": orphans, "events": events}


def _steps(numbers: Sequence[int]) -> list[int]:
    """Each number as the difference from the one before."""
    return [b - a for a, b in zip((0, *numbers), numbers, strict=False)]


def _tally(place: Place, exposures: MappedExposures, base: int) -> dict[str, Any]:
    """The tally by sky cell: an exposure counts in each cell of which a layer holds it."""
    cell_of = {row[0]: row[1] - base for row in place.layers}
    stale_layers = {row[0] for row in place.layers if row[11]}
    mixed_layers = {row[0] for row in place.layers if (row[14] or 0) > 0}
    pairs: dict[tuple[int, int], int] = {}
    for layer, exposure in place.members:
        pair = (cell_of[layer], exposure)
        pairs[pair] = pairs.get(pair, 0) | (layer in stale_layers) | 2 * (layer in mixed_layers)
    key, ids = (np.fromiter((pair[n] for pair in pairs), np.int64, len(pairs)) for n in (0, 1))
    chosen, flags = exposures.places(ids), np.fromiter(pairs.values(), np.int64, len(pairs))
    kept = chosen >= 0  # one that came after the exposures were read is shown next time
    return tally(exposures, chosen[kept], key[kept], (flags & 1 > 0)[kept], (flags & 2 > 0)[kept])


def _exposure_columns(rows: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    """The exposures in columns: texts that repeat are places in a list of them."""
    texts = zip(*((f"{row[2]}/{row[3]}".upper(), row[4], row[8], row[9] or "", row[10] or "") for row in rows))  # noqa: B905
    columns: dict[str, Any] = {
        "names": [row[1] for row in rows],
        "programs": [row[5] for row in rows],
        "starts": [_number(row[6], 5) for row in rows],
        "seconds": [_number(row[7], 3) for row in rows],
    }
    for name, values in zip(_EXPOSURE_LISTS, texts, strict=False):
        listed = {value: place for place, value in enumerate(sorted(set(values)))}
        columns[name] = {"values": list(listed), "of": [listed[value] for value in values]}
    return columns


def _product(row: tuple[Any, ...], pictured: Pictured) -> dict[str, Any]:
    _, skycell, filename, state, digest, made_at, _ = row
    picture = pictured(skycell, filename, digest) if state != "missing" else None
    return {"file": filename, "state": state, "made": made_at, "picture": picture}


def _by_code(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    """Reasons as [code, exposures]."""
    codes: dict[str, list[str]] = {}
    for _, _, code, exposure in rows:
        codes.setdefault(code, []).extend([exposure] if exposure else [])
    return [[code, exposures] if exposures else [code] for code, exposures in codes.items()]


def _event(row: tuple[Any, ...]) -> dict[str, Any]:
    layer, at, kind, detail, reasons, n_members, seconds, run = row
    named = {"layer": layer, "at": at, "kind": kind, "detail": detail, "n": n_members, "run": run}
    codes = list(dict.fromkeys(str(reason[0]) for reason in json.loads(reasons or "[]")))
    return named | {"seconds": _number(seconds, 1), "reasons": codes}


def _cell_of_layer(layer: str, base: int) -> int:
    """The number within its projection cell of the sky cell of a layer's name; -1 for another text."""
    name = layer.split("_")[1] if "_" in layer else ""
    return parse_cell_name(name).index - base if is_cell_name(name) else -1


def _number(value: float | None, digits: int) -> float | None:
    """A number that JSON can hold, whole ones without a point."""
    if value is None or not math.isfinite(value):
        return None
    rounded = round(value, digits)
    whole = int(rounded)
    return whole if whole == rounded else rounded
