"""The footprints of many exposures as flat arrays, and the shape of each polygon; cells play no part here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mvmdb.errors import InputError
from mvmdb.sky.region import MAX_RADIUS
from mvmdb.sky.sphere import FloatArray, sky_to_vector

IntArray = NDArray[np.int64]
BLOCK_VERTICES = 1 << 16
"""Vertices handled at once: a few arrays of this size fit in a processor's cache."""
_FEWEST_VERTICES = 4
_POLYGON_PREFIX = "POLYGON ICRS "
_SHOWN = 60
"""Characters of a region that an error shows."""


@dataclass(frozen=True, slots=True)
class Footprints:
    """The polygons of `n` exposures, in ragged arrays.

    `ra`, `dec`: the vertices in degrees, polygon by polygon, in either winding, the first vertex not repeated.
    `polygon_start`: n_polygons + 1 offsets into them. `owner`: the exposure, 0 to n - 1, of each polygon, in
    non-decreasing order; an exposure may have no polygon.
    """

    ra: FloatArray
    dec: FloatArray
    polygon_start: IntArray
    owner: IntArray
    n: int

    def __post_init__(self) -> None:
        sizes = np.diff(self.polygon_start)
        n_vertices = len(self.ra)
        if len(self.dec) != n_vertices or self.polygon_start[0] != 0 or self.polygon_start[-1] != n_vertices:
            raise InputError(
                f"polygon_start ends at {self.polygon_start[-1]}; expected 0 to {n_vertices}, the number of ra and dec"
            )
        if len(self.owner) != len(sizes) or (np.diff(self.owner) < 0).any():
            raise InputError(
                "owners of polygons are out of order; expected one exposure per polygon, in non-decreasing order"
            )
        if len(sizes) and (self.owner[0] < 0 or self.owner[-1] >= self.n):
            raise InputError(f"owners run from {self.owner[0]} to {self.owner[-1]}; expected 0 to {self.n - 1}")
        if (sizes < 3).any():
            bad = int(np.argmax(sizes < 3))
            raise InputError(f"exposure {self.owner[bad]} has a polygon of {sizes[bad]} vertices; expected 3 or more")

    @classmethod
    def from_polygons(cls, exposures: Sequence[Sequence[FloatArray]]) -> Footprints:
        """Footprints of exposures given as lists of (n, 2) polygons of ra and dec in degrees."""
        polygons = [polygon for chips in exposures for polygon in chips]
        vertices = np.concatenate([np.empty((0, 2)), *polygons])
        start = np.concatenate([[0], np.cumsum([len(polygon) for polygon in polygons], dtype=np.int64)])
        owner = np.repeat(np.arange(len(exposures)), [len(chips) for chips in exposures])
        return cls(vertices[:, 0].copy(), vertices[:, 1].copy(), start.astype(np.int64), owner, len(exposures))

    @classmethod
    def from_regions(cls, s_regions: Sequence[str]) -> Footprints:
        """Footprints of region texts as `format_region` writes them; an empty text gives no polygons.

        Ten times as fast as `parse_region`, which reads every other dialect too. Raises InputError for a text that
        `format_region` did not write.
        """
        exposures = [text.split(_POLYGON_PREFIX)[1:] for text in s_regions]
        polygons = [polygon.split() for chips in exposures for polygon in chips]
        try:
            numbers, counts = _read_numbers(polygons)
        except ValueError as error:
            text = next(text for text in s_regions if not is_readable(text))
            shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
            raise InputError(
                f"found the region {shown!r}; expected POLYGON ICRS and pairs of ra and dec, as mvmdb writes it; where "
                "a row of the catalog was changed by hand, mvmdb verify says which, and mvmdb verify --repair mends it"
            ) from error
        start = np.concatenate([[0], np.cumsum(counts // 2)])
        owner = np.repeat(np.arange(len(exposures)), [len(chips) for chips in exposures])
        return cls(numbers[0::2].copy(), numbers[1::2].copy(), start, owner, len(exposures))

    def between(self, first: int, stop: int) -> Footprints:
        """The exposures `first` to `stop` - 1, which become 0, 1, 2 ..."""
        low, high = np.searchsorted(self.owner, [first, stop])
        start = self.polygon_start[low : high + 1]
        vertices = slice(start[0], start[-1])
        return Footprints(
            self.ra[vertices], self.dec[vertices], start - start[0], self.owner[low:high] - first, stop - first
        )

    def centers(self) -> FloatArray:
        """Vectors (3, n), not of unit length, to the mean of each exposure's vertices (see `footprint_center`)."""
        owner = np.repeat(self.owner, np.diff(self.polygon_start))
        vectors = sky_to_vector(self.ra, self.dec)
        return np.stack([np.bincount(owner, weights=component, minlength=self.n) for component in vectors])


def join_footprints(parts: Sequence[Footprints]) -> Footprints:
    """The exposures of all parts, those of the first part first."""
    parts = [Footprints.from_regions([]), *parts]
    n = np.cumsum([0, *(part.n for part in parts)])
    vertices = np.cumsum([0, *(len(part.ra) for part in parts)])
    starts = [part.polygon_start[:-1] + first for part, first in zip(parts, vertices[:-1], strict=True)]
    return Footprints(
        np.concatenate([part.ra for part in parts]),
        np.concatenate([part.dec for part in parts]),
        np.concatenate([*starts, vertices[-1:]]).astype(np.int64),
        np.concatenate([part.owner + first for part, first in zip(parts, n[:-1], strict=True)]).astype(np.int64),
        int(n[-1]),
    )


class Block(NamedTuple):
    """m polygons padded to the same number of vertices k by repeating the last vertex, which changes no area.

    `vectors`: (3, k, m) unit vectors. `center`: (3, m) unit vectors. `radius`: (m,) the greatest chord from the centre
    to a vertex. `simple`: whether the polygon is star-shaped about its centre, and so cannot cross itself.
    """

    owner: IntArray
    vectors: FloatArray
    center: FloatArray
    radius: FloatArray
    simple: NDArray[np.bool_]


def iterate_blocks(footprints: Footprints) -> Iterator[Block]:
    """All polygons, in blocks of similar vertex counts and bounded size.

    Raises InputError for coordinates that are not on the sky, and for polygons that reach more than 30 degrees from
    their centre.
    """
    sizes = np.diff(footprints.polygon_start)
    padded = np.maximum(_FEWEST_VERTICES, 2 ** np.ceil(np.log2(np.maximum(sizes, 1))).astype(np.int64))
    for width in np.unique(padded):
        chosen = np.flatnonzero(padded == width)
        length = max(1, BLOCK_VERTICES // int(width))
        for first in range(0, len(chosen), length):
            yield _load_block(footprints, chosen[first : first + length], int(width))


def _load_block(footprints: Footprints, chosen: IntArray, width: int) -> Block:
    start, stop = footprints.polygon_start[chosen], footprints.polygon_start[chosen + 1]
    vertex = np.minimum(start + np.arange(width)[:, None], stop - 1)
    ra, dec = footprints.ra[vertex], footprints.dec[vertex]
    owner = footprints.owner[chosen]
    off_sky = (~(np.isfinite(ra) & (np.abs(dec) <= 90.0))).any(axis=0)
    if off_sky.any():
        raise InputError(
            f"exposure {owner[off_sky][0]} has vertices off the sky; expected finite ra, and dec from -90 to 90"
        )
    vectors = sky_to_vector(ra, dec)
    center = vectors.sum(axis=1) - (width - (stop - start)) * vectors[:, -1]  # the padding has no weight
    length = np.sqrt((center**2).sum(axis=0))
    center = center / np.where(length > 0.0, length, np.nan)
    offset = vectors - center[:, None]
    radius = np.sqrt((offset**2).sum(axis=0).max(axis=0))
    too_wide = ~(radius <= 2.0 * np.sin(np.deg2rad(MAX_RADIUS / 2.0)))
    if too_wide.any():
        raise InputError(
            f"exposure {owner[too_wide][0]} has a polygon that reaches more than {MAX_RADIUS:g} degrees from its "
            "centre; expected a footprint"
        )
    return Block(owner, vectors, center, radius, _is_star_shaped(vectors, center, offset))


def _is_star_shaped(vectors: FloatArray, center: FloatArray, offset: FloatArray) -> NDArray[np.bool_]:
    """Whether the vertices go around the centre once and never turn back, by the signs of triple products.

    A polygon that passes does not cross itself, whether convex or not; one that fails may still be simple.
    """
    following = np.roll(offset, -1, axis=1)
    turn = center[0] * (offset[1] * following[2] - offset[2] * following[1])
    turn += center[1] * (offset[2] * following[0] - offset[0] * following[2])
    turn += center[2] * (offset[0] * following[1] - offset[1] * following[0])
    turn *= np.sign(turn.sum(axis=0))
    onward = ((turn > 0.0) | (offset == following).all(axis=0)).all(axis=0)
    axis = offset[:, 0] - center * (center * offset[:, 0]).sum(axis=0)
    ahead = (vectors * axis[:, None]).sum(axis=0) > 0.0
    one_turn = (ahead != np.roll(ahead, -1, axis=0)).sum(axis=0) == 2
    return np.asarray(onward & one_turn)


def is_readable(region: str) -> bool:
    """Whether `Footprints.from_regions` reads a region text."""
    try:
        _read_numbers([polygon.split() for polygon in region.split(_POLYGON_PREFIX)[1:]])
    except ValueError:
        return False
    return True


def _read_numbers(polygons: Sequence[Sequence[str]]) -> tuple[FloatArray, IntArray]:
    """All coordinates of polygons, and how many each has. Raises ValueError where they are no pairs of numbers."""
    numbers = np.array(list(chain.from_iterable(polygons)), dtype=float)
    counts = np.array([len(polygon) for polygon in polygons], dtype=np.int64)
    if (counts % 2).any():
        raise ValueError("an odd number of coordinates")
    return numbers, counts


def expand_ranges(start: IntArray, count: IntArray) -> IntArray:
    """start[0], start[0] + 1, ... (count[0] of them), then count[1] from start[1] on, and so on."""
    ends = np.cumsum(count)
    ranges: IntArray = np.arange(ends[-1] if len(ends) else 0) + np.repeat(start - (ends - count), count)
    return ranges
