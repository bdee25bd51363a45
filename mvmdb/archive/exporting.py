"""The archive's method that writes coverage and observations in the formats of other programs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Unpack

from mvmdb.archive.searching import Conditions, Searching, question_of
from mvmdb.atomic import replace_file
from mvmdb.catalog.ask.search.question import Question
from mvmdb.catalog.ask.spool import SpooledRows
from mvmdb.catalog.open import open_catalog
from mvmdb.errors import UsageError
from mvmdb.formats.values import DIMENSIONS, FORMATS, GROUPINGS, Dimensions, Format, Grouping, Written
from mvmdb.remote.address import require_local

if TYPE_CHECKING:
    from mvmdb.coverage.values import CoveringExposures
    from mvmdb.names import CellId

    _Group = tuple[str, CoveringExposures, CellId | None]

_UNSAFE = re.compile(r"[^a-z0-9._-]+")


class Exporting(Searching):
    """Coverage and observations for other programs."""

    def export(
        self,
        format: Format,
        path: str | os.PathLike[str],
        *,
        by: Grouping | None = None,
        dimensions: Dimensions = "space",
        order: int | None = None,
        time_order: int | None = None,
        **conditions: Unpack[Conditions],
    ) -> tuple[Written, ...]:
        """Write what meets these conditions, as for `search`, to a file that other programs open.

        `moc`, `ds9`, `aladin` and `geojson` hold the footprints of exposures that are members of layers; `obscore` (a
        VOTable) and `parquet` hold eligible exposures and intact mosaics, as the view `obscore`. Only `moc` knows the
        options: `by` writes one map per filter, layer, program, instrument or camera into the folder `path`;
        `dimensions`: `space`, `time` or `space-time`; `order`: of HEALPix, 0 to 20 (None: 16, cells of 3.2 arcsec);
        `time_order`: 0 to 61 (None: 35, steps of 67 s). The ending of the file's name says how a map is written: .fits,
        .json or .txt.

        A file is written whole or not at all; one that is there is replaced. Returns what was written; a selection
        without exposures gives an empty file. Raises UsageError for what is not known, and if a library is missing.
        The command `coverage export`.
        """
        if format not in FORMATS:
            raise UsageError(f"found the format {format!r}; expected one of {', '.join(FORMATS)}")
        shown = {"columns", "sort", "limit"} & set(conditions)
        if shown:
            raise UsageError(f"found {', '.join(sorted(shown))}; expected none: an export has all columns and rows")
        target = require_local(path).absolute()
        if format == "moc":
            return self._export_maps(target, by, dimensions, order, time_order, conditions)
        if by is not None or dimensions != "space" or order is not None or time_order is not None:
            raise UsageError(f"by, dimensions and orders are of maps (moc); expected none of them for {format}")
        if format in ("obscore", "parquet"):
            return (self._export_rows(format, target, conditions),)
        from mvmdb.formats.aladin import write_aladin
        from mvmdb.formats.ds9 import write_ds9
        from mvmdb.formats.geojson import write_geojson

        write = {"ds9": write_ds9, "aladin": write_aladin, "geojson": write_geojson}[format]
        exposures = self._covering(question_of("exposures", conditions))
        replace_file(_file(target), lambda file: write(exposures, file))
        return (Written(str(target), len(exposures)),)

    def _covering(self, question: Question) -> CoveringExposures:
        from mvmdb.catalog.ask.covering import load_covering

        with open_catalog(self.address, read_only=True) as engine, engine.connect() as connection:
            return load_covering(connection, question)

    def _export_rows(self, format: Format, target: Path, conditions: Conditions) -> Written:
        from mvmdb.catalog.ask.obscore import spool_obscore
        from mvmdb.formats.obscore import write_votable
        from mvmdb.formats.parquet import require_parquet, write_parquet

        write: Callable[[Any, BinaryIO], int] = write_votable
        if format == "parquet":
            require_parquet()
            write = write_parquet
        question = question_of("exposures", conditions)
        counted: list[int] = []
        with SpooledRows() as rows:
            with open_catalog(self.address, read_only=True) as engine, engine.connect() as connection:
                spool_obscore(connection, question, rows)
            replace_file(_file(target), lambda file: counted.append(write(rows, file)))
        return Written(str(target), counted[0])

    def _export_maps(
        self,
        target: Path,
        by: Grouping | None,
        dimensions: Dimensions,
        order: int | None,
        time_order: int | None,
        conditions: Conditions,
    ) -> tuple[Written, ...]:
        from mvmdb.formats import moc

        moc.require_moc()
        chosen = moc.DEFAULT_ORDER if order is None else order
        chosen_time = moc.DEFAULT_TIME_ORDER if time_order is None else time_order
        _require_maps(by, dimensions, (chosen, moc.DEEPEST_ORDER), (chosen_time, moc.DEEPEST_TIME_ORDER))
        form = "fits" if by is not None else moc.serialisation_of(target.name)
        written = []
        for name, exposures, within in self._groups(by, conditions):
            path = _file(target) if by is None else _folder(target) / f"{_UNSAFE.sub('_', name.lower())}.fits"
            made, left_out = moc.make_moc(exposures, dimensions, chosen, chosen_time, within)
            replace_file(path, lambda file, made=made: moc.write_moc(made, form, file))  # type: ignore[misc]
            written.append(Written(str(path), len(exposures) - left_out, left_out, moc.area_of(made)))
        return tuple(written)

    def _groups(self, by: Grouping | None, conditions: Conditions) -> Iterator[_Group]:
        """The name and the exposures of each map, and the sky cell that it is of."""
        import numpy as np

        question = question_of("exposures", conditions)
        if by == "layer":
            yield from self._layers_of(question)
            return
        exposures = self._covering(question)
        if by is None:
            yield "all", exposures, None
            return
        names = {
            "filter": exposures.filter,
            "program": exposures.proposal_id,
            "instrument": exposures.instrument,
            "camera": exposures.instrument + "_" + exposures.detector,
        }[by]
        groups, member = np.unique(names.astype(str), return_inverse=True)
        for number, name in enumerate(groups.tolist()):
            yield name, exposures.select(np.flatnonzero(member == number)), None

    def _layers_of(self, question: Question) -> Iterator[_Group]:
        import numpy as np

        from mvmdb.catalog.ask.covering import load_covering
        from mvmdb.catalog.ask.layer_members import load_layer_members
        from mvmdb.names import parse_cell_name, parse_layer_name

        with open_catalog(self.address, read_only=True) as engine, engine.connect() as connection:
            exposures = load_covering(connection, question)
            pairs = load_layer_members(connection, question)
        order = np.argsort(exposures.id)
        place = {int(key): int(n) for key, n in zip(exposures.id[order], order, strict=True)}
        layers: dict[str, list[int]] = {}
        for layer, key in pairs:
            if key in place:
                layers.setdefault(layer, []).append(place[key])
        for layer, members in layers.items():
            skycell = parse_cell_name(parse_layer_name(layer).skycell)
            yield layer, exposures.select(np.array(members)), skycell


def _require_maps(
    by: Grouping | None, dimensions: Dimensions, order: tuple[int, int], time_order: tuple[int, int]
) -> None:
    if by is not None and by not in GROUPINGS:
        raise UsageError(f"maps by {by!r} are not known; expected one of {', '.join(GROUPINGS)}")
    if dimensions not in DIMENSIONS:
        raise UsageError(f"found the dimensions {dimensions!r}; expected one of {', '.join(DIMENSIONS)}")
    for words, (value, most) in (("order", order), ("order of time", time_order)):
        if not 0 <= value <= most:
            raise UsageError(f"the {words} is {value}; expected 0 to {most}")


def _file(path: Path) -> Path:
    if path.is_dir():
        raise UsageError(f"{path} is a folder; expected the name of a file")
    return path


def _folder(path: Path) -> Path:
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file; expected a folder for one map per group")
    return path
