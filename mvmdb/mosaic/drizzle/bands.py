"""Drizzling a canvas in bands of rows, so that a job stays within its memory; the pixels do not depend on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
import shapely

from mvmdb.errors import ProductError
from mvmdb.mosaic.drizzle.members import DrizzledChip, DrizzledMember, drizzle_members
from mvmdb.mosaic.drizzle.planes import Block, Planes, extensions_of, finished_blocks
from mvmdb.mosaic.drizzle.raster import polygon_rings, scan_rings
from mvmdb.mosaic.grid import LayerGrid
from mvmdb.mosaic.product.read import StoredProduct, check_data, load_planes
from mvmdb.recipe import Recipe

RESERVE_MB = 400
"""What a job takes beside its planes: the program, one chip of any Hubble detector, and the masks of its sky."""
ERRORS_MB = 100
"""What it takes more with errors, beside their plane: ERR of a chip as stored and as used, and rows being finished."""
FEWEST_ROWS = 256
"""Squares of a chip that lie on two bands are drizzled twice: lower bands would cost more time than is worth it."""
NEAR = 1.0
"""Rows between a footprint and the middle of a band's outermost row from which the footprint's member cannot reach the
band: half a row, and the tenth of one by which an outline may lie inside the true edge."""


@dataclass(frozen=True, slots=True)
class BandedDrizzle:
    """Some members to be drizzled, onto what a present product holds or onto nothing, band by band.

    `reach` has the first and last row (0-based, on the canvas) that each member's footprint touches. `loading` is the
    first band as `load_band` makes it, where that was begun before.
    """

    grid: LayerGrid
    recipe: Recipe
    members: Sequence[DrizzledMember]
    reach: Sequence[tuple[float, float]]
    present: StoredProduct | None
    loading: Future[Planes] | None = None

    def start(self, bands: Sequence[range]) -> tuple[list[DrizzledChip], Iterator[Block]]:
        """Drizzle the first band, and return what was used of each chip, and the finished rows of all bands.

        Every member is read in the first band, also where it does not touch it; the rest is drizzled as rows are asked
        for. Raises MemberUnusableError, and ProductError where the present product is damaged.
        """
        if self.present is not None and len(bands) > 1:
            check_data(self.present)
        planes, used = self._drizzle(bands[0], self.members, self.loading)
        return used, self._go_on(planes, bands)

    def _go_on(self, planes: Planes, bands: Sequence[range]) -> Iterator[Block]:
        yield from finished_blocks(planes)
        for rows in bands[1:]:
            del planes  # before others take their place
            near = [
                member
                for member, (low, high) in zip(self.members, self.reach, strict=True)
                if high > rows.start - NEAR and low < rows.stop - 1 + NEAR
            ]
            planes, _ = self._drizzle(rows, near)
            yield from finished_blocks(planes)

    def _drizzle(
        self, rows: range, members: Sequence[DrizzledMember], loading: Future[Planes] | None = None
    ) -> tuple[Planes, list[DrizzledChip]]:
        planes = load_band(self.present, self.grid, rows, self.recipe.errors) if loading is None else loading.result()
        return planes, drizzle_members(planes, members, self.grid, self.recipe)


def load_band(present: StoredProduct | None, grid: LayerGrid, rows: range, errors: bool) -> Planes:
    """Planes of some rows with what a present product holds. Raises ProductError where that is damaged."""
    planes = Planes.empty(grid.shape, rows, errors)
    if present is not None:
        load_planes(present, grid, planes)
    return planes


def split_rows(shape: tuple[int, int], memory_mb: int | None, errors: bool = False) -> list[range]:
    """The bands of a canvas of `shape` (rows, columns), all but the last of one height: one, where there is no limit.

    With `errors` a pixel takes 12 bytes, else 8. Raises ProductError where the limit is too low.
    """
    if memory_mb is None:
        return [range(shape[0])]
    row = len(extensions_of(errors)) * 4 * shape[1]
    reserve = RESERVE_MB + (ERRORS_MB if errors else 0)
    height = int((memory_mb - reserve) * 1e6) // row
    if height >= shape[0]:
        return [range(shape[0])]
    if height < FEWEST_ROWS:
        least = reserve + -(-FEWEST_ROWS * row // 1_000_000)
        raise ProductError(
            f"{memory_mb} MB are too few for a canvas of {shape[1]} columns; expected {least} at least; "
            "allow more memory (--memory)"
        )
    return [range(top, min(top + height, shape[0])) for top in range(0, shape[0], height)]


def share_rows(outlines: Sequence[shapely.Geometry], shape: tuple[int, int], parts: int) -> list[range]:
    """The rows of a canvas of `shape` (rows, columns) in bands, `parts` at most, of about the same work.

    Work is the area of the chips' outlines, in 0-based canvas pixels.
    """
    width = np.ones(shape[0])  # so that a canvas that nothing falls on has work too
    for outline in outlines:
        spans = scan_rings(polygon_rings(outline), shape)
        width += np.bincount(spans.row, weights=spans.stop - spans.start, minlength=shape[0])
    done = np.cumsum(width)
    cuts = np.searchsorted(done, done[-1] * np.arange(1, parts) / parts)
    return [range(top, bottom) for top, bottom in pairwise([0, *cuts.tolist(), shape[0]]) if bottom > top]


def in_file_order(bands: Sequence[Iterator[Block]]) -> Iterator[Block]:
    """The finished rows of several bands, array by array, as they lie in the file: so they are hashed as they go by."""
    first, *others = (groupby(band, key=lambda block: block[0]) for band in bands)
    for _, blocks in first:
        yield from blocks
        for other in others:
            yield from next(other)[1]
