"""All that the catalog knows about one layer, sky cell, exposure or quarantined file, in sentences."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sqlalchemy as sa

from mvmdb.catalog.alternates import describe_solution
from mvmdb.catalog.ask.frames import find_outvoted
from mvmdb.catalog.ask.misaligned import describe_misaligned
from mvmdb.catalog.ask.photometry import describe_exposure_flux, describe_flux
from mvmdb.catalog.ask.places import describe_place
from mvmdb.catalog.exposures.quarantine import QuarantinedFile, find_quarantined
from mvmdb.catalog.skies.solution import describe_sky
from mvmdb.errors import NameFormatError, UsageError
from mvmdb.exposures.choose import Candidate, explain_choice
from mvmdb.layers.admission import frame_left_out, left_out
from mvmdb.layers.divisions import label_members
from mvmdb.names import LayerName, parse_cell_name, parse_exposure_name, parse_layer_name, parse_product_name
from mvmdb.records import Policy, Proof
from mvmdb.schema import tables as t
from mvmdb.sky.area import measure_area

_BOX = ("x_min", "x_max", "y_min", "y_max")


@dataclass(frozen=True, slots=True)
class Description:
    """The `kind` of a thing (layer, sky cell, exposure or quarantined file), its name, and sentences, one per line.

    `layers` and `skycells` name those that it concerns, so that the caller can report which layers are stale.
    """

    kind: str
    name: str
    lines: tuple[str, ...]
    layers: tuple[str, ...]
    skycells: tuple[str, ...]


def describe(connection: sa.Connection, text: str, policy: Policy) -> Description:
    """Describe the layer, product, sky cell, exposure or quarantined file of this name.

    Raises UsageError if the catalog has nothing of this name.
    """
    layer = _as_layer(text)
    if layer is not None:
        return _describe_layer(connection, layer)
    try:
        cell = parse_cell_name(text)
    except NameFormatError:
        return _describe_file(connection, text, policy)
    return _describe_cell(connection, str(cell))


def find_skycells(connection: sa.Connection, text: str, policy: Policy) -> tuple[str, ...]:
    """The names of the sky cells that `describe` would say something about. Raises UsageError as it does.

    A layer need not be expected: whether it is depends on the policy. Which exposures are outvoted makes no difference,
    and finding it needs a temporary table, which PostgreSQL makes in no transaction that may only read.
    """
    layer = _as_layer(text)
    undecided = replace(policy, frames="any")
    return (layer.skycell,) if layer is not None else describe(connection, text, undecided).skycells


def _describe_file(connection: sa.Connection, text: str, policy: Policy) -> Description:
    """An exposure or a quarantined file; if it is both, the exposure with a line about the file."""
    files = find_quarantined(connection, text)
    lines = tuple(_quarantine_line(file) for file in files)
    try:
        exposure = _describe_exposure(connection, find_exposure(connection, text), policy)
    except UsageError:
        if not files:
            raise
        return Description("quarantined file", files[0].path, lines, (), ())
    return replace(exposure, lines=(*lines, *exposure.lines))


def _quarantine_line(file: QuarantinedFile) -> str:
    since, accepted = file.first_seen.replace("T", " "), " Accepted as it is." if file.accepted else ""
    return f"Quarantined since {since} UTC ({file.kind}): {file.path}: {file.reason}.{accepted}"


def find_exposure(connection: sa.Connection, text: str) -> str:
    """The ipppssoo of an exposure given by ipppssoo, ROOTNAME, file name or path.

    Raises UsageError if the catalog has no such exposure.
    """
    name = text.rsplit("/", 1)[-1]
    parsed = parse_exposure_name(name)
    ipppssoo = parsed[0] if parsed else name.lower()[:8]
    query = sa.select(t.exposure.c.ipppssoo).where(t.exposure.c.ipppssoo == ipppssoo)
    if (parsed is None and len(name) not in (8, 9)) or connection.scalar(query) is None:
        raise UsageError(f"{text!r} is not a layer, sky cell or exposure of this catalog; see `mvmdb status` for names")
    return ipppssoo


def _as_layer(text: str) -> LayerName | None:
    name = text.rsplit("/", 1)[-1]
    try:
        return parse_product_name(name)[0] if name.endswith(".fits") else parse_layer_name(name)
    except NameFormatError:
        return None


def _describe_layer(connection: sa.Connection, name: LayerName) -> Description:
    columns = [column for column in t.layer.c if column.name not in _BOX]  # the canvas is that of the cell
    query = sa.select(*columns, t.recipe.c.parameters, *(t.skycell.c[name] for name in _BOX))
    query = query.select_from(t.layer.join(t.skycell).join(t.recipe))
    row = connection.execute(query.where(t.layer.c.name == str(name))).one_or_none()
    product = connection.execute(sa.select(t.product).where(t.product.c.layer == str(name))).one_or_none()
    if row is None and product is None:
        raise UsageError(f"no exposure of this catalog is in a layer {name}; see `mvmdb status` for names")
    lines = []
    if row is None:
        lines.append("No exposure is expected in it any more.")
    else:
        e = t.exposure.c
        query = (
            sa.select(e.ipppssoo, e.path, e.alternate).select_from(t.layer_member.join(t.exposure)).order_by(e.ipppssoo)
        )
        of_layer = connection.execute(query.where(t.layer_member.c.layer_id == row.id)).all()
        members = [member.ipppssoo for member in of_layer]
        awaited = [member.ipppssoo for member in of_layer if not member.path]
        lines += [
            f"It should hold {row.n_exposures} {row.kind.upper()} exposures, {row.exptime:.1f} s in all, "
            f"from {_day(row.expstart)} to {_day(row.expend)}: {', '.join(members)}.",
            f"They cover {row.area_arcmin2:.2f} square arcmin of the cell, {row.mean_exposures:.2f} deep on average.",
            _frame_line(row),
            *_apart_lines(connection, str(name)),
            f"Its canvas is [{_canvas(row)}] in fine pixels, that of every layer of {name.skycell}.",
            f"Its recipe: {_recipe(row.parameters)}.",
        ]
        if awaited:
            lines.append(f"It waits for the files of {len(awaited)} of them: {', '.join(awaited)}.")
        solved = [member for member in of_layer if member.alternate]
        if solved:
            names = sorted({member.alternate.split(" ")[0] for member in solved})
            which = "all" if len(solved) == len(of_layer) else ", ".join(member.ipppssoo for member in solved)
            verb = "solution {} places" if len(names) == 1 else "solutions {} place"
            lines.append(f"The alternate {verb.format(' and '.join(names))} {which} of them.")
        lines += describe_flux(connection, row.id, row.parameters, product)
    lines += _product_lines(product)
    return Description("layer", str(name), tuple(lines), (str(name),), (name.skycell,))


def _frame_line(row: Any) -> str:
    line = f"Astrometric frames of its members: {row.frames or 'not known; run mvmdb init --upgrade'}."
    if row.mixed_arcmin2:
        line += f" Warning: different ones overlap in {row.mixed_arcmin2:.2f} square arcmin, which can smear sources."
    return line


def _apart_lines(connection: sa.Connection, layer: str) -> list[str]:
    misaligned = describe_misaligned(connection, layer)
    if misaligned is None:
        return []
    lines = [
        f"Warning: its members do not lie together; two are {misaligned.apart_pixels:.2f} pixels apart, and those that "
        f"lie elsewhere overlap others in {misaligned.apart_arcmin2:.2f} square arcmin."
    ]
    lines += [
        f"{one.exposure} lies {one.mas:.1f} mas ({one.pixels:.2f} pixels) from most of them; "
        f"its frame is {one.frame or 'not known'}."
        for one in misaligned.apart
    ]
    return lines


_PROOFS = {
    Proof.PROVEN: "",
    Proof.UNPROVEN: ", pixels unproven: another program made it, and does not say which pixels it holds",
    Proof.TRUSTED: ", pixels unproven: it is taken as fresh until its members or canvas change",
}


def _product_lines(product: Any) -> list[str]:
    if product is None:
        return ["It has no product yet."]
    lines = [
        f"Its product {product.filename} holds {product.n_members} exposures on the canvas [{_canvas(product)}], "
        f"{product.size} bytes, {product.state} when last seen."
    ]
    reasons = [
        (code, ": ".join(part for part in (exposure, detail) if part))
        for code, exposure, detail in json.loads(product.last_reasons or "[]")
    ]
    because = "; ".join(f"{code} ({about})" if about else code for code, about in reasons) or "it was asked for"
    if product.last_action is None:
        lines.append(f"The file was found and recorded on {product.made_at} UTC.")
    elif product.last_action == "adopt":
        lines.append(f"The file was adopted on {product.made_at} UTC{_PROOFS[product.proof]}.")
    else:
        how = "by a run that was killed" if product.seconds is None else f"in {product.seconds:.1f} s"
        lines.append(f"Last done: {product.last_action} on {product.made_at} UTC {how}, because: {because}.")
    return lines


def _describe_cell(connection: sa.Connection, name: str) -> Description:
    row = connection.execute(sa.select(t.skycell).where(t.skycell.c.name == name)).one_or_none()
    if row is None:
        raise UsageError(f"no exposure of this catalog overlaps {name}; see `mvmdb cells` for cells by position")
    counts = connection.execute(
        sa.select(
            sa.func.count(),
            sa.func.count(sa.case((t.exposure.c.eligible & t.exposure.c.withdrawn_at.is_(None), 1))),
        )
        .select_from(t.membership.join(t.exposure))
        .where(t.membership.c.skycell_id == row.id)
    ).one()
    layers = connection.execute(
        sa.select(t.layer.c.name, t.layer.c.n_exposures, t.layer.c.exptime)
        .where(t.layer.c.skycell_id == row.id)
        .order_by(t.layer.c.name)
    ).all()
    canvas = f"Its layers share the canvas [{_canvas(row)}] in fine pixels." if layers else "It has no layers."
    lines = [
        f"Projection cell {row.projection_cell}, column {row.x}, row {row.y}; "
        f"centre RA {row.ra:.6f}, Dec {row.dec:.6f} degrees.",
        f"{counts[0]} exposures overlap it, {counts[1]} of them eligible and not withdrawn.",
        canvas,
        *(f"Layer {layer.name}: {layer.n_exposures} exposures, {layer.exptime:.1f} s." for layer in layers),
    ]
    return Description("sky cell", name, tuple(lines), tuple(layer.name for layer in layers), (name,))


def _describe_exposure(connection: sa.Connection, ipppssoo: str, policy: Policy) -> Description:
    row = connection.execute(sa.select(t.exposure).where(t.exposure.c.ipppssoo == ipppssoo)).one()
    cells = connection.scalars(
        sa.select(t.skycell.c.name)
        .select_from(t.membership.join(t.skycell))
        .where(t.membership.c.exposure_id == row.id)
        .order_by(t.skycell.c.name)
    ).all()
    layers = connection.scalars(
        sa.select(t.layer.c.name)
        .select_from(t.layer_member.join(t.layer))
        .where(t.layer_member.c.exposure_id == row.id)
        .order_by(t.layer.c.name)
    ).all()
    outvoted = find_outvoted(connection, row, policy)
    lines = [
        f"{row.instrument.upper()}/{row.detector.upper()} {row.filters}, {row.exptime:.1f} s on {_day(row.expstart)}, "
        f"target {row.target}, program {row.proposal_id} visit {row.visit}.",
        f"Footprint: {row.n_chips} chips, {measure_area(row.s_region):.2f} square arcmin at RA {row.ra}, Dec {row.dec}."
        if row.s_region
        else "No footprint.",
        f"WCS solution: {row.wcsname or 'none'}"
        + (f", catalog {row.astrometric_catalog}" if row.fit else "")
        + (f", frame {row.frame}." if row.frame else "."),
        *_dataset_lines(connection, row),
        *_standing_lines(row),
        *describe_place(connection, row),
        *describe_sky(connection, row.id),
        f"Sky cells: {', '.join(cells) or 'none'}.",
        f"Layers: {', '.join(layers) or 'none'}{_why_out(row, cells, layers, outvoted, policy)}.",
        *(f"Left out of {layer}: {why}." for layer, why in outvoted),
    ]
    return Description("exposure", ipppssoo, tuple(lines), tuple(layers), tuple(cells))


def _why_out(
    row: Any, cells: Sequence[str], layers: Sequence[str], outvoted: Sequence[tuple[str, str]], policy: Policy
) -> str:
    """Why an eligible exposure is in no layer; empty if it is in one, or is not eligible."""
    if layers or not row.eligible:
        return ""
    if row.withdrawn_at is not None:
        return ", as its file is gone" if row.pruned else ", as it is withdrawn"
    if not cells:
        return ", as it overlaps no sky cell"
    why = left_out(row.instrument, row.detector, row.kind, policy)
    if label_members(policy, np.array([row.exptime]), np.array([row.expstart], dtype=float))[1][0] < 0:
        why = f"its date is in none of the archive's epochs ({policy.epochs})"
    why = why or frame_left_out(row.frame, policy)
    if not why and outvoted:
        of = "place" if policy.frames == "agree" else "frame"
        return f", as its {of} is not that of most members of a layer"
    return f", as {why}" if why else ", as an FLC of the same layer evicts every FLT"


def _dataset_lines(connection: sa.Connection, row: Any) -> list[str]:
    d = t.dataset.c
    query = sa.select(d.active, d.kind, d.wcs_rank, d.processed, d.mtime_ns, d.path).where(d.exposure_id == row.id)
    files = [(active, Candidate(*values)) for active, *values in connection.execute(query.order_by(d.path))]
    preferred = [file for active, file in files if active]
    if not files:
        return ["It has no file: a table named it, and its layers wait for its file."]
    lines = [f"Active file: {file.path}." for file in preferred]
    for file in (file for active, file in files if not active):
        why = f" (the active file is preferred: {explain_choice(preferred[0], file)})" if preferred else ""
        lines.append(f"Other file: {file.path}{why}.")
    return lines


def _standing_lines(row: Any) -> list[str]:
    lines = []
    if row.pruned:
        lines.append(f"It left on {row.withdrawn_at} UTC, as its file is gone; it returns when the file does.")
    elif row.withdrawn_at is not None:
        lines.append(f"Withdrawn on {row.withdrawn_at} UTC: {row.withdrawn_why or 'no reason was given'}.")
    if row.eligible and row.withdrawn_at is None:
        lines.append("Eligible for layers.")
    elif not row.eligible:
        lines.append(f"Ineligible ({row.ineligible_rule}): {row.ineligible_reason}.")
    if row.warnings:
        lines.append(f"Warning: {row.warnings}.")
    known = "known" if row.pixel_digest else "not read yet"
    lines.append(f"Pixels {row.pixels} (digest {known}), WCS {row.wcs_digest or 'none'}.")
    lines += [describe_exposure_flux(row)] if row.path else []
    if row.alternate:
        lines.append(f"Layers use its {describe_solution(row.alternate)}; with it, the WCS is {row.member_wcs}.")
    return lines


def _canvas(row: Any) -> str:
    return f"{row.x_min}:{row.x_max},{row.y_min}:{row.y_max}"


def _recipe(text: str) -> str:
    return ", ".join(f"{name} {value}" for name, value in json.loads(text).items())


def _day(mjd: float | None) -> str:
    """An MJD as a date (YYYY-MM-DD); MJD 0 is 1858-11-17."""
    import datetime as dt

    if mjd is None or not 0 <= mjd < 2_000_000:
        return "an unknown date"
    return str((dt.datetime(1858, 11, 17) + dt.timedelta(days=mjd)).date())
