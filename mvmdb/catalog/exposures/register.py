"""Writes exposures that were read from files, with one active dataset per exposure, and updates their layers.

exposures/choose.py decides which dataset is active, sky/membership.py which sky cells it overlaps.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from mvmdb.catalog.alternates import use_alternates
from mvmdb.catalog.clock import time_in
from mvmdb.catalog.exposures.changes import describe_changes
from mvmdb.catalog.exposures.memberships import replace_memberships
from mvmdb.catalog.exposures.read_first import OtherFiles, UnreadFilesError
from mvmdb.catalog.exposures.unplaced import refuse_place
from mvmdb.catalog.history.events import write_events
from mvmdb.catalog.layers.changed_keys import keys_of_exposures
from mvmdb.catalog.layers.refresh import refresh_layers
from mvmdb.catalog.rows import chunks
from mvmdb.correction import digest_realigned
from mvmdb.errors import ExposureError
from mvmdb.exposures.choose import Candidate, choose_active, explain_choice
from mvmdb.exposures.reading import ReadDataset
from mvmdb.exposures.warning_texts import join_warnings, split_warnings
from mvmdb.layers.digests import digest_member
from mvmdb.photometry import differs, identify_calibrated, parse_photometry
from mvmdb.records import Exposure, Policy, Rule
from mvmdb.schema import tables as t
from mvmdb.schema.engine import upsert
from mvmdb.sky.membership import Memberships, match_each_region

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Registered:
    """What a registration did: counts, of memberships written, ineligible exposures, and layers written or removed.

    `passive` maps paths that are not active to the active path, `why` maps them to the reason.
    """

    memberships: int = 0
    ineligible: int = 0
    layers: int = 0
    passive: dict[str, str] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)


def register(connection: sa.Connection, files: Sequence[ReadDataset], policy: Policy, others: OtherFiles) -> Registered:
    """Write these files, choose each exposure's active dataset, and update memberships and layers.

    All changes are in the caller's transaction. `others` are files that are not new; raises UnreadFilesError, before
    anything is written, if one becomes active and is not among them: see `write_with_files`.
    """
    done = Registered()
    incoming = {item.dataset.path: item for item in files}
    names = {item.dataset.exposure.ipppssoo for item in files} | _displaced(connection, incoming)
    known = load_exposures_by_name(connection, names)
    candidates = _load_candidates(connection, names)
    for files_of_exposure in candidates.values():
        for path in files_of_exposure.keys() & incoming.keys():
            del files_of_exposure[path]
    for item in files:
        candidates.setdefault(item.dataset.exposure.ipppssoo, {})[item.dataset.path] = Candidate.of(item.dataset)
    rows = []
    chosen_files = _choose_each(candidates, incoming, known, others)
    for name in sorted(chosen_files):
        before, chosen = known.get(name), chosen_files[name]
        active = candidates[name][chosen.dataset.path]
        for path, candidate in candidates[name].items():
            if candidate is not active:
                done.passive[path], done.why[path] = active.path, explain_choice(active, candidate)
        if chosen.dataset.path in incoming or before is None or before.path != chosen.dataset.path:
            rows.append(_exposure_row(chosen, before, time_in(connection)))
    changed_keys = keys_of_exposures(connection, [row.id for row in known.values()])
    rows, moved, memberships = _place(rows, known, policy.rule)
    upsert(connection, t.exposure, ("ipppssoo",), rows)
    write_events(connection, describe_changes(rows, known))
    ids = {name: row.id for name, row in load_exposures_by_name(connection, names).items()}
    _write_datasets(connection, files, ids, candidates)
    done.memberships = replace_memberships(connection, [ids[name] for name in moved], memberships)
    done.ineligible = sum(not row["eligible"] for row in rows)
    use_alternates(connection, [ids[row["ipppssoo"]] for row in rows])
    changed_keys |= keys_of_exposures(connection, ids.values())
    done.layers = refresh_layers(connection, changed_keys, policy)
    return done


def _place(
    rows: list[dict[str, Any]], known: Mapping[str, Any], rule: Rule
) -> tuple[list[dict[str, Any]], list[str], Memberships]:
    """(rows, names, memberships): the names are those of exposures that are new or have another footprint, and the
    memberships number them in that order. Rows whose footprint cannot be measured become ineligible."""
    place = {
        row["ipppssoo"]: number
        for number, row in enumerate(rows)
        if row["ipppssoo"] not in known or known[row["ipppssoo"]].s_region != row["s_region"]
    }
    moved = list(place)
    memberships, faults = match_each_region([rows[number]["s_region"] for number in place.values()], rule)
    placed = list(rows)
    for number, why in faults.items():
        placed[place[moved[number]]] = refuse_place(rows[place[moved[number]]], why)
        log.warning("%s: no solution: %s", moved[number], why)
    return placed, moved, memberships


def digests_needed(connection: sa.Connection, files: Sequence[ReadDataset]) -> list[str]:
    """The paths of files whose pixels must be digested: to compare them with the known digest of their exposure, or as
    their photometry is another, so that the pixels alone no longer identify it.
    """
    known = load_exposures_by_name(
        connection, {item.dataset.exposure.ipppssoo for item in files if item.pixel_digest is None}
    )
    return [
        item.dataset.path
        for item in files
        if item.pixel_digest is None
        and (before := known.get(item.dataset.exposure.ipppssoo)) is not None
        and _needs_digest(item, before)
    ]


def _needs_digest(item: ReadDataset, before: Any) -> bool:
    return before.pixel_digest is not None or differs(item.dataset.exposure.photometry, before.photometry or "")


def _displaced(connection: sa.Connection, incoming: Mapping[str, ReadDataset]) -> set[str]:
    """The exposures (ipppssoo) with a recorded file that now holds another exposure."""
    displaced = set()
    for paths in chunks(incoming):
        query = sa.select(t.dataset.c.path, t.exposure.c.ipppssoo).select_from(t.dataset.join(t.exposure))
        for path, name in connection.execute(query.where(t.dataset.c.path.in_(paths))):
            if incoming[path].dataset.exposure.ipppssoo != name:
                displaced.add(name)
    return displaced


def _choose_each(
    candidates: Mapping[str, dict[str, Candidate]],
    incoming: Mapping[str, ReadDataset],
    known: Mapping[str, Any],
    others: OtherFiles,
) -> dict[str, ReadDataset]:
    """The active dataset of each exposure that has one. Removes unreadable files from `candidates`.

    Raises UnreadFilesError, with all files that have to be read.
    """
    chosen: dict[str, ReadDataset] = {}
    wanted: dict[str, bool] = {}
    passed_over: list[tuple[str, ...]] = []
    for name, files in candidates.items():
        while files:
            path = choose_active(list(files.values())).path
            file = incoming.get(path) or others.get(path)
            if isinstance(file, ExposureError):
                passed_over.append(("%s: passed over %s: %s", name, path, str(file)))
                del files[path]
                continue
            digest = path not in incoming and (
                known[name].pixel_digest is not None if file is None else _needs_digest(file, known[name])
            )
            if file is None or (digest and file.pixel_digest is None):
                wanted[path] = digest
            else:
                chosen[name] = file
            break
        else:
            message = "%s: no file of it is left; it keeps the values it had, from %s"
            passed_over.append((message, name, known[name].path))
    if wanted:
        raise UnreadFilesError(wanted)
    for message, *words in passed_over:
        log.warning(message, *words)
    return chosen


def load_exposures_by_name(connection: sa.Connection, names: Iterable[str]) -> dict[str, Any]:
    """The rows of `exposure` with these names (ipppssoo), by name; names that the catalog lacks are left out."""
    rows = {}
    for chunk in chunks(names):
        for row in connection.execute(sa.select(t.exposure).where(t.exposure.c.ipppssoo.in_(chunk))):
            rows[row.ipppssoo] = row
    return rows


def _load_candidates(connection: sa.Connection, names: Iterable[str]) -> dict[str, dict[str, Candidate]]:
    d = t.dataset.c
    candidates: dict[str, dict[str, Candidate]] = {}
    for chunk in chunks(names):
        query = sa.select(t.exposure.c.ipppssoo, d.kind, d.wcs_rank, d.processed, d.mtime_ns, d.path)
        query = query.select_from(t.dataset.join(t.exposure)).where(t.exposure.c.ipppssoo.in_(chunk))
        for name, *values in connection.execute(query):
            candidate = Candidate(*values)
            candidates.setdefault(name, {})[candidate.path] = candidate
    return candidates


def _exposure_row(item: ReadDataset, before: Any, time: dt.datetime) -> dict[str, Any]:
    dataset, exposure = item.dataset, item.dataset.exposure
    pixels, digest = _settle_pixels(item, before)
    same_pixels = before is not None and _are_same(before, pixels, digest)
    same = same_pixels and before.wcs_digest == exposure.wcs_digest
    stays_out = same and not before.pruned  # a pruned exposure returns with its file
    # Another WCS has no alternate until `use_alternates` finds one of its own.
    alternate = before.alternate if before is not None and before.wcs_digest == exposure.wcs_digest else ""
    used = None if exposure.wcs_digest is None else digest_realigned(exposure.wcs_digest, alternate)
    of_pixels = split_warnings(before.warnings)[0] if same_pixels else []
    return exposure_values(exposure) | {
        "warnings": join_warnings([*of_pixels, *exposure.warnings]),
        "pixels": pixels,
        "alternate": alternate,
        "frame": before.frame if alternate else exposure.frame,
        "member_wcs": used,
        "member_digest": digest_member(exposure.ipppssoo, exposure.kind, pixels, used or ""),
        "pixel_digest": digest,
        "filename": Path(dataset.path).name,
        "path": dataset.path,
        "withdrawn_at": before.withdrawn_at if stays_out else None,
        "withdrawn_why": before.withdrawn_why if stays_out else None,
        "pruned": False,
        "registered_at": time if before is None else before.registered_at,
        "changed_at": time,
    }


def _settle_pixels(item: ReadDataset, before: Any) -> tuple[str, str | None]:
    """(identity, digest or None) of the pixels.

    If the digest of the previous pixels is known, the caller has digested the new file: the identity changes only with
    the SCI and DQ bytes, the photometry or the kind. If not, no product was made of them, and the token of the headers
    is enough, as long as the photometry is the same. A photometry that was not known before counts as the same.
    """
    exposure = item.dataset.exposure
    token, digest = exposure.pixels, item.pixel_digest
    if before is None or digest is None:
        return token, digest
    recalibrated = differs(exposure.photometry, before.photometry or "")
    if before.pixel_digest is None and not recalibrated:
        return token, digest
    if digest == before.pixel_digest and not recalibrated:
        return (before.pixels if exposure.kind == before.kind else token), digest
    return identify_calibrated(digest, exposure.photometry), digest


def _are_same(before: Any, pixels: str, digest: str | None) -> bool:
    """Whether the pixels are those of the previous row, whatever their photometry."""
    return before.pixels == pixels or (digest is not None and digest == before.pixel_digest)


def exposure_values(exposure: Exposure) -> dict[str, Any]:
    """The columns of an exposure's row that its headers alone decide."""
    same = (
        "ipppssoo", "rootname", "kind", "instrument", "detector", "filters", "filter", "proposal_id", "program",
        "visit", "target", "exptime", "expstart", "expend", "ra", "dec", "s_region", "n_chips", "wcsname",
        "distortion", "fit", "astrometric_catalog", "wcs_digest", "eligible",
    )  # fmt: skip
    return (
        {name: getattr(exposure, name) for name in same}
        | photometry_values(exposure.photometry)
        | {
            "ineligible_rule": "; ".join(refusal.rule for refusal in exposure.refusals),
            "ineligible_reason": "; ".join(refusal.finding for refusal in exposure.refusals),
        }
    )


def photometry_values(photometry: str) -> dict[str, Any]:
    """The columns of an exposure's row that its photometry decides; all are empty where that is not known."""
    parsed = parse_photometry(photometry)
    if parsed is None:
        return dict.fromkeys(("photometry", "photflam", "photmode"))
    return {"photometry": photometry, "photflam": parsed.photflam, "photmode": parsed.photmode}


def _write_datasets(
    connection: sa.Connection,
    files: Sequence[ReadDataset],
    ids: Mapping[str, int],
    candidates: Mapping[str, Mapping[str, Candidate]],
) -> None:
    rows = [
        {
            "exposure_id": ids[item.dataset.exposure.ipppssoo],
            "path": item.dataset.path,
            "filename": Path(item.dataset.path).name,
            "kind": item.dataset.exposure.kind,
            "wcs_rank": item.dataset.exposure.wcs_rank,
            "processed": item.dataset.exposure.processed,
            "size": item.dataset.size,
            "mtime_ns": item.dataset.mtime_ns,
            "active": False,
        }
        for item in files
    ]
    upsert(connection, t.dataset, ("path",), rows)
    for exposure_ids in chunks(ids.values()):
        of_exposures = t.dataset.c.exposure_id.in_(exposure_ids)
        active = sa.select(t.exposure.c.path).where(t.exposure.c.id == t.dataset.c.exposure_id).scalar_subquery()
        connection.execute(sa.update(t.dataset).where(of_exposures).values(active=t.dataset.c.path == active))
        recorded = connection.scalars(sa.select(t.dataset.c.path).where(of_exposures)).all()
        kept = {path for files_of_exposure in candidates.values() for path in files_of_exposure}
        for paths in chunks(set(recorded) - kept):
            connection.execute(sa.delete(t.dataset).where(t.dataset.c.path.in_(paths)))
