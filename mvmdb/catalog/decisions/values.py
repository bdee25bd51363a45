"""The decisions file as a value and as text: what neither exposures nor products tell, and a catalog would lose."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mvmdb.errors import InputError

FILENAME = "mvmdb-decisions.json"
"""Its name in the products folder. It is no hidden file, so that a copy of the folder's contents has it too."""
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class KeptExposure:
    """What is decided about one exposure, and the identity of the file that it is decided of.

    `withdrawn_at` is a UTC time in ISO 8601, or None. `rule` is the one of the PIXEL_RULES that refuses it, for this
    `reason`, or empty. `warnings` are those of its pixels. `photometry` is empty if it was not known.
    """

    ipppssoo: str
    kind: str
    pixels: str
    pixel_digest: str | None
    wcs_digest: str | None
    withdrawn_at: str | None = None
    withdrawn_why: str | None = None
    rule: str = ""
    reason: str = ""
    warnings: str = ""
    photometry: str = ""


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A quarantined file that the user has accepted. `first_seen` is a UTC time in ISO 8601, `size` is in bytes."""

    path: str
    kind: str
    size: int | None
    mtime_ns: int | None
    first_seen: str


@dataclass(frozen=True, slots=True)
class KeptProduct:
    """Another program's product that was adopted: `data_digest` of its file, `recipe_digest` if it is trusted."""

    layer: str
    data_digest: str
    recipe_digest: str
    proof: str


@dataclass(frozen=True, slots=True)
class KeptAlternate:
    """An alternate solution: the columns of its row in the table `alternate`, with the time in ISO 8601."""

    ipppssoo: str
    name: str
    wcs_digest: str
    ra: float
    dec: float
    dx: float
    dy: float
    roll: float
    scale: float
    fit: str
    n_sources: int
    n_reference: int
    n_overlap: int
    rms_mas: float
    reference: str
    reference_digest: str
    made_at: str


@dataclass(frozen=True, slots=True)
class KeptPlacement:
    """Where an exposure lies, as members or positions follow from it: the columns of its row in `placement`.

    `made_at` is a UTC time in ISO 8601.
    """

    ipppssoo: str
    pixels: str
    wcs_digest: str
    base_wcs: str
    ra: float
    dec: float
    dx: float
    dy: float
    error: float
    pixel: float
    n_pairs: int
    n_sources: int
    shift_group: str
    n_group: int
    tied_to: str
    move_dx: float
    move_dy: float
    made_at: str


@dataclass(frozen=True, slots=True)
class Decisions:
    """All of it; `exposures`, `accepted`, `adopted`, `alternates` and `placements` are sorted.

    `catalog` is the random identity of the catalog that wrote it. `settings` are those of the table `archive` that a
    user sets. `tables` are the words that followed `mvmdb import`, of each table that was imported.
    """

    catalog: str
    settings: Mapping[str, str]
    tables: tuple[str, ...] = ()
    exposures: tuple[KeptExposure, ...] = ()
    accepted: tuple[KeptFile, ...] = ()
    adopted: tuple[KeptProduct, ...] = ()
    alternates: tuple[KeptAlternate, ...] = ()
    placements: tuple[KeptPlacement, ...] = ()


def format_decisions(decisions: Decisions) -> str:
    """The text of the file: JSON, with a digest of the rest, so that damage shows."""
    content = _content(asdict(decisions))
    return json.dumps({"format": _FORMAT, "digest": _digest(content), **content}, indent=1) + "\n"


def parse_decisions(text: str, path: str) -> Decisions:
    """The inverse of `format_decisions`. Raises InputError, naming the file at `path`, for any other text."""
    try:
        values = json.loads(text)
        version, digest = values.pop("format"), values.pop("digest")
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise _damaged(path, f"it is not JSON with a format and a digest ({error})") from error
    if isinstance(version, int) and version > _FORMAT:
        raise InputError(f"{path} has format {version}; this mvmdb reads {_FORMAT}: install the mvmdb that wrote it")
    if digest != _digest(values):
        raise _damaged(path, f"its content has the digest {_digest(values)}, not {digest}")
    try:
        return Decisions(
            str(values["catalog"]),
            {str(key): str(value) for key, value in values["settings"].items()},
            tuple(map(str, values["tables"])),
            tuple(KeptExposure(**one) for one in values["exposures"]),
            tuple(KeptFile(**one) for one in values["accepted"]),
            tuple(KeptProduct(**one) for one in values["adopted"]),
            tuple(KeptAlternate(**one) for one in values.get("alternates", ())),  # absent before schema 0008
            tuple(KeptPlacement(**one) for one in values.get("placements", ())),  # absent before schema 0012
        )
    except (LookupError, AttributeError, TypeError) as error:
        raise _damaged(path, f"something is missing from it ({error})") from error


def _content(values: dict[str, Any]) -> dict[str, Any]:
    """The values as JSON gives them back."""
    content: dict[str, Any] = json.loads(json.dumps(values))
    return content


def _digest(content: Any) -> str:
    text = json.dumps(content, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _damaged(path: str, why: str) -> InputError:
    return InputError(
        f"{path} is damaged, or was edited: {why}; put back a copy of it, or move it away to do without what it holds "
        "(withdrawals, acknowledgements and configuration)"
    )
