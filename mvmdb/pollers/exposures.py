"""The exposures that a poller file names: which are usable, in which sky cells, and why the others are not usable."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mvmdb.errors import ExposureError, NothingViableError
from mvmdb.exposures.choose import Candidate, choose_active
from mvmdb.exposures.place import find_places
from mvmdb.exposures.read import read_exposure
from mvmdb.layers.admission import frame_left_out, is_small, left_out
from mvmdb.pollers.files import Poller, find_named, read_poller
from mvmdb.records import Dataset, Policy
from mvmdb.remote.address import is_url


@dataclass(frozen=True, slots=True)
class PollerWork:
    """The exposures of a poller file.

    `datasets`: the usable ones, by ipppssoo. `cells`: for each sky cell (name), its exposures and whether they are NEW.
    `unusable`: why the others cannot be used, by ipppssoo, or by file name if the file cannot be read. `beside`: the
    files in the poller's folder that were taken for paths that are not there, by these paths.
    """

    datasets: Mapping[str, Dataset]
    cells: Mapping[str, Mapping[str, bool]]
    unusable: Mapping[str, str]
    beside: Mapping[str, str]


def read_poller_work(source: Path, policy: Policy) -> PollerWork:
    """Read the headers of a poller's exposures: which are usable in which sky cell, and why the others are not.

    Raises InputError if the poller or a file that it names cannot be used, and if no exposure is usable: ExposureError
    if some file could not be read, else NothingViableError.
    """
    poller = read_poller(source)
    places = find_named(poller, source.parent)
    datasets: dict[str, Dataset] = {}
    named: dict[tuple[str, str | None], bool] = {}
    unusable: dict[str, str] = {}
    only_small = True
    bad: list[ExposureError] = []
    for filename, skycell, is_new in _entries(poller):
        try:
            dataset = read_exposure(places[filename])
        except ExposureError as error:
            bad.append(error)
            unusable[Path(filename).name] = str(error)
            continue
        exposure = dataset.exposure
        why = "; ".join(refusal.finding for refusal in exposure.refusals)
        only_small = only_small and not why and is_small(exposure.instrument, exposure.detector)
        why = why or left_out(exposure.instrument, exposure.detector, exposure.kind, policy)
        why = why or frame_left_out(exposure.frame, policy)
        if why:
            unusable[exposure.ipppssoo] = why
            continue
        datasets[exposure.ipppssoo] = _prefer(datasets.get(exposure.ipppssoo), dataset)
        key = (exposure.ipppssoo, skycell)
        named[key] = named.get(key, False) or is_new
    cells = _find_cells(datasets, named, unusable)
    if not cells and bad:
        raise bad[0]
    if not cells:
        reasons = "; ".join(f"{name}: {why}" for name, why in sorted(unusable.items()))
        message = f"{source}: none of its exposures can be in a layer ({reasons})"
        raise NothingViableError(message, only_small=only_small and not datasets)
    beside = {name: place for name, place in places.items() if not is_url(place) and place != str(source.parent / name)}
    return PollerWork(datasets, cells, unusable, beside)


def _entries(poller: Poller) -> list[tuple[str, str | None, bool]]:
    """(path, sky cell or None, whether it is NEW) of each line; a basic poller names no sky cells, and all is NEW."""
    if poller.form == "basic":
        return [(filename, None, True) for filename in poller.filenames]
    return [(row.pathname, row.skycell, row.flag == "NEW") for row in poller.rows]


def _prefer(first: Dataset | None, second: Dataset) -> Dataset:
    if first is None:
        return second
    pair = {dataset.path: dataset for dataset in (first, second)}
    return pair[
        choose_active(
            [
                Candidate(d.exposure.kind, d.exposure.wcs_rank, d.exposure.processed, d.mtime_ns, d.path)
                for d in pair.values()
            ]
        ).path
    ]


def _find_cells(
    datasets: Mapping[str, Dataset], named: Mapping[tuple[str, str | None], bool], unusable: dict[str, str]
) -> dict[str, dict[str, bool]]:
    """The exposures of each sky cell, and whether they are NEW.

    Adds to `unusable` those without a measurable footprint and those that do not overlap the cell of their line.
    """
    names = list(datasets)
    places = find_places(list(datasets.values()), "overlap")
    unplaced = {names[index]: why for index, why in places.unplaced.items()}
    unusable.update(unplaced)
    overlaps: dict[str, set[str]] = {name: set() for name in names}
    for cell, indices in places.cells.items():
        for index in indices:
            overlaps[names[index]].add(str(cell))
    cells: dict[str, dict[str, bool]] = defaultdict(dict)
    for (name, skycell), is_new in named.items():
        if name in unplaced:
            continue
        if skycell is not None and skycell not in overlaps[name]:
            unusable[name] = f"it does not overlap {skycell}"
            continue
        for overlapped in [skycell] if skycell is not None else overlaps[name]:
            cells[overlapped][name] = cells[overlapped].get(name, False) or is_new
    return dict(cells)
