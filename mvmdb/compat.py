"""Functions of drizzlepac's MVM code that other programs call, with the same names, arguments and return values.

They are `get_sky_cells` (`haputils/cell_utils.py`), `generate_poller_file` (`haputils/make_poller_files.py`) and
`run_mvm_processing` (`hapmultisequencer.py`).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from mvmdb.errors import ExposureError, MvmdbError, NothingViableError, UsageError
from mvmdb.exposures.eligibility import apply_switches
from mvmdb.exposures.place import find_places
from mvmdb.exposures.read import read_exposure
from mvmdb.jobs.report import failures
from mvmdb.names import CellId, format_cell_name, parse_cell_name
from mvmdb.pollers.files import PollerRow, read_poller, write_poller
from mvmdb.process import process_poller
from mvmdb.records import Dataset, Policy
from mvmdb.remote.address import canonical, file_name, is_url
from mvmdb.sky.tessellation import cell_corners, cell_wcs
from mvmdb.workers.choice import open_workers

log = logging.getLogger(__name__)

DONE = 0
KEYWORD_PROBLEM = 15
ONLY_SMALL = 55
NOTHING_VIABLE = 65


@dataclass(frozen=True, slots=True)
class SkyCell:
    """A sky cell with the attributes that drizzlepac's callers use.

    `wcs`: the fine-scale WCS. `corners`: (5, 2) the closed outline, ra and dec in degrees. `members`: the file names of
    the exposures that overlap it.
    """

    sky_cell_id: str
    wcs: WCS
    corners: NDArray[np.float64]
    members: tuple[str, ...]


def get_sky_cells(visit_input: str | Sequence[str], input_path: str | None = None) -> dict[str, SkyCell]:
    """The sky cells that these exposures overlap, by name.

    `visit_input`: a poller file (basic or full), or a sequence of exposure file names. `input_path`: the folder that
    relative names are in (None: the current folder). Raises InputError if a file is missing or cannot be read.
    """
    paths = _list_files(visit_input, input_path)
    datasets = [read_exposure(path) for path in paths]
    places = find_places(datasets, "overlap")
    for index, why in places.unplaced.items():
        log.warning("%s is in no sky cell: %s", paths[index], why)
    return {
        format_cell_name(cell): _sky_cell(cell, [file_name(paths[index]) for index in indices])
        for cell, indices in places.cells.items()
    }


def _sky_cell(cell: CellId, members: Sequence[str]) -> SkyCell:
    corners = cell_corners(cell)
    return SkyCell(format_cell_name(cell), cell_wcs(cell), np.vstack([corners, corners[:1]]), tuple(members))


def _list_files(visit_input: str | Sequence[str], input_path: str | None = None) -> list[str]:
    """The files that a poller or a sequence names, in the folder `input_path`.

    A poller's path that is not there stands for the file of that name beside the poller, as in `process_poller`.
    """
    folder = input_path or ""
    if not isinstance(visit_input, str):
        return [_place(folder, name) for name in visit_input]
    poller = read_poller(visit_input)
    names = [row.pathname for row in poller.rows] if poller.form == "full" else list(poller.filenames)
    return [_prefer_named(_place(folder, name), Path(visit_input).parent) for name in names]


def _place(folder: str, name: str) -> str:
    return canonical(name) if is_url(name) else str(Path(folder, name))


def _prefer_named(path: str, folder: Path) -> str:
    beside = folder / file_name(path)
    if is_url(path) or Path(path).is_file() or not beside.is_file():
        return path
    log.warning("%s is not there; %s is taken", path, beside)
    return str(beside)


def generate_poller_file(
    input_list: str | Sequence[str],
    poller_file_type: str = "mvm",
    output_poller_filename: str = "poller_file.out",
    skycell_name: str | None = None,
) -> None:
    """Write a full MVM poller file, every row NEW, for one sky cell.

    `input_list` is the name of a text file with one exposure file per line, or a sequence of file names. Raises
    UsageError for a type other than `mvm` and for a missing `skycell_name`, NameFormatError if that is not the name of
    a sky cell, and InputError for a file that cannot be read or written.
    """
    if poller_file_type != "mvm":
        raise UsageError(f"poller_file_type is {poller_file_type!r}; expected 'mvm': other pollers are drizzlepac's")
    if skycell_name is None:
        raise UsageError("skycell_name is missing; expected the sky cell of the poller, like skycell-p0726x10y04")
    cell = format_cell_name(parse_cell_name(skycell_name))
    datasets = [read_exposure(path) for path in _list_files(input_list)]
    write_poller(output_poller_filename, [_poller_row(dataset, cell) for dataset in datasets])


def _poller_row(dataset: Dataset, skycell: str) -> PollerRow:
    e = dataset.exposure
    return PollerRow(
        filename=Path(dataset.path).name,
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


def run_mvm_processing(input_filename: str, output: str | None = None, jobs: int | None = None) -> int:
    """Make the mosaics of one poller file, and return drizzlepac's code of the result.

    0: done. 15: the keywords of an exposure cannot be used. 55: there are only ACS/HRC and ACS/SBC data, and
    MVM_INCLUDE_SMALL is off. 65: no exposure is viable. The products go to `<output>/<skycell>/` (None: below the
    current folder). `jobs`: the number of worker processes (None: one per core). Raises InputError if the poller file
    cannot be read, and MvmdbError if a layer could not be made.
    """
    try:
        with open_workers(jobs=jobs) as workers:
            policy = apply_switches(Policy(), os.environ)
            report = process_poller(Path(input_filename), Path(output or "."), policy, workers=workers)
    except NothingViableError as error:
        log.error("%s", error)
        return ONLY_SMALL if error.only_small else NOTHING_VIABLE
    except ExposureError as error:
        log.error("%s", error)
        return KEYWORD_PROBLEM
    if report.failed:
        raise MvmdbError("; ".join(failures(report.layers)))
    return DONE


__all__ = ["SkyCell", "generate_poller_file", "get_sky_cells", "run_mvm_processing"]
