"""Carries out one SkyJob: reads its exposures, and measures the skies of pairs and the noise of pixels."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from mvmdb.errors import MemberUnusableError, ProductError
from mvmdb.mosaic.flux import Flux
from mvmdb.mosaic.grid import LayerGrid
from mvmdb.mosaic.inputs import InspectedMember, check_unchanged, inspect_member
from mvmdb.mosaic.skies.differences import measure_differences
from mvmdb.mosaic.skies.noise import measure_noise
from mvmdb.mosaic.skies.source import SkySource
from mvmdb.names import parse_cell_name
from mvmdb.records import Canvas, MeasuredSkies, MemberInput, SkyJob, SkyPair
from mvmdb.remote.files import keep_fetched

_ORIGIN = Canvas(1, 1, 1, 1)
"""Overlaps are drawn in pixels of the cell, whatever its layers' canvas is: a pair is measured once for all of them."""


def measure_skies(job: SkyJob) -> MeasuredSkies:
    """Measure what a job asks for. Exposures are only read; those that cannot be are named in the result."""
    try:
        return keep_fetched(partial(_measure, job))
    except ProductError as error:  # a file that went or changed meanwhile
        return MeasuredSkies(unread=tuple((member.ipppssoo, str(error)) for member in job.members))


def _measure(job: SkyJob) -> MeasuredSkies:
    unread: dict[str, str] = {}
    refused: dict[str, tuple[str, str]] = {}
    inspected: dict[str, InspectedMember] = {}
    noise: dict[str, float] = {}
    for member in job.members:
        try:
            inspected[member.ipppssoo] = inspect_member(member)
            if member.ipppssoo in job.noise_of:
                noise[member.ipppssoo] = measure_noise(member, job.recipe)
        except ProductError as error:
            unread[member.ipppssoo] = str(error)
        except MemberUnusableError as error:
            refused[error.ipppssoo] = (error.rule, str(error))
    while True:
        out = unread.keys() | refused.keys()
        members = [member for member in job.members if member.ipppssoo not in out]
        wanted = [pair for pair in job.pairs if not out & set(pair)]
        try:
            pairs = _measure_pairs(job, members, wanted, inspected)
            check_unchanged(inspected[member.ipppssoo] for member in members)
            break
        except MemberUnusableError as error:
            if error.ipppssoo in out:
                raise
            refused[error.ipppssoo] = (error.rule, str(error))
    return MeasuredSkies(
        pairs,
        tuple((name, value) for name, value in noise.items() if name not in refused),
        tuple(unread.items()),
        tuple((name, *why) for name, why in refused.items()),
    )


def _measure_pairs(
    job: SkyJob,
    members: Iterable[MemberInput],
    wanted: Iterable[tuple[str, str]],
    inspected: dict[str, InspectedMember],
) -> tuple[SkyPair, ...]:
    grid = LayerGrid(parse_cell_name(job.cell), "fine", _ORIGIN)
    sources = [
        SkySource(
            member.ipppssoo,
            member.path,
            tuple(grid.outlines_on_canvas(inspected[member.ipppssoo].outlines)),
            member.alternate,
            job.photflam,
        )
        for member in members
    ]
    place = {source.ipppssoo: index for index, source in enumerate(sources)}
    pairs = [(place[first], place[second]) for first, second in wanted]
    photometries = {name: one.dataset.exposure.photometry for name, one in inspected.items()}
    return Flux.to(job.photflam, photometries).pairs_anywhere(measure_differences(sources, pairs, grid, job.recipe))
