"""Carries out one job: drizzle, add, recanvas or rescale, and write the product. The job says which of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from mvmdb.errors import ProductError
from mvmdb.exposures.warning_texts import join_warnings, warn_not_finite
from mvmdb.mosaic.drizzle.bands import RESERVE_MB, BandedDrizzle, in_file_order, load_band, share_rows, split_rows
from mvmdb.mosaic.drizzle.helpers import Helper, share_out, start_helpers
from mvmdb.mosaic.drizzle.members import DrizzledMember
from mvmdb.mosaic.drizzle.planes import Block, Planes
from mvmdb.mosaic.flux import Flux, find_rescaling, recalibrate_rows, rescale_rows
from mvmdb.mosaic.grid import LayerGrid
from mvmdb.mosaic.inputs import (
    InspectedMember,
    carry_cards,
    check_unchanged,
    describe_chips,
    inspect_member,
    product_cards,
)
from mvmdb.mosaic.product.findings import keep_findings
from mvmdb.mosaic.product.provenance import ChipRow, read_outlines
from mvmdb.mosaic.product.read import StoredProduct, checked_blocks, open_product
from mvmdb.mosaic.product.write import ProductText, sweep_temporaries, write_product
from mvmdb.mosaic.skies.differences import MEMORY_MB, find_sparse_pairs, measure_differences
from mvmdb.mosaic.skies.measure import find_pairs, measure_pairs, neighbours_of
from mvmdb.mosaic.skies.shift import shift_present
from mvmdb.mosaic.skies.solve import solve_skies
from mvmdb.mosaic.skies.source import SkySource
from mvmdb.mosaic.trailing import describe_trail
from mvmdb.names import format_product_name, parse_layer_name
from mvmdb.records import Action, LayerJob, MemberInput, ProductRecord, SkyPair
from mvmdb.remote.files import keep_fetched
from mvmdb.workers.background import BackgroundThread, map_in_threads

__all__ = ["make_product", "sweep_temporaries"]

log = logging.getLogger(__name__)

MOST_THREADS = 4
"""More threads than this would only wait for Python's lock."""

Outlines = Sequence[NDArray[np.float64]]
"""The outline of each chip on the sky, (n, 2) degrees."""


def make_product(job: LayerJob) -> ProductRecord:
    """Make or change one mosaic as `job` says, write it to `job.target`, and return its record.

    The result depends only on the job and the files it names, not on the catalog or the environment. The target is
    replaced in one step at the end; until then, and after any failure, it stays as it was. Members are only read.

    Raises ProductError when a member's file is missing or not the one registered, when the present product (for `add`,
    `recanvas` and `rescale`) is damaged or not the one the job starts from, or when the target cannot be written;
    MemberUnusableError when a member cannot be used (rules `empty`, `units` and `exposure time`).
    """
    return keep_fetched(partial(_make, job))


def _make(job: LayerJob) -> ProductRecord:
    target = _check_target(job)
    layer = parse_layer_name(job.layer)
    grid = LayerGrid.of_layer(layer, job.canvas)
    with start_helpers(job) as helpers:
        if job.action is Action.DRIZZLE:
            made = _drizzle_all(job, grid, helpers)
        elif job.action is Action.ADD:
            made = _add_new(job, grid, shift_present(job, _open_present(job, target)))
        elif job.action in (Action.RECANVAS, Action.SHIFT):
            made = _recanvas(job, grid, shift_present(job, _open_present(job, target)))
        elif job.action is Action.RESCALE:
            made = _rescale(job, grid, _open_present(job, target))
        else:
            raise ProductError(
                f"cannot make {job.layer} by {job.action}; expected drizzle, add, recanvas, shift or rescale"
            )
        with keep_findings(target, job.recipe_digest, made.pairs, made.warnings):
            written = write_product(target, made.text, made.blocks)
        record = replace(written, pairs=made.pairs, warnings=made.warnings)
    log.info("%s: %s of %d members on %s", job.layer, job.action, len(record.members), job.canvas)
    return record


@dataclass(frozen=True, slots=True)
class _Made:
    text: ProductText
    blocks: Iterable[Block]
    pairs: tuple[SkyPair, ...] = ()
    warnings: tuple[tuple[str, str], ...] = ()


class _Drizzled(NamedTuple):
    """HDRTAB rows of the drizzled members, the finished rows of all bands, and warnings of members."""

    rows: list[ChipRow]
    blocks: Iterator[Block]
    warnings: tuple[tuple[str, str], ...]


def _drizzle_all(job: LayerJob, grid: LayerGrid, helpers: Sequence[Helper]) -> _Made:
    inspected = _inspect(job, job.members)
    flux = Flux.of(job.recipe, _photometries(inspected))
    kept = _skies_in(job, flux)
    outlines: dict[str, Outlines] = {i.member.ipppssoo: i.outlines for i in inspected.values()}
    skies, pairs = _match_skies(job, outlines, kept, inspected, grid, flux)
    rows, blocks, warnings = _drizzle(job, list(inspected.values()), skies, outlines, grid, flux, helpers=helpers)
    primary, science = product_cards(inspected[flux.member])
    return _Made(_text(job, grid, rows, primary, science), blocks, pairs, warnings)


def _add_new(job: LayerJob, grid: LayerGrid, present: StoredProduct) -> _Made:
    with BackgroundThread() as thread:
        loading = None
        if job.memory_mb is None:  # else planes have to wait until the skies' masks are gone
            loading = thread.submit(load_band, present, grid, range(grid.shape[0]), job.recipe.errors).result
        inspected = _inspect(job, [member for member in job.members if not member.drizzled])
        rows_there, flux, again = _bring_to_flux(job, present, inspected)
        scale = find_rescaling(rows_there, flux, present.record.path)
        rows_there = rescale_rows(rows_there, scale)
        # The skies that the present product subtracted are kept, whatever the job says; it was shifted to solved ones.
        kept = {row.ipppssoo: row.sky for row in rows_there}
        if job.recipe.takes_solved_skies:
            kept |= _skies_in(job, flux)
        outlines: dict[str, list[NDArray[np.float64]]] = {}
        for row, polygons in zip(present.rows, read_outlines(present.rows), strict=True):
            outlines.setdefault(row.ipppssoo, []).extend(polygons)
        outlines |= {ipppssoo: list(member.outlines) for ipppssoo, member in inspected.items()}
        skies, pairs = _match_skies(job, outlines, kept, inspected, grid, flux)
        new = list(inspected.values())
        rows, blocks, warnings = _drizzle(job, new, skies, outlines, grid, flux, (present, scale), loading)
    primary, science = _choose_cards(present, flux, inspected | again)
    return _Made(_text(job, grid, [*rows_there, *rows], primary, science), blocks, pairs, warnings)


def _recanvas(job: LayerJob, grid: LayerGrid, present: StoredProduct) -> _Made:
    text = _text(job, grid, _carry_over(job, present), *_carry_cards(present))
    return _Made(replace(text, before=(present.grid, present.primary)), checked_blocks(present, grid))


def _rescale(job: LayerJob, grid: LayerGrid, present: StoredProduct) -> _Made:
    """As `_recanvas`, with the photometry of members whose files have another one; pixels stay as they are."""
    rows, flux, again = _bring_to_flux(job, present, {})
    if find_rescaling(rows, flux, present.record.path) != 1.0:
        raise ProductError(f"{present.record.path} has the flux of another member; drizzle it from all members")
    text = _text(job, grid, rows, *_choose_cards(present, flux, again))
    return _Made(replace(text, before=(present.grid, present.primary)), checked_blocks(present, grid))


def _bring_to_flux(
    job: LayerJob, present: StoredProduct, new: Mapping[str, InspectedMember]
) -> tuple[list[ChipRow], Flux, dict[str, InspectedMember]]:
    """The present product's rows, with the photometry that their members' headers have now; the flux of the layer with
    the `new` members; and the members that were inspected for it: those whose identity is another.
    """
    then = {member.ipppssoo: member.pixels for member in present.record.members}
    changed = [m for m in job.members if m.ipppssoo in then and m.pixels != then[m.ipppssoo]]
    again = _inspect(job, changed)
    rows = recalibrate_rows(_carry_over(job, present), again)
    return rows, Flux.of(job.recipe, {row.ipppssoo: row.photometry for row in rows} | _photometries(new)), again


def _skies_in(job: LayerJob, flux: Flux) -> dict[str, float]:
    """The skies that the job has for members, which are in electrons of each, in the layer's electrons."""
    return {m.ipppssoo: m.sky * flux.scales[m.ipppssoo] for m in job.members if m.sky is not None}


def _photometries(inspected: Mapping[str, InspectedMember]) -> dict[str, str]:
    return {ipppssoo: one.dataset.exposure.photometry for ipppssoo, one in inspected.items()}


def _choose_cards(
    present: StoredProduct, flux: Flux, inspected: Mapping[str, InspectedMember]
) -> tuple[fits.Header, fits.Header]:
    """The cards of the member that has the layer's flux: of its file if it was read, else as the product has them."""
    return product_cards(inspected[flux.member]) if flux.member in inspected else _carry_cards(present)


def _drizzle(
    job: LayerJob,
    members: Sequence[InspectedMember],
    skies: Mapping[str, float | None],
    outlines: Mapping[str, Outlines],
    grid: LayerGrid,
    flux: Flux,
    present: tuple[StoredProduct | None, float] = (None, 1.0),
    loading: Callable[[], Planes] | None = None,
    helpers: Sequence[Helper] = (),
) -> _Drizzled:
    """Drizzle members onto an empty canvas, or onto the `present` product's pixels times a factor."""
    sources = _sources([i.member for i in members], outlines, grid, flux)
    work = BandedDrizzle(
        grid,
        job.recipe,
        [
            DrizzledMember(m.ipppssoo, m.path, skies[m.ipppssoo], m.alternate, flux.photflam)
            for m in (i.member for i in members)
        ],
        [source.reach for source in sources],
        present[0],
        loading,
        present[1],
    )
    if helpers:
        chips = [outline for source in sources for outline in source.outlines]
        own_rows, *helper_rows = share_rows(chips, grid.shape, 1 + len(helpers))
        shared = share_out(work, helper_rows, helpers)
        used, blocks = work.start([own_rows], with_shapes=True)
        blocks = in_file_order([blocks, *shared])
    else:
        bands = split_rows(grid.shape, job.memory_mb, job.recipe.errors, job.recipe.reads_errors)
        used, blocks = work.start(bands, with_shapes=True)
    rows: list[ChipRow] = []
    warnings = []
    for inspected in members:
        ipppssoo = inspected.member.ipppssoo
        chips = [chip for chip in used if chip.ipppssoo == ipppssoo]
        rows += describe_chips(inspected, chips, skies[ipppssoo], job.recipe.weight)
        doubts = (describe_trail([chip.shapes for chip in chips]), warn_not_finite(sum(c.not_finite for c in chips)))
        if any(doubts):
            warnings.append((ipppssoo, join_warnings(doubts)))
    return _Drizzled(rows, _checked(blocks, members), tuple(warnings))


def _checked(blocks: Iterator[Block], members: Sequence[InspectedMember]) -> Iterator[Block]:
    """Yield the blocks, then check that the members' files did not change in the meantime."""
    yield from blocks
    check_unchanged(members)


def _match_skies(
    job: LayerJob,
    outlines: Mapping[str, Outlines],
    kept: Mapping[str, float],
    inspected: dict[str, InspectedMember],
    grid: LayerGrid,
    flux: Flux,
) -> tuple[Mapping[str, float | None], tuple[SkyPair, ...]]:
    """The sky of every member, None where the recipe does not match skies, and the pairs that were measured for it.

    Skies are in electrons of the layer's flux, as those in `kept`. Pairs that the job knows are not measured again.
    Skies are measured at the fine scale, whatever the layer's.
    """
    members = {member.ipppssoo: member for member in job.members}
    if not job.recipe.sky_match:
        return dict.fromkeys(members), ()
    grid = grid.at_fine_scale
    sources = _sources(job.members, outlines, grid, flux)

    def measure(pairs: Collection[tuple[int, int]]) -> list[SkyPair]:
        names = {sources[i].ipppssoo for pair in pairs for i in pair}
        not_drizzled = _inspect(job, [members[name] for name in sorted(names) if name not in inspected])
        if job.recipe.method == "hap":
            measured = measure_pairs(sources, neighbours_of(pairs), grid, job.recipe, _threads(job))
        else:
            memory_mb = MEMORY_MB if job.memory_mb is None else max(job.memory_mb - RESERVE_MB, 0)
            measured = measure_differences(sources, pairs, grid, job.recipe, _threads(job), memory_mb)
        check_unchanged(not_drizzled.values())
        return measured

    find = find_pairs if job.recipe.method == "hap" else find_sparse_pairs
    known = {(pair.first, pair.second): pair for pair in flux.pairs_here(job.pairs)}
    pairs, found = find(sources, members.keys() - kept.keys(), known, measure)
    return solve_skies(members, pairs, kept), flux.pairs_anywhere(found)


def _inspect(job: LayerJob, members: Iterable[MemberInput]) -> dict[str, InspectedMember]:
    return {
        inspected.member.ipppssoo: inspected for inspected in map_in_threads(inspect_member, members, _threads(job))
    }


def _threads(job: LayerJob) -> int:
    """How many members are read at once: each takes a processor, and memory for a chip and its masks."""
    return 1 if job.memory_mb is not None else min(1 + job.helpers, MOST_THREADS)


def _sources(
    members: Sequence[MemberInput], outlines: Mapping[str, Outlines], grid: LayerGrid, flux: Flux
) -> list[SkySource]:
    shapes = iter(grid.outlines_on_canvas([outline for m in members for outline in outlines[m.ipppssoo]]))
    return [
        SkySource(m.ipppssoo, m.path, tuple(islice(shapes, len(outlines[m.ipppssoo]))), m.alternate, flux.photflam)
        for m in members
    ]


def _open_present(job: LayerJob, target: Path) -> StoredProduct:
    """The product that an `add`, `recanvas` or `rescale` starts from, checked to be the one that the job describes."""
    present = open_product(target)
    record = present.record
    present_members = {m.ipppssoo: m for m in record.members}
    expected = {m.ipppssoo: m for m in job.members if m.drizzled or job.action is not Action.ADD}
    if record.layer != job.layer or record.recipe != job.recipe.to_json():
        raise ProductError(f"{target} has another layer or recipe than {job.layer}; drizzle it from all members")
    if present_members.keys() != expected.keys():
        raise ProductError(
            f"{target} is made of {_listed(present_members)}; expected {_listed(expected)} to start from; "
            "drizzle it from all members"
        )
    for ipppssoo, member in expected.items():
        present_member = present_members[ipppssoo]
        same_pixels = {member.pixels, member.pixel_digest} & {present_member.pixels, present_member.pixel_digest}
        if present_member.wcs_digest != member.wcs_digest or not same_pixels:
            raise ProductError(f"{target} contains another version of {ipppssoo}; drizzle it from all members")
    return present


def _carry_over(job: LayerJob, present: StoredProduct) -> list[ChipRow]:
    """The present product's rows, with the pixel identity and sky group that the job has for their members."""
    members = {member.ipppssoo: member for member in job.members}
    return [
        replace(row, pixels=members[row.ipppssoo].pixels, sky_group=members[row.ipppssoo].sky_group)
        for row in present.rows
    ]


def _carry_cards(present: StoredProduct) -> tuple[fits.Header, fits.Header]:
    """The cards that the present product took over from its first member."""
    return carry_cards(present.primary, present.science, str(present.primary.get("FILTER", "")))


def _text(
    job: LayerJob, grid: LayerGrid, rows: Iterable[ChipRow], primary: fits.Header, science: fits.Header
) -> ProductText:
    return ProductText(
        layer=job.layer,
        grid=grid,
        recipe=job.recipe.to_json(),
        recipe_digest=job.recipe_digest,
        pixfrac=job.recipe.pixfrac,
        kernel=job.recipe.kernel,
        errors=job.recipe.errors,
        weight=job.recipe.weight,
        rows=tuple(sorted(rows, key=lambda row: (row.ipppssoo, row.extver))),
        primary=primary,
        science=science,
    )


def _check_target(job: LayerJob) -> Path:
    """The target's path; raises ProductError when it is not the layer's file name or is one of the members."""
    target = Path(job.target)
    expected = format_product_name(job.layer, job.kind)
    if target.name != expected:
        raise ProductError(f"target of {job.layer} is {target.name}; expected {expected}")
    if any(_is_same(target, member.path) for member in job.members):
        raise ProductError(f"{target} is a member of {job.layer}; expected a file that may be replaced")
    if not job.members:
        raise ProductError(f"{job.layer} has no members; expected at least one; remove the product instead")
    return target


def _is_same(target: Path, path: str) -> bool:
    """Whether two paths lead to the same file, links included; False where one does not exist."""
    try:
        return target.samefile(path)
    except OSError:
        return False


def _listed(members: Mapping[str, object]) -> str:
    return ", ".join(sorted(members)) or "nothing"
