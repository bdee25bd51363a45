"""Which files a sky cell's folder gets, under which names, and the poller that names them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from mvmdb.catalog.ask.members import LayerExposure
from mvmdb.errors import InputError
from mvmdb.names import is_cell_name, parse_exposure_name, parse_layer_name
from mvmdb.pollers.files import PollerRow
from mvmdb.pollers.rows import poller_rows
from mvmdb.pollers.write import rows_of_plan
from mvmdb.records import Plan
from mvmdb.remote.state import Stamp


@dataclass(frozen=True, slots=True)
class StagedFile:
    """One file to put: its path or address, the name that it gets, and its size and time as registered, if known."""

    source: str
    name: str
    recorded: Stamp | None = None


@dataclass(frozen=True, slots=True)
class StagedCell:
    """The files of one sky cell (name), OLD ones too, and the rows of its poller, whose paths are those names."""

    skycell: str
    files: tuple[StagedFile, ...]
    rows: tuple[PollerRow, ...]


def plan_cells(
    exposures: Sequence[LayerExposure], plan: Plan, recorded: Mapping[str, Stamp], *, all_new: bool
) -> list[StagedCell]:
    """What to put for each sky cell of these exposures, whose files were registered with these stamps; sorted.

    Rows of stale layers are NEW, or with `all_new` those of all layers but such as wait for files of their members: of
    these, drizzlepac would make a mosaic without them. Raises InputError if two files of a cell would get one name.
    """
    names = {(exposure.skycell, exposure.path): staged_name(exposure) for exposure in exposures}
    if all_new:
        waiting = {line.name for line in plan.layers if line.n_waiting}
        rows = poller_rows(exposures, {one.layer: None for one in exposures if one.layer not in waiting})
    else:
        rows = rows_of_plan(exposures, plan, "layer")
    return [_plan_cell(skycell, rows[skycell], names, recorded) for skycell in sorted(rows)]


def staged_name(exposure: LayerExposure) -> str:
    """The name of an exposure's file as in the archive's pollers: that of the single-visit pipeline.

    `hst_<proposal>_<visit>_<instrument>_<detector>_<filter>_<ipppssoo>_fl[ct].fits`; a file that has a HAP name keeps
    it. drizzlepac tells instrument and exposure by the words of this name.
    """
    parsed = parse_exposure_name(exposure.filename)
    if parsed is None:
        raise InputError(f"{exposure.path} is not named as an exposure; expected *_flt.fits, *_flc.fits or *_c0m.fits")
    if not is_cell_name(exposure.skycell) or "/" in exposure.filename + exposure.visit + exposure.ipppssoo:
        raise InputError(  # rows may have been changed by hand, and such names would lead out of the folder
            f"the catalog has {exposure.filename!r} of {exposure.ipppssoo!r} in {exposure.skycell!r}; expected names "
            "of a file, an exposure and a sky cell; run: mvmdb verify --repair"
        )
    if exposure.filename.lower().startswith("hst_"):
        return exposure.filename
    layer = parse_layer_name(exposure.layer)
    words = (
        "hst", str(exposure.proposal_id), exposure.visit.lower(), layer.instrument, layer.detector, layer.filter,
        exposure.ipppssoo, f"{parsed[1]}.fits",
    )  # fmt: skip
    return "_".join(words)


def _plan_cell(
    skycell: str, rows: Iterable[PollerRow], names: Mapping[tuple[str, str], str], recorded: Mapping[str, Stamp]
) -> StagedCell:
    files: dict[str, StagedFile] = {}
    staged = []
    for row in rows:
        name = names[skycell, row.pathname]
        if name in files:
            raise InputError(
                f"{row.pathname} and {files[name].source} would both be {name} in the folder of {skycell}; "
                "expected one file for each exposure; rename one of them"
            )
        files[name] = StagedFile(row.pathname, name, recorded.get(row.pathname))
        staged.append(replace(row, filename=name, pathname=name))
    return StagedCell(skycell, tuple(files.values()), tuple(sorted(staged, key=lambda row: row.filename)))
