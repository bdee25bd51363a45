"""What a new row of an exposure says that its previous row did not, as events of the history."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mvmdb.catalog.history.events import Event, Happened
from mvmdb.photometry import name_changes


def describe_changes(rows: Iterable[Mapping[str, Any]], known: Mapping[str, Any]) -> list[Event]:
    """The events of these rows of `exposure`; `known` maps ipppssoo to the rows that they replace.

    A file that was only touched is no event.
    """
    return [event for row in rows for event in _describe(row, known.get(row["ipppssoo"]))]


def _describe(row: Mapping[str, Any], before: Any) -> Iterator[Event]:
    name, path = row["ipppssoo"], row["path"]
    refusal = "" if row["eligible"] else f"{row['ineligible_rule']}: {row['ineligible_reason']}"
    if before is None:
        yield Event(Happened.EXPOSURE_NEW, exposure=name, path=path, detail=refusal and f"ineligible, {refusal}")
        return
    if before.pixels != row["pixels"]:
        calibration = name_changes(row["photometry"] or "", before.photometry or "")
        if before.kind != row["kind"]:
            detail = f"{before.kind} -> {row['kind']}"
        elif not calibration or before.pixel_digest != row["pixel_digest"]:
            detail = f"other pixels, {calibration}" if calibration else "other pixels"
        else:
            detail = calibration
        yield Event(Happened.EXPOSURE_CHANGED, exposure=name, path=path, detail=detail)
    if before.wcs_digest != row["wcs_digest"]:
        detail = f"WCSNAME {before.wcsname or 'none'} -> {row['wcsname'] or 'none'}"
        if before.alternate:
            detail += f"; its alternate {before.alternate.split(' ')[0]} was of the former WCS, and is used no more"
        yield Event(Happened.EXPOSURE_REALIGNED, exposure=name, path=path, detail=detail)
    if before.pruned and not row["pruned"]:
        yield Event(Happened.EXPOSURE_RETURNED, exposure=name, path=path, detail="its file is there again")
    elif before.withdrawn_at is not None and row["withdrawn_at"] is None:
        yield Event(Happened.EXPOSURE_READMITTED, exposure=name, path=path, detail="a file with other contents came")
    if refusal and (before.eligible or before.ineligible_reason != row["ineligible_reason"]):
        yield Event(Happened.EXPOSURE_REFUSED, exposure=name, path=path, detail=refusal)
    if row["eligible"] and not before.eligible:
        yield Event(Happened.EXPOSURE_ADMITTED, exposure=name, path=path, detail=f"no longer {before.ineligible_rule}")
    if before.path != path:
        yield Event(Happened.EXPOSURE_MOVED, exposure=name, path=path, detail=f"from {before.path or 'a table'}")
