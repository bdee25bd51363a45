"""Drizzling a canvas in bands of rows, to stay within a job's memory limit; the pixels do not depend on the bands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
"""Memory of a job besides its planes: the program, one chip of any Hubble detector, and the masks for its sky."""
ERRORS_MB = 100
"""Further memory where members' errors are read, besides their plane: ERR of a chip as stored and as used."""
FEWEST_ROWS = 256
"""Least height of a band. A chip's squares on the border of two bands are drizzled twice: lower bands take too long."""
NEAR = 1.0
"""Rows between a footprint and the middle of a band's outermost row from which the footprint's member cannot reach the
band: half a row, and the tenth of one by which an outline may lie inside the true edge."""


@dataclass(frozen=True, slots=True)
class BandedDrizzle:
    """Members to be drizzled band by band, onto the present product or onto an empty canvas.

    `reach` has the first and last row (0-based, on the canvas) that each member's footprint touches. `loading` waits
    for the first band as `load_band` makes it, where that was begun before. `scale` is the factor of the present
    product's pixels.
    """

    grid: LayerGrid
    recipe: Recipe
    members: Sequence[DrizzledMember]
    reach: Sequence[tuple[float, float]]
    present: StoredProduct | None
    loading: Callable[[], Planes] | None = None
    scale: float = 1.0

    def start(self, bands: Sequence[range], *, with_shapes: bool = False) -> tuple[list[DrizzledChip], Iterator[Block]]:
        """Drizzle the first band, and return what was used of each chip, and the finished rows of all bands.

        Every member is read for the first band, even one that does not touch it; further bands are drizzled when their
        rows are requested. `with_shapes` as in `drizzle_members`. Raises MemberUnusableError, and ProductError if the
        present product is damaged.
        """
        if self.present is not None and len(bands) > 1:
            check_data(self.present)
        planes, used = self._drizzle(bands[0], self.members, self.loading, with_shapes=with_shapes)
        return used, self._go_on(planes, bands)

    def _go_on(self, planes: Planes, bands: Sequence[range]) -> Iterator[Block]:
        yield from finished_blocks(planes)
        for rows in bands[1:]:
            del planes  # their memory is free before the next band takes its own
            in_reach = [
                member
                for member, (low, high) in zip(self.members, self.reach, strict=True)
                if high > rows.start - NEAR and low < rows.stop - 1 + NEAR
            ]
            planes, _ = self._drizzle(rows, in_reach)
            yield from finished_blocks(planes)

    def _drizzle(
        self,
        rows: range,
        members: Sequence[DrizzledMember],
        loading: Callable[[], Planes] | None = None,
        *,
        with_shapes: bool = False,
    ) -> tuple[Planes, list[DrizzledChip]]:
        planes = load_band(self.present, self.grid, rows, self.recipe.errors) if loading is None else loading()
        planes.rescale(self.scale)
        return planes, drizzle_members(planes, members, self.grid, self.recipe, with_shapes=with_shapes)


def load_band(present: StoredProduct | None, grid: LayerGrid, rows: range, errors: bool) -> Planes:
    """Planes of some rows, with the present product's pixels, if any. Raises ProductError where it is damaged."""
    planes = Planes.empty(grid.shape, rows, errors)
    if present is not None:
        load_planes(present, grid, planes)
    return planes


def split_rows(
    shape: tuple[int, int], memory_mb: int | None, errors: bool = False, reads_errors: bool = False
) -> list[range]:
    """The bands of a canvas of `shape` (rows, columns): one without a limit, else of equal height except the last.

    A pixel takes 8 bytes, or 12 with `errors`. `reads_errors`: members' errors are read, if not drizzled. Raises
    ProductError where the limit is too low.
    """
    if memory_mb is None:
        return [range(shape[0])]
    row = len(extensions_of(errors)) * 4 * shape[1]
    reserve = RESERVE_MB + (ERRORS_MB if errors or reads_errors else 0)
    height = int((memory_mb - reserve) * 1e6) // row
    if height >= shape[0]:
        return [range(shape[0])]
    if height < FEWEST_ROWS:
        least = reserve + -(-FEWEST_ROWS * row // 1_000_000)
        raise ProductError(
            f"{memory_mb} MB is too little for a canvas of {shape[1]} columns; expected at least {least} MB; "
            "allow more memory (--memory)"
        )
    return [range(top, min(top + height, shape[0])) for top in range(0, shape[0], height)]


def share_rows(outlines: Sequence[shapely.Geometry], shape: tuple[int, int], n_bands: int) -> list[range]:
    """The rows of a canvas of `shape` (rows, columns) in at most `n_bands` bands of about equal work.

    Work is the area that the chips' outlines, in 0-based canvas pixels, cover in a band.
    """
    width = np.ones(shape[0])  # not 0, so that a canvas without footprints can be shared too
    for outline in outlines:
        spans = scan_rings(polygon_rings(outline), shape)
        width += np.bincount(spans.row, weights=spans.stop - spans.start, minlength=shape[0])
    work = np.cumsum(width)
    cuts = np.searchsorted(work, work[-1] * np.arange(1, n_bands) / n_bands)
    return [range(top, bottom) for top, bottom in pairwise([0, *cuts.tolist(), shape[0]]) if bottom > top]


def in_file_order(bands: Sequence[Iterator[Block]]) -> Iterator[Block]:
    """The finished rows of several bands, array by array as in the file, so that they can be hashed as they pass."""
    first_band, *next_bands = (groupby(band, key=lambda block: block[0]) for band in bands)
    for _, blocks in first_band:
        yield from blocks
        for band in next_bands:
            yield from next(band)[1]
