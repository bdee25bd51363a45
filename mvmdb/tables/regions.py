"""Footprints of many rows at once, from region texts or corners, and their normalised text; places.py picks the rows.

The rules are those of sky.region, which reads one text. Here the common case, a run of plain polygons, goes through
numpy; every other text goes through `parse_region`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mvmdb.errors import InputError
from mvmdb.sky.crossing import cross_themselves
from mvmdb.sky.footprints import Footprints, IntArray
from mvmdb.sky.region import MAX_RADIUS, MOST_CHARACTERS, MOST_VERTICES, SANE_RA, parse_crossing_region
from mvmdb.sky.sphere import FloatArray, sky_to_vector, wrap_ra

DECIMALS = 9
_FRAMES = frozenset({"ICRS", "J2000", "FK5", "GSC1"})
_PUNCTUATION = str.maketrans(",()", "   ")


class Group(NamedTuple):
    """Polygons of k vertices each: `owner` (m,) are rows, `rank` (m,) orders the polygons of a row, `vertices`
    (m, k, 2) are ra and dec in degrees, `area` (m,) is in steradians."""

    owner: IntArray
    rank: IntArray
    vertices: FloatArray
    area: FloatArray


class Oriented(NamedTuple):
    """m polygons: `vertices` (m, k, 2) wound as sky.region requires and `area` in steradians, both only where not
    `wide`: reaching too far from the centre; and `star`: whether one goes around its centre once and never turns back,
    so that it cannot cross itself."""

    vertices: FloatArray
    area: FloatArray
    wide: NDArray[np.bool_]
    star: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Polygons:
    """The polygons of many rows, in row order: `vertices` (n, 2) in degrees; `sizes`, `owner` and `area` (steradians)
    one per polygon."""

    vertices: FloatArray
    sizes: IntArray
    owner: IntArray
    area: FloatArray

    def select(self, rows: IntArray) -> Footprints:
        """The footprints of these rows (increasing), which become exposures 0, 1, 2 ..."""
        kept = np.isin(self.owner, rows)
        vertices = self.vertices[np.repeat(kept, self.sizes)]
        start = np.concatenate([[0], np.cumsum(self.sizes[kept])]).astype(np.int64)
        owner = np.searchsorted(rows, self.owner[kept]).astype(np.int64)
        return Footprints(vertices[:, 0].copy(), vertices[:, 1].copy(), start, owner, len(rows))


def read_regions(texts: Sequence[tuple[int, str]]) -> tuple[list[Group], dict[int, str], dict[int, int]]:
    """The normalised polygons of (row, region text) pairs; by row, why a text is no region; and by row, how many
    polygons crossed or touched themselves, where any did.

    Accepts what `parse_region` accepts, and returns the same polygons.
    """
    plain = _split_plain(texts)
    odd = sorted(set(range(len(texts))).difference(plain.text))
    groups, failed = _group(plain)
    rows = np.array([row for row, _ in texts], dtype=np.int64)
    groups = [group._replace(owner=rows[group.owner]) for group in groups]
    problems: dict[int, str] = {}
    crossing: dict[int, int] = {}
    for index in sorted({*odd, *failed}):
        row, text = texts[index]
        try:
            polygons, crossed = parse_crossing_region(text)
        except InputError as error:
            problems[row] = str(error)
            continue
        if crossed:
            crossing[row] = crossed
        for rank, polygon in enumerate(polygons):
            groups.append(Group(np.array([row]), np.array([rank]), polygon[None], orient(polygon[None]).area))
    return groups, problems, crossing


def gather(groups: Iterable[Group]) -> Polygons:
    """All groups as one, ordered by row and rank; vertices are rounded to 9 decimals, as region texts are."""
    kept = [group for group in groups if len(group.owner)]
    if not kept:
        return Polygons(np.empty((0, 2)), np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    owner = np.concatenate([group.owner for group in kept])
    sizes = np.concatenate([np.full(len(group.owner), group.vertices.shape[1], dtype=np.int64) for group in kept])
    flat = np.concatenate([group.vertices.reshape(-1, 2) for group in kept])
    flat = np.column_stack([wrap_ra(np.round(wrap_ra(flat[:, 0]), DECIMALS)), np.round(flat[:, 1], DECIMALS)])
    order = np.lexsort((np.concatenate([group.rank for group in kept]), owner))
    start = np.cumsum(sizes) - sizes
    begins = np.cumsum(sizes[order]) - sizes[order]
    picked = np.repeat(start[order] - begins, sizes[order]) + np.arange(len(flat))
    area = np.concatenate([group.area for group in kept])
    return Polygons(flat[picked], sizes[order], owner[order], area[order])


def format_rows(polygons: Polygons, n: int) -> list[str]:
    """`POLYGON ICRS ...` of each of `n` rows, as `format_region` writes them; empty for rows without polygons."""
    texts = np.empty(len(polygons.sizes), dtype=object)
    start = np.cumsum(polygons.sizes) - polygons.sizes
    for size in np.unique(polygons.sizes):
        chosen = np.flatnonzero(polygons.sizes == size)
        values = polygons.vertices[start[chosen][:, None] + np.arange(size)].reshape(len(chosen), -1).tolist()
        template = "POLYGON ICRS " + " ".join([f"%.{DECIMALS}f"] * (2 * int(size)))
        texts[chosen] = [template % tuple(row) for row in values]
    rows = [""] * n
    for row, text in zip(polygons.owner.tolist(), texts.tolist(), strict=True):
        rows[row] = f"{rows[row]} {text}" if rows[row] else text
    return rows


def orient(vertices: FloatArray) -> Oriented:
    """Polygons (m, k, 2) wound as sky.region requires, starting at the same vertex, and what else is known of them."""
    vector = sky_to_vector(vertices[..., 0], vertices[..., 1])
    centre = vector.sum(axis=2)
    length = np.sqrt((centre**2).sum(axis=0))
    wide = (vector * centre[:, :, None]).sum(axis=0).min(axis=1) < np.cos(np.deg2rad(MAX_RADIUS)) * length
    length = np.where(length > 0.0, length, 1.0)
    offset = vector - (centre / length)[:, :, None]
    after = np.roll(offset, -1, axis=2)
    turns = centre[0][:, None] * (offset[1] * after[2] - offset[2] * after[1])
    turns += centre[1][:, None] * (offset[2] * after[0] - offset[0] * after[2])
    turns += centre[2][:, None] * (offset[0] * after[1] - offset[1] * after[0])
    turn = turns.sum(axis=1)
    turned = np.concatenate([vertices[:, :1], vertices[:, :0:-1]], axis=1)
    oriented = np.where((turn > 0.0)[:, None, None], turned, vertices)
    return Oriented(oriented, np.abs(turn) / (2.0 * length), wide, _are_stars(turns, offset))


def _are_stars(turns: FloatArray, offset: FloatArray) -> NDArray[np.bool_]:
    """Whether the vertices, `offset` from the centre, go around it once, and by `turns` never back."""
    onward = (turns > 0.0).all(axis=1) | (turns < 0.0).all(axis=1)
    if offset.shape[2] < 5:  # less than half a turn at a time: four vertices cannot go around twice
        return np.asarray(onward)
    ahead = (offset * offset[:, :, :1]).sum(axis=0) > 0.0
    return np.asarray(onward & ((ahead != np.roll(ahead, -1, axis=1)).sum(axis=1) == 2))


class _Plain(NamedTuple):
    """Texts that are plain runs of polygons: all their numbers; each polygon's index of its text, and vertex count."""

    numbers: FloatArray
    text: list[int]
    size: list[int]


def _split_plain(texts: Sequence[tuple[int, str]]) -> _Plain:
    tokens: list[str] = []
    owner: list[int] = []
    size: list[int] = []
    for index, (_, text) in enumerate(texts):
        pieces = _split_polygons(text)
        for piece in pieces:
            tokens += piece
            owner.append(index)
            size.append(len(piece) // 2)
    try:
        return _Plain(np.fromiter(map(float, tokens), np.float64, len(tokens)), owner, size)
    except ValueError:  # one text of many is no region: leave out that one alone
        return _split_plain([(row, text if _holds_numbers(text) else "") for row, text in texts])


def _split_polygons(text: str) -> list[list[str]]:
    """The numbers of each polygon, as texts; empty for a text that is anything but polygons, or is too long."""
    if len(text) > MOST_CHARACTERS:
        return []
    if "POLYGON" not in text:
        text = text.upper()
    if "(" in text or "," in text:
        text = text.translate(_PUNCTUATION)
    head, *rest = text.split("POLYGON")
    pieces = []
    for tail in rest:
        piece = tail.split()
        if piece and piece[0].upper() in _FRAMES:
            del piece[0]
        if len(piece) < 6 or len(piece) % 2:
            return []
        pieces.append(piece)
    too_many = len(text) > 4 * MOST_VERTICES and sum(map(len, pieces)) > 2 * MOST_VERTICES
    return [] if head.strip() or too_many else pieces


def _holds_numbers(text: str) -> bool:
    try:
        for token in chain.from_iterable(_split_polygons(text)):
            float(token)
    except ValueError:
        return False
    return True


def _group(plain: _Plain) -> tuple[list[Group], set[int]]:
    """The polygons by number of vertices; and the indices of texts with a polygon that numpy cannot treat."""
    owner, size = np.array(plain.text, dtype=np.int64), np.array(plain.size, dtype=np.int64)
    vertices = plain.numbers.reshape(-1, 2)
    start = np.cumsum(size) - size
    groups: list[Group] = []
    failed: set[int] = set()
    for width in np.unique(size):
        chosen = np.flatnonzero(size == width)
        corners = vertices[start[chosen][:, None] + np.arange(width)]
        on_sky = (np.abs(corners) <= (SANE_RA, 90.0)).all(axis=(1, 2))  # NaN is not
        failed.update(owner[chosen[~on_sky]].tolist())
        chosen, corners = chosen[on_sky], corners[on_sky]
        repeated = _repeated(corners)
        corners[..., 0] = wrap_ra(corners[..., 0])
        failed.update(owner[chosen[repeated[:, :-1].any(axis=1)]].tolist())
        for closed in (False, True):
            these = ~repeated[:, :-1].any(axis=1) & (repeated[:, -1] == closed)
            last = width - closed
            if last < 3:
                failed.update(owner[chosen[these]].tolist())
            elif these.any():
                oriented = orient(corners[these, :last])
                failed.update(owner[chosen[these]][_are_doubtful(oriented)].tolist())
                groups.append(Group(owner[chosen[these]], chosen[these], oriented.vertices, oriented.area))
    bad = np.array(sorted(failed), dtype=np.int64)
    return [_keep(group, ~np.isin(group.owner, bad)) for group in groups], failed


def _are_doubtful(polygons: Oriented) -> NDArray[np.bool_]:
    """Which polygons are too wide, or cross or touch themselves."""
    doubtful = polygons.wide.copy()
    others = np.flatnonzero(~doubtful & ~polygons.star)
    doubtful[others] = cross_themselves(polygons.vertices[others])
    return doubtful


def _repeated(corners: FloatArray) -> NDArray[np.bool_]:
    """Which vertices (m, k) equal the next one at the decimals of region texts; the first follows the last."""
    ra, dec = wrap_ra(np.round(wrap_ra(corners[..., 0]), DECIMALS)), np.round(corners[..., 1], DECIMALS)
    return np.asarray((ra == np.roll(ra, -1, axis=1)) & (dec == np.roll(dec, -1, axis=1)))


def _keep(group: Group, good: NDArray[np.bool_]) -> Group:
    return Group(group.owner[good], group.rank[good], group.vertices[good], group.area[good])
