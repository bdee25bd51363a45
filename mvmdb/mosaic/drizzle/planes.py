"""The arrays of a mosaic while it is made, whole or in part; what falls on them is decided elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mvmdb.mosaic.drizzle.variance import Plane, error_of

Extension = Literal["SCI", "WHT", "ERR"]
Block = tuple[Extension, int, Plane]
"""Finished rows of one array: its extension, the first row (0-based), and (rows, columns) of any byte order."""

BLOCK_BYTES = 1 << 20
"""Bytes of an array that are handled at once: what is read, turned into other bytes, hashed and written stays in the
processor's cache."""


@dataclass(frozen=True, slots=True)
class Planes:
    """The arrays of a mosaic, or of a band of it, float32, rows by columns, and the row that they begin with.

    `science` is in electrons/s per output pixel, `weight` is exposure time by covered area, `variance` in the square of
    science's units, None where no errors are wanted. Science and variance are 0 where weight is 0; `finished_blocks`
    puts the NaNs.
    """

    science: Plane
    weight: Plane
    first: int = 0
    variance: Plane | None = None

    @classmethod
    def empty(cls, shape: tuple[int, int], rows: range | None = None, errors: bool = False) -> Planes:
        """Planes of a canvas of `shape` (rows, columns), or of some of its rows, that nothing was drizzled onto."""
        rows = range(shape[0]) if rows is None else rows
        size = (len(rows), shape[1])
        variance = np.zeros(size, np.float32) if errors else None
        return cls(np.zeros(size, np.float32), np.zeros(size, np.float32), rows.start, variance)

    @property
    def rows(self) -> range:
        """The canvas' rows, 0-based, that are here."""
        return range(self.first, self.first + self.science.shape[0])


def extensions_of(errors: bool) -> tuple[Extension, ...]:
    """The arrays of a product in the order of its file."""
    return ("SCI", "WHT", "ERR") if errors else ("SCI", "WHT")


def finished_blocks(planes: Planes) -> Iterator[Block]:
    """The rows as a product has them, big-endian: science, NaN where weight is 0, then weight, and errors if any."""
    parts = [
        slice(part.start, part.stop) for part in split_blocks(range(planes.science.shape[0]), planes.science.shape[1])
    ]
    for part in parts:
        block = planes.science[part].astype(">f4")
        block[planes.weight[part] == 0.0] = np.nan
        yield "SCI", planes.first + part.start, block
    for part in parts:
        yield "WHT", planes.first + part.start, planes.weight[part].astype(">f4")
    if planes.variance is not None:
        for part in parts:
            error = error_of(planes.variance[part], planes.weight[part])
            yield "ERR", planes.first + part.start, error.astype(">f4")


def split_blocks(rows: range, columns: int) -> list[range]:
    """Some rows in groups of about `BLOCK_BYTES`."""
    step = max(1, BLOCK_BYTES // (4 * columns))
    return [range(top, min(top + step, rows.stop)) for top in range(rows.start, rows.stop, step)]
