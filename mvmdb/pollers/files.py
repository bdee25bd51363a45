"""Reads and writes poller files, which list what MVM processing drizzles; pollers/rows.py marks rows NEW or OLD.

The format is that of drizzlepac (`haputils/poller_utils.py`, poller type "mvm"): no header, one exposure per line,
either ten columns ("full") or only the file name ("basic").
"""

from __future__ import annotations

import logging
import math
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from mvmdb.atomic import replace_file
from mvmdb.errors import InputError, NameFormatError
from mvmdb.inputs import read_named
from mvmdb.instruments import HIGHEST_PROPOSAL
from mvmdb.names import format_cell_name, parse_cell_name, parse_exposure_name
from mvmdb.remote.address import canonical, is_url

log = logging.getLogger(__name__)

Flag = Literal["NEW", "OLD"]
Form = Literal["basic", "full"]

COLUMNS = (
    "filename", "proposal_id", "program_id", "obset_id", "exptime",
    "filters", "detector", "skycell", "NEW|OLD", "pathname",
)  # fmt: skip
_FLAGS = get_args(Flag)
_NOT_HELD = re.compile(r"[,\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Commas, control characters of C0 and C1, line ends, what turns the direction of text, and lone surrogates."""
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class PollerRow:
    """One line of a full poller. `exptime` in seconds; `filters` of all wheels, joined with `;`, in capitals."""

    filename: str
    proposal_id: int
    program_id: str
    obset_id: str
    exptime: float
    filters: str
    detector: str
    skycell: str
    flag: Flag
    pathname: str


@dataclass(frozen=True, slots=True)
class Poller:
    """A poller file as read: `rows` only for the full form, `filenames` (the lines of a basic poller) for both."""

    form: Form
    rows: tuple[PollerRow, ...]
    filenames: tuple[str, ...]


def format_poller_name(skycell: str) -> str:
    """The file name of a sky cell's poller: `<skycell>_input.out`."""
    return f"{skycell}_input.out"


def format_planned_name(skycell: str) -> str:
    """The name of the file of what a run is going to do: no pattern for poller files matches it."""
    return f"{skycell}_input.planned"


def format_row(row: PollerRow) -> str:
    """The line of one row, without a newline. Raises InputError for a value that a line cannot hold."""
    if not (math.isfinite(row.exptime) and row.exptime >= 0):
        raise InputError(f"{row.filename}: exptime is {row.exptime}; expected seconds")
    fields = [
        row.filename,
        str(row.proposal_id),
        row.program_id,
        row.obset_id,
        repr(float(row.exptime)),
        row.filters,
        row.detector,
        row.skycell,
        row.flag,
        row.pathname,
    ]
    for column, field in zip(COLUMNS, fields, strict=True):
        if not _can_stand(field):
            raise InputError(
                f"{column} is {field!r}, which a poller file cannot hold; "
                "expected UTF-8 text without commas, control characters or outer blanks; rename the file or folder"
            )
    return ",".join(fields)


def parse_row(line: str) -> PollerRow:
    """Read one line of a full poller; the inverse of `format_row`.

    Raises InputError without the name of the file, which `read_poller` adds.
    """
    fields = [field.strip() for field in line.split(",")]
    if len(fields) != len(COLUMNS):
        raise InputError(f"{len(fields)} columns found, expected {len(COLUMNS)}: {','.join(COLUMNS)}")
    for column, field in zip(COLUMNS, fields, strict=True):
        if not field:
            raise InputError(f"{column} is empty")
    filename, proposal, program_id, obset_id, exptime, filters, detector, skycell, flag, pathname = fields
    if flag not in _FLAGS:
        raise InputError(f"the flag is {_quote(flag)}, expected NEW or OLD")
    try:
        cell = parse_cell_name(skycell[:60])
    except NameFormatError as error:
        raise InputError(str(error)) from error
    if not (proposal.isascii() and proposal.isdecimal() and len(proposal) <= 20 and int(proposal) <= HIGHEST_PROPOSAL):
        raise InputError(f"proposal_id is {_quote(proposal)}, expected a whole number, 0 to {HIGHEST_PROPOSAL}")
    return PollerRow(
        filename=filename,
        proposal_id=int(proposal),
        program_id=program_id,
        obset_id=obset_id,
        exptime=_seconds(exptime),
        filters=filters,
        detector=detector,
        skycell=format_cell_name(cell),
        flag="NEW" if flag == "NEW" else "OLD",
        pathname=pathname,
    )


def read_poller(path: str | os.PathLike[str]) -> Poller:
    """Read a poller file of either form. Blank lines are skipped.

    Raises InputError, with file and line, if the file cannot be read, is empty, mixes the two forms, has an invalid
    line, or names one file twice in a sky cell. `find_named` finds the named files.
    """
    text = read_named(path, "the poller file", "a text file")
    ends = _LINE_END.split(text)  # str.splitlines would end a line at characters that names may have
    lines = [(number, line.strip()) for number, line in enumerate(ends, 1) if line.strip()]
    if not lines:
        raise InputError(f"the poller file {path} is empty; expected one exposure per line; write it: mvmdb poller")
    full = "," in lines[0][1]
    rows: list[PollerRow] = []
    entries: list[tuple[int, str, str]] = []
    for number, line in lines:
        try:
            if ("," in line) != full:
                raise InputError("full and basic lines are mixed, expected one form throughout")
            row = parse_row(line) if full else None
        except InputError as error:
            raise InputError(
                f"{path}, line {number}: {error}; mend the line, or write it anew: mvmdb poller"
            ) from error
        if row is not None:
            rows.append(row)
        entries.append((number, row.skycell, row.pathname) if row else (number, "", line))
    _refuse_duplicates(path, entries)
    filenames = tuple(row.filename for row in rows) if full else tuple(line for _, _, line in entries)
    return Poller("full" if full else "basic", tuple(rows), filenames)


def find_named(poller: Poller, folder: str | os.PathLike[str] = ".") -> dict[str, str]:
    """Where each file that a poller names is, by the path in the poller; relative paths are relative to `folder`.

    A path that is not there, as in a poller written on another machine, stands for the file of that name in `folder`.
    Only files with the name of an exposure are looked for: a poller may come from anywhere, and must not have any other
    file opened. An address of a file elsewhere is asked for when it is read. Raises InputError for another name, for
    what cannot be an address, and if neither place has the file.
    """
    named = [row.pathname for row in poller.rows] if poller.form == "full" else list(poller.filenames)
    foreign = next((name for name in named if parse_exposure_name(Path(name).name) is None), None)
    if foreign is not None:
        raise InputError(f"the poller names {_quote(foreign)}; expected exposures: *_flt.fits, *_flc.fits, *_c0m.fits")
    urls = {name: canonical(name) for name in named if is_url(name)}
    places = {name: Path(folder, name) for name in named if name not in urls}
    places |= {name: Path(folder, path.name) for name, path in places.items() if not path.is_file()}
    missing = [name for name, path in places.items() if not path.is_file()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InputError(
            f"the poller names {missing[0]}{more}, which is not there; nor is a file of that name beside the poller; "
            "put the file there, or name it where it is now"
        )
    return {name: urls.get(name) or str(places[name]) for name in named}


def write_poller(path: str | os.PathLike[str], rows: Sequence[PollerRow]) -> bool:
    """Write a full poller atomically; return whether it was written: a file with the same bytes is left alone.

    Raises InputError for no rows, for rows that a poller cannot hold (`format_row`), for a file that is named twice in
    a sky cell, and for a folder that cannot be written to.
    """
    if not rows:
        raise InputError(f"no rows for the poller file {path}; expected at least one exposure")
    _refuse_duplicates(path, ((number, row.skycell, row.pathname) for number, row in enumerate(rows, 1)))
    return _write_changed(Path(path), "".join(f"{format_row(row)}\n" for row in rows).encode())


def write_basic_poller(path: str | os.PathLike[str], filenames: Sequence[str]) -> bool:
    """Write a basic poller, one file name per line; otherwise as `write_poller`."""
    if not filenames:
        raise InputError(f"no file names for the poller file {path}; expected at least one exposure")
    for name in filenames:
        if not _can_stand(name):
            raise InputError(
                f"{name!r} cannot stand in a poller file; expected a name without commas or control characters"
            )
    _refuse_duplicates(path, ((number, "", name) for number, name in enumerate(filenames, 1)))
    return _write_changed(Path(path), "".join(f"{name}\n" for name in filenames).encode())


def _can_stand(field: str) -> bool:
    """Whether a field of a poller file can hold this text, which a terminal may show too.

    A name that is not UTF-8 has lone surrogates.
    """
    return bool(field) and field == field.strip() and _NOT_HELD.search(field) is None


def _write_changed(path: Path, content: bytes) -> bool:
    """Replace the file atomically, unless it has this content already; return whether it was written."""
    try:
        if path.is_file() and path.read_bytes() == content:
            return False
        replace_file(path, lambda stream: stream.write(content))
    except OSError as error:
        raise InputError(
            f"the poller file {path} cannot be written ({error.strerror}); expected a folder that can be: -o DIR"
        ) from error
    log.info("wrote %s", path)
    return True


def _quote(field: str) -> str:
    return repr(field if len(field) <= 60 else field[:57] + "...")


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise InputError(f"exptime is {_quote(text)}, expected seconds")
    return value


def _refuse_duplicates(path: str | os.PathLike[str], entries: Iterable[tuple[int, str, str]]) -> None:
    """Raise InputError if a file is named twice in a sky cell; `entries` are (line, sky cell, file name).

    Several files of one exposure are allowed: pollers/exposures.py chooses one of them.
    """
    first: dict[tuple[str, str], int] = {}
    for number, skycell, filename in entries:
        key = (skycell, filename)
        if key in first:
            raise InputError(
                f"{path}, line {number}: {filename} is on line {first[key]} already; expected each file once; "
                "drop one of the lines"
            )
        first[key] = number
