"""The arrays of a mosaic while it is made, all rows or some; members.py drizzles onto them."""

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
"""Bytes of an array that are handled at once: what is read, byte-swapped, hashed and written stays in the processor's
cache."""


@dataclass(frozen=True, slots=True)
class Planes:
    """The arrays of a mosaic, or of a band of it, (rows, columns) in float32, and the row that they begin with.

    `science` is in electrons/s per output pixel, `weight` is exposure time times covered area, `variance` in
    science's units squared, None without errors. Science and variance are 0 where weight is 0; `finished_blocks` sets
    the NaNs.
    """

    science: Plane
    weight: Plane
    first: int = 0
    variance: Plane | None = None

    @classmethod
    def empty(cls, shape: tuple[int, int], rows: range | None = None, errors: bool = False) -> Planes:
        """Empty planes of a canvas of `shape` (rows, columns), or of some of its rows."""
        rows = range(shape[0]) if rows is None else rows
        size = (len(rows), shape[1])
        variance = np.zeros(size, np.float32) if errors else None
        return cls(np.zeros(size, np.float32), np.zeros(size, np.float32), rows.start, variance)

    @property
    def rows(self) -> range:
        """The rows of the canvas, 0-based, that these planes have."""
        return range(self.first, self.first + self.science.shape[0])

    def rescale(self, factor: float) -> None:
        """Multiply science by a factor, and variance by its square; 1 changes no bit."""
        if factor == 1.0:
            return
        np.multiply(self.science, np.float32(factor), out=self.science)
        if self.variance is not None:
            np.multiply(self.variance, np.float32(factor**2), out=self.variance)


def extensions_of(errors: bool) -> tuple[Extension, ...]:
    """The arrays of a product in the order of its file."""
    return ("SCI", "WHT", "ERR") if errors else ("SCI", "WHT")


def finished_blocks(planes: Planes) -> Iterator[Block]:
    """The rows as a product has them, big-endian: science, NaN where weight is 0, then weight, and errors if any."""
    n_rows, n_columns = planes.science.shape
    slices = [slice(rows.start, rows.stop) for rows in split_blocks(range(n_rows), n_columns)]
    for rows in slices:
        block = planes.science[rows].astype(">f4")
        block[planes.weight[rows] == 0.0] = np.nan
        yield "SCI", planes.first + rows.start, block
    for rows in slices:
        yield "WHT", planes.first + rows.start, planes.weight[rows].astype(">f4")
    if planes.variance is not None:
        for rows in slices:
            error = error_of(planes.variance[rows], planes.weight[rows])
            yield "ERR", planes.first + rows.start, error.astype(">f4")


def split_blocks(rows: range, columns: int) -> list[range]:
    """`rows` of an array of so many `columns`, in groups of about `BLOCK_BYTES`."""
    step = max(1, BLOCK_BYTES // (4 * columns))
    return [range(top, min(top + step, rows.stop)) for top in range(rows.start, rows.stop, step)]
