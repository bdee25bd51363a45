"""Chooses which overlapping exposures are compared, and measures their shifts; what follows, places.py solves."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from mvmdb.alignment.partners import choose_partners
from mvmdb.alignment.plane import middle_of, outline_of
from mvmdb.alignment.shifts.compact import Compact, find_compact
from mvmdb.alignment.shifts.votes import SEARCH, Float, find_shift
from mvmdb.correction import sky_to_tangent, tangent_to_sky
from mvmdb.errors import MvmdbError
from mvmdb.records import ShiftExposure, ShiftPair
from mvmdb.workers.executor import Workers

log = logging.getLogger(__name__)

PARTNERS = 6
"""Exposures with which each is compared at least, those that it overlaps most: with all, time would grow with the
square of their number, and six leave a false pair no say."""
_MARGIN = SEARCH + 1.0  # arcsec around an overlap: places are uncertain by as much


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two exposures that are compared, of which the first has the lower identity, and where they overlap.

    `ra`, `dec`: the middle, degrees. `area`: square arcsec. `reach`: from the middle to the farthest corner, arcsec.
    """

    first: ShiftExposure
    second: ShiftExposure
    ra: float
    dec: float
    area: float
    reach: float

    @property
    def names(self) -> tuple[str, str]:
        """The identities of both."""
        return self.first.ipppssoo, self.second.ipppssoo


def choose_overlaps(exposures: Sequence[ShiftExposure], known: Collection[tuple[str, str]] = ()) -> list[Overlap]:
    """The pairs to compare of exposures in one field: of each its `PARTNERS` largest overlaps, and no group torn apart.

    `known` pairs, by their identities, are compared already: they count, and are left out. Equal overlaps are taken in
    the order of identities, so the choice can be repeated.
    """
    ordered = sorted(exposures, key=lambda one: one.ipppssoo)
    if len(ordered) < 2:
        return []
    ra, dec = middle_of([one.s_region for one in ordered])
    outlines = np.array([outline_of(one.s_region, ra, dec) for one in ordered])
    place = {one.ipppssoo: n for n, one in enumerate(ordered)}
    known_places = {(place[first], place[second]) for first, second in known if first in place and second in place}
    overlaps = [
        _overlap(ordered[one.pair[0]], ordered[one.pair[1]], one.common, one.area, ra, dec)
        for one in choose_partners(outlines, PARTNERS, known_places)
    ]
    return sorted(overlaps, key=lambda one: one.names)


def _overlap(
    first: ShiftExposure, second: ShiftExposure, common: shapely.Geometry, area: float, ra: float, dec: float
) -> Overlap:
    middle = shapely.centroid(common)
    corners = shapely.get_coordinates(common)
    reach = float(np.hypot(corners[:, 0] - middle.x, corners[:, 1] - middle.y).max())
    at = tangent_to_sky(ra, dec, np.array(middle.x), np.array(middle.y))
    return Overlap(first, second, float(at[0]), float(at[1]), area, reach)


def measure_overlaps(overlaps: Sequence[Overlap], workers: Workers) -> Iterator[ShiftPair]:
    """The shift of each pair, as soon as the sources of both are found; those that cannot be read are left out.

    `workers` find the sources, of each exposure once; they are let go when its last pair is measured.
    """
    waiting: dict[str, list[Overlap]] = {}
    files: dict[str, ShiftExposure] = {}
    for one in overlaps:
        for exposure in (one.first, one.second):
            files[exposure.ipppssoo] = exposure
            waiting.setdefault(exposure.ipppssoo, []).append(one)
    lists: dict[str, Compact | None] = {}
    left = {name: len(pairs) for name, pairs in waiting.items()}
    for done in workers.executor.each(_find_in, list(files.values()), expected=len(files), name=lambda one: one.path):
        name = done.item.ipppssoo
        lists[name] = done.result if isinstance(done.result, Compact) else None
        if lists[name] is None:
            log.warning("shifts of %s are not measured: %s", name, done.result)
        for pair in waiting[name]:
            if not all(other in lists for other in pair.names):
                continue
            yield from _measure(pair, lists)
            for other in pair.names:
                left[other] -= 1
                if not left[other]:
                    lists[other] = None


def _find_in(one: ShiftExposure) -> Compact | str:
    """The sources of an exposure, or why it cannot be read."""
    try:
        return find_compact(one.path, one.wcs_digest)
    except MvmdbError as error:
        return str(error)
    except Exception as error:  # an unexpected error in one exposure must not stop the night
        log.exception("%s", one.path)
        return f"{type(error).__name__}: {error}"


def _measure(pair: Overlap, lists: Mapping[str, Compact | None]) -> Iterator[ShiftPair]:
    first, second = (lists[name] for name in pair.names)
    if first is None or second is None:
        return
    pixel = max(first.pixel, second.pixel)
    found = find_shift(_near(first, pair), _near(second, pair), pixel)
    counts = (found.n_sources, found.n_needed)
    values = (found.dx, found.dy, found.error) if found.measured else (None, None, None)
    yield ShiftPair(*pair.names, pair.ra, pair.dec, pair.area / 3600, pixel, *counts, *values)


def _near(sources: Compact, pair: Overlap) -> Float:
    """(n, 3): xi, eta in arcsec around the middle of an overlap, and height, of the sources that may lie in it."""
    ahead = np.cos(np.radians(sources.ra - pair.ra)) * np.cos(np.radians(sources.dec)) * np.cos(np.radians(pair.dec))
    ahead += np.sin(np.radians(sources.dec)) * np.sin(np.radians(pair.dec))
    kept = ahead > np.cos(np.radians((pair.reach + _MARGIN) / 3600))
    xi, eta = sky_to_tangent(pair.ra, pair.dec, sources.ra[kept], sources.dec[kept])
    return np.stack([xi, eta, sources.height[kept]], axis=1)
