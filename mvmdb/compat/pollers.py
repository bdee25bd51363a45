"""`generate_poller_file` with drizzlepac's arguments; pollers/files.py holds the format."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mvmdb.compat.overlaps import find_file
from mvmdb.errors import InputError, UsageError
from mvmdb.exposures.read import read_exposure
from mvmdb.inputs import read_entries
from mvmdb.names import format_cell_name, parse_cell_name
from mvmdb.pollers.files import PollerRow, write_poller
from mvmdb.records import Dataset
from mvmdb.remote.address import canonical, file_name, is_url, require_local

KINDS = ("flc", "flt")
"""The order in which the files of a rootname are looked for."""


def generate_poller_file(
    input_list: str | os.PathLike[str] | Sequence[str],
    poller_file_type: str = "mvm",
    output_poller_filename: str | os.PathLike[str] = "poller_file.out",
    skycell_name: str | None = None,
) -> None:
    """Write a full MVM poller file, every row NEW, for one sky cell.

    `input_list` is the name of a text file with one exposure per line, or a sequence of them: file names, or rootnames,
    of which the FLC is taken, else the FLT. They are looked for in the current folder, beside the text file and in
    `$DATA_PATH/<first 4 characters>/<rootname>/`. File names may be addresses, `https://` or `s3://`.

    Raises UsageError for a type other than `mvm`, for a list or a DATA_PATH that is an address, and for a missing
    `skycell_name`; NameFormatError if that is not the name of a sky cell; and InputError for a file that is nowhere, or
    cannot be read or written.
    """
    if poller_file_type != "mvm":
        raise UsageError(f"poller_file_type is {poller_file_type!r}; expected 'mvm': other pollers are drizzlepac's")
    if skycell_name is None:
        raise UsageError("skycell_name is missing; expected the sky cell of the poller, like skycell-p0726x10y04")
    cell = format_cell_name(parse_cell_name(skycell_name))
    paths = [_locate(name, folders) for name, folders in _read_names(input_list)]
    write_poller(output_poller_filename, [_poller_row(read_exposure(path), cell) for path in paths])


def _read_names(input_list: str | os.PathLike[str] | Sequence[str]) -> list[tuple[str, list[Path]]]:
    """Each name, and the folders to look for it in."""
    folders = [Path()]
    if not isinstance(input_list, (str, os.PathLike)):
        return [(name.strip(), folders) for name in input_list if name.strip()]
    require_local(input_list)
    entries = read_entries(input_list, "the list", "a text file with one exposure per line")
    return [(name, [*folders, Path(input_list).parent]) for _, name in entries]


def _locate(name: str, folders: Sequence[Path]) -> str:
    """The file of a file name or a rootname; an address is not asked for. Raises InputError if it is nowhere."""
    if is_url(name):
        address = canonical(name)
        if not address.endswith(".fits"):
            raise InputError(f"{address} is no file; expected the address of an exposure, which ends in .fits")
        return address
    names = [name] if name.endswith(".fits") else [f"{name}_{kind}.fits" for kind in KINDS]
    cache = require_local(os.environ["DATA_PATH"]) if os.environ.get("DATA_PATH") else None
    root = Path(name).name.removesuffix(".fits").rsplit("_", 1)[0] if name.endswith(".fits") else name
    everywhere = [*folders, *([Path(cache, root[:4], root)] if cache else [])]
    for filename in names:
        path = find_file(Path(filename), *everywhere)
        if path.is_file():
            return str(path)
    places = ", ".join(str(folder.absolute()) for folder in everywhere)
    raise InputError(
        f"found no file {' or '.join(names)} in {places}; expected each exposure of the list; "
        "name its path, or set DATA_PATH"
    )


def _poller_row(dataset: Dataset, skycell: str) -> PollerRow:
    e = dataset.exposure
    return PollerRow(
        filename=file_name(dataset.path),
        proposal_id=e.proposal_id,
        program_id=e.program,
        obset_id=e.visit,
        exptime=e.exptime,
        filters=e.filters,
        detector=e.detector.upper(),
        skycell=skycell,
        flag="NEW",
        pathname=dataset.path,
    )
