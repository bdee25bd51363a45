"""Whether the files of exposures are there, and are what their rows say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mvmdb.catalog.check.close import is_same
from mvmdb.catalog.check.finding import Damage, Finding, differences
from mvmdb.catalog.check.select import ActiveFile
from mvmdb.exposures.eligibility import PIXEL_RULES
from mvmdb.remote.files import stamps_of
from mvmdb.remote.state import is_unchanged
from mvmdb.verify.deep_reads import FileRead

_COMPARED = (
    "ipppssoo", "rootname", "kind", "instrument", "detector", "filters", "filter", "proposal_id", "program", "visit",
    "target", "exptime", "expstart", "expend", "ra", "dec", "s_region", "n_chips", "wcsname", "wcs_digest",
)  # fmt: skip
_PLACE = ("ra", "dec", "s_region")


def find_gone_or_changed(files: Iterable[ActiveFile]) -> dict[str, Finding]:
    """The findings of files that are gone, or have another size or time than recorded, by exposure (ipppssoo)."""
    listed = list(files)
    stamps = stamps_of(file.path for file in listed)
    return {file.ipppssoo: found for file in listed if (found := _look_at(file, stamps[file.path])) is not None}


def _look_at(file: ActiveFile, stamp: tuple[int, int] | OSError) -> Finding | None:
    if isinstance(stamp, OSError):
        words = (stamp.strerror or str(stamp), "the active file")
        return Finding(
            Damage.EXPOSURE_MISSING, exposure=file.ipppssoo, path=file.path, found=words[0], expected=words[1]
        )
    if file.size is None or file.mtime_ns is None:  # another finding tells of the missing row
        return None
    if is_unchanged(file.path, (file.size, file.mtime_ns), stamp):
        return None
    pairs = {"size": (stamp[0], file.size), "mtime_ns": (stamp[1], file.mtime_ns)}
    wrong: dict[str, tuple[object, object]] = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    found, expected = differences(wrong)
    return Finding(Damage.EXPOSURE_CHANGED, exposure=file.ipppssoo, path=file.path, found=found, expected=expected)


def compare_exposure(row: Any, read: FileRead) -> Iterator[Finding]:
    """The findings of an exposure's file that was read, against its row."""
    if read.dataset is None:
        yield _of(Damage.EXPOSURE_DAMAGED, row, read.error, "the file as it was registered")
        return
    exposure = read.dataset.exposure
    wrong = {name: (getattr(exposure, name), getattr(row, name)) for name in _COMPARED}
    if row.photometry is not None:
        wrong["photometry"] = (exposure.photometry, row.photometry)
    if row.ineligible_rule not in PIXEL_RULES and (row.s_region or not exposure.s_region):
        rule = "; ".join(refusal.rule for refusal in exposure.refusals)
        why = "; ".join(refusal.finding for refusal in exposure.refusals)
        wrong |= {"eligible": (exposure.eligible, row.eligible), "ineligible_rule": (rule, row.ineligible_rule)}
        wrong |= {"ineligible_reason": (why, row.ineligible_reason)}
    if not row.s_region:  # its place on the sky was refused when it was registered
        wrong = {name: pair for name, pair in wrong.items() if name not in _PLACE}
    if row.pixel_digest is None and row.pixels != exposure.pixels:
        wrong["pixels"] = (exposure.pixels, row.pixels)
    differing: Mapping[str, tuple[object, object]] = {n: pair for n, pair in wrong.items() if not is_same(n, *pair)}
    if differing:
        yield _of(Damage.EXPOSURE_DIFFERS, row, *differences(dict(differing)))
    if row.pixel_digest is not None and read.pixel_digest != row.pixel_digest:
        yield _of(Damage.EXPOSURE_DAMAGED, row, *differences({"pixel_digest": (read.pixel_digest, row.pixel_digest)}))


def _of(kind: Damage, row: Any, found: str, expected: str) -> Finding:
    return Finding(kind, exposure=row.ipppssoo, path=row.path, found=found, expected=expected)
