"""Aligns exposures together: finds their sources, matches them, and solves for all motions at once."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import shapely
from numpy.typing import NDArray

from mvmdb.alignment.matching import Matches, match_lists
from mvmdb.alignment.partners import choose_partners
from mvmdb.alignment.plane import middle_of, outline_of
from mvmdb.alignment.reference import Reference
from mvmdb.alignment.solve import Link, Motions, solve_motions
from mvmdb.alignment.sources import SourceList, find_sources
from mvmdb.alignment.values import FEWEST, Aligned, AlignInput, AlignmentResult, Fit
from mvmdb.components import group_connected
from mvmdb.correction import Correction, sky_to_tangent, tangent_to_sky
from mvmdb.errors import ExposureError, InputError, UsageError
from mvmdb.monitor import SILENT, Monitor
from mvmdb.workers.executor import Workers
from mvmdb.workers.serial import IN_THIS_PROCESS

log = logging.getLogger(__name__)

Float = NDArray[np.float64]

PARTNERS = 8
"""Exposures with which each is matched at least, those that it overlaps most: with all, time would grow with the
square of their number."""
_MARGIN = 10.0  # arcsec around an exposure, from which reference stars are taken


def require_libraries() -> None:
    """Raises UsageError where the libraries of the extra `align` are missing."""
    for library in ("photutils", "scipy", "tweakwcs"):
        if find_spec(library) is None:
            raise UsageError(f"aligning needs {library}, which is not installed; run: pip install 'mvmdb[align]'")


@dataclass(frozen=True, slots=True, eq=False)
class _Placed:
    """An exposure in the common tangent plane: its centre, its outline and its sources, in arcsec."""

    given: AlignInput
    middle: tuple[float, float]
    centre: Float
    outline: shapely.Geometry
    sources: Float


def align_exposures(
    inputs: Sequence[AlignInput],
    reference: Reference | None = None,
    *,
    fit: Fit = "rshift",
    workers: Workers = IN_THIS_PROCESS,
    monitor: Monitor = SILENT,
) -> AlignmentResult:
    """Align exposures with each other and, where one is given, with a reference catalog.

    Exposures are linked by the sources in their overlaps, and to stars of the reference within them; all motions are
    solved for together. Without a reference, exposures that overlap one another form a group, and the mean motion of
    those with its best solutions (by name) is 0. An exposure with too few matches is refused with the numbers, and the
    others go on without it. `workers` find the sources, as that takes nearly all of the time. Nothing is written.
    Raises UsageError if a library is missing, WorkersError if the workers are lost.
    """
    require_libraries()
    refused: dict[str, str] = {}
    ordered = sorted(inputs, key=lambda one: one.ipppssoo)
    lists = _find_all(ordered, refused, workers, monitor)
    usable = [one for one in ordered if one.ipppssoo in lists]
    aligned: list[Aligned] = []
    if usable:
        ra, dec = middle_of([one.s_region for one in usable])
        placed = [_place(one, lists[one.ipppssoo], ra, dec) for one in usable]
        links, found = _link_all(placed, reference, (ra, dec), fit)
        aligned = _solve_groups(placed, links, found, (ra, dec), fit, reference, refused)
    given = ("", "") if reference is None else (reference.name, reference.digest)
    return AlignmentResult(tuple(aligned), dict(sorted(refused.items())), fit, *given)


def _find_all(
    inputs: Sequence[AlignInput], refused: dict[str, str], workers: Workers, monitor: Monitor
) -> dict[str, SourceList]:
    """The sources of each exposure, by ipppssoo; those that cannot be read are refused."""
    lists = {}
    monitor.files_announced(len(inputs))
    for done in workers.executor.each(_find_in, inputs, expected=len(inputs), name=lambda one: one.path):
        if isinstance(done.result, SourceList):
            lists[done.item.ipppssoo] = done.result
            log.info("%s: %d sources", done.item.ipppssoo, len(done.result))
        else:
            refused[done.item.ipppssoo] = str(done.result)
        monitor.files_read(1)
    return lists


def _find_in(one: AlignInput) -> SourceList | str:
    """The sources of an exposure, or why it cannot be read."""
    try:
        return find_sources(one.path, one.wcs_digest)
    except (ExposureError, InputError) as error:
        return str(error)


def _place(one: AlignInput, sources: SourceList, ra: float, dec: float) -> _Placed:
    outline = outline_of(one.s_region, ra, dec)
    middle = middle_of([one.s_region])
    centre = np.stack(sky_to_tangent(ra, dec, np.array(middle[0]), np.array(middle[1])))
    return _Placed(one, middle, centre, outline, np.stack(sky_to_tangent(ra, dec, sources.ra, sources.dec), axis=1))


def _link_all(
    placed: Sequence[_Placed], reference: Reference | None, origin: tuple[float, float], fit: Fit
) -> tuple[list[Link], dict[tuple[int, int | None], Matches]]:
    """Links between exposures, and from exposures to the reference: those that are believed, and all that was found."""
    links: list[Link] = []
    found: dict[tuple[int, int | None], Matches] = {}
    for first, second in _choose_pairs(placed):
        a, b = placed[first].sources, placed[second].sources
        matches = match_lists(a, b, fit)
        found[first, second] = matches
        if len(matches) >= matches.needed(FEWEST[fit]):
            links.append(Link(first, second, a[matches.first], b[matches.second]))
    for number, exposure in enumerate(placed if reference is not None else ()):
        assert reference is not None
        stars = _stars_of(exposure, reference, origin)
        matches = match_lists(exposure.sources, stars, fit)
        found[number, None] = matches
        # Fewer than an exposure needs may do: those that it is linked to have stars as well.
        if len(matches) >= matches.needed(1):
            links.append(Link(number, None, exposure.sources[matches.first], stars[matches.second]))
    return links, found


def _stars_of(exposure: _Placed, reference: Reference, origin: tuple[float, float]) -> Float:
    """(n, 2): the reference's stars in an exposure, at its date, in the common plane."""
    low_x, low_y, high_x, high_y = exposure.outline.bounds
    radius = float(np.hypot(high_x - low_x, high_y - low_y)) / 2 + 60.0  # 60 arcsec: for proper motions
    near = reference.around(*exposure.middle, radius)
    stars = np.stack(sky_to_tangent(*origin, *near.at(exposure.given.mjd)), axis=1)
    area = exposure.outline.buffer(_MARGIN)
    kept: Float = stars[shapely.contains_xy(area, stars[:, 0], stars[:, 1])]
    return kept


def _choose_pairs(placed: Sequence[_Placed]) -> list[tuple[int, int]]:
    """Overlapping exposures, each with its `PARTNERS` largest overlaps at least, and no group torn apart."""
    outlines = np.array([one.outline for one in placed])
    return sorted(one.pair for one in choose_partners(outlines, PARTNERS))


def _solve_groups(
    placed: Sequence[_Placed], links: list[Link], found: Mapping[tuple[int, int | None], Matches],
    origin: tuple[float, float], fit: Fit, reference: Reference | None, refused: dict[str, str],
) -> list[Aligned]:  # fmt: skip
    aligned = []
    pairs = [(one.first, one.second) for one in links if one.second is not None]
    for members in group_connected(range(len(placed)), pairs):
        ours = [link for link in links if link.first in members]
        stars = sum(len(link.a) for link in ours if link.second is None)
        short = any(sum(_count(link, number) for link in ours) < FEWEST[fit] for number in members)
        if short or (reference is not None and stars < FEWEST[fit]):
            for number in members:
                refused[placed[number].given.ipppssoo] = _why(number, placed, members, found, fit, reference, stars)
            continue
        rank = max(placed[number].given.rank for number in members)
        anchors = [place for place, number in enumerate(members) if placed[number].given.rank == rank]
        index = {number: place for place, number in enumerate(members)}
        local = [
            Link(index[one.first], None if one.second is None else index[one.second], one.a, one.b) for one in ours
        ]
        motions = solve_motions(local, np.array([placed[number].centre for number in members]), anchors, fit)
        for place, number in enumerate(members):
            one = _describe(place, placed[number], local, motions, origin)
            if one.n_matches < FEWEST[fit]:
                refused[one.ipppssoo] = _too_few(
                    one.n_matches, one.n_sources, FEWEST[fit], "after outliers are left out"
                )
            else:
                aligned.append(one)
    return sorted(aligned, key=lambda one: one.ipppssoo)


def _count(link: Link, number: int) -> int:
    return len(link.a) if number in (link.first, link.second) else 0


def _why(
    number: int, placed: Sequence[_Placed], members: Sequence[int], found: Mapping[tuple[int, int | None], Matches],
    fit: Fit, reference: Reference | None, stars: int,
) -> str:  # fmt: skip
    """Why an exposure has no solution: its best match, and what was needed."""
    n_sources = len(placed[number].sources)
    if reference is not None:
        matches = found[number, None]
        with_whom = f"with {reference.name}"
        if len(members) > 1:
            with_whom += f" ({stars} in the group of {len(members)} exposures that it is linked to)"
        return _too_few(len(matches), n_sources, matches.needed(FEWEST[fit]), with_whom)
    tried = [matches for pair, matches in found.items() if number in pair]
    if not tried:
        return f"it overlaps no other exposure, so its {n_sources} sources match nothing; give a reference"
    best = max(tried, key=len)
    return _too_few(
        len(best), n_sources, best.needed(FEWEST[fit]), f"with the best of {len(tried)} exposures that it overlaps"
    )


def _too_few(found: int, n_sources: int, needed: int, with_whom: str) -> str:
    return (
        f"{found} of its {n_sources} sources match {with_whom}; expected {needed} or more; "
        "give a deeper reference catalog, or more exposures of the field"
    )


def _describe(
    place: int, one: _Placed, links: Sequence[Link], motions: Motions, origin: tuple[float, float]
) -> Aligned:
    """The motion of an exposure in the tangent plane of its own centre.

    Both planes differ by a turn about the line of sight, which the shift's direction must not keep.
    """
    dx, dy, roll, stretch = motions.parameters[place].tolist()
    ra, dec = tangent_to_sky(*origin, np.array(one.centre[0] + dx), np.array(one.centre[1] + dy))
    own = sky_to_tangent(*one.middle, ra, dec)
    correction = Correction(*one.middle, float(own[0]), float(own[1]), float(np.degrees(roll)), float(np.exp(stretch)))
    with_stars, with_others = (
        sum(
            int(np.count_nonzero(used))
            for link, used in zip(links, motions.kept, strict=True)
            if place in (link.first, link.second) and (link.second is None) is stars
        )
        for stars in (True, False)
    )
    rms = 1000 * float(motions.rms[place])
    given = one.given
    return Aligned(given.ipppssoo, given.wcs_digest, correction, len(one.sources), with_stars, with_others, rms)
