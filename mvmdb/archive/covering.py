"""The archive's methods that tell what is covered, and how deeply."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack, cast

from mvmdb.archive.searching import Conditions, Searching, Texts, question_of, texts_of
from mvmdb.catalog.open import Connection, open_catalog
from mvmdb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from astropy.table import Table
    from numpy.typing import NDArray

    from mvmdb.archive.point_coverage import PointCoverage
    from mvmdb.archive.positions import Position
    from mvmdb.catalog.ask.search.question import Question
    from mvmdb.coverage.answers import Answer, Meanings, Wanted
    from mvmdb.coverage.values import CoveringExposures
    from mvmdb.names import Scale
    from mvmdb.sky.footprints import Footprints

_SHOWING: tuple[str, ...] = ("columns", "sort", "limit")


class Covering(Searching):
    """Areas and depths."""

    def coverage(
        self,
        *,
        by: Texts = (),
        regions: Texts = (),
        deeper_than: float | Sequence[float] = (),
        together: bool = False,
        adds: Texts = (),
        epochs: str | None = None,
        **conditions: Unpack[Conditions],
    ) -> Table:
        """How much of the sky exposures cover and how deeply, as a table of astropy; overlaps are counted once.

        The exposures are the members of layers that meet the conditions of `search`. `by`: `layer` (the view
        `coverage`, with areas within each sky cell, right to 0.06%), or one or more of `all`, `filter`, `instrument`,
        `camera`, `program`, `target`, `year`, `month`, `epoch` and `region`: a row for each of their combinations, with
        areas on the sphere, right to 0.02%. None: by layer, or by filter where something else is asked for.

        `regions`: texts as S_REGION has them (`POLYGON ...`, `CIRCLE ...`), or names of sky cells: only what lies
        within them. `deeper_than`: seconds; a column with the area of longer exposure time for each. `together`: one
        row with the area that every group covers; the groups are the filters, cameras or programs that are named, or
        all that are found. `adds`: programs; what they add to the other exposures. `epochs`: `yearly`, `monthly`, a
        length like `30d`, or dates (None: as the archive divides its layers, else `yearly`).

        Raises UsageError for what is not known or does not go together, InputError for a text that is no region. The
        command `coverage`.

        >>> archive.coverage(by="filter", deeper_than=1000)  # doctest: +SKIP
        """
        from mvmdb.archive.tables import to_table

        with self.covered(
            by=by, regions=regions, deeper_than=deeper_than, together=together, adds=adds, epochs=epochs, **conditions
        ) as (names, rows, meanings):
            return to_table(names, rows, meanings)

    @contextmanager
    def covered(
        self,
        *,
        by: Texts = (),
        regions: Texts = (),
        deeper_than: float | Sequence[float] = (),
        together: bool = False,
        adds: Texts = (),
        epochs: str | None = None,
        **conditions: Unpack[Conditions],
    ) -> Iterator[tuple[Sequence[str], Iterable[Sequence[Any]], Meanings]]:
        """As `coverage`, for a `with` block: names, rows and meanings of columns; layers may be millions."""
        from mvmdb.coverage.regions import read_sky_region

        limits = tuple(deeper_than) if isinstance(deeper_than, Sequence) else (deeper_than,)
        places = tuple(map(read_sky_region, texts_of(regions)))
        added = texts_of(adds)
        measured = bool(places or limits or together or added or epochs is not None)
        chosen = texts_of(by) or (("epoch",) if epochs is not None else ("filter",) if measured else ("layer",))
        if "layer" in chosen:
            if measured or len(chosen) > 1:
                raise UsageError(
                    "coverage by layer is that of the view `coverage`; expected by filter, camera or the like for "
                    "regions, limits of depth, epochs, and what is covered together or added"
                )
            with self._view(conditions) as view:
                yield view
            return
        with open_catalog(self.address, read_only=True) as engine, engine.connect() as connection:
            wanted = _wanted(connection, chosen, places, limits, epochs)
            question = question_of("exposures", _without_showing(conditions))
            answer = _ask(connection, question, wanted, together, added)
        yield _shown(answer, conditions)

    @contextmanager
    def _view(self, conditions: Conditions) -> Iterator[tuple[Sequence[str], Iterable[Sequence[Any]], Meanings]]:
        from mvmdb.catalog.ask.search.relations import COVERAGE, meanings_of

        columns = texts_of(conditions.get("columns", ())) or COVERAGE
        with self.found("layers", **cast(Conditions, {**conditions, "columns": columns})) as (names, rows):
            yield names, rows, meanings_of("layers")

    def coverage_at(self, position: Position, **conditions: Unpack[Conditions]) -> PointCoverage:
        """Who is in this pixel: every exposure and every layer at a position, if it meets the conditions of `search`.

        `position`: a SkyCoord, or ra and dec in degrees. Layers come with the pixel in their mosaic and the depth
        there. Raises UsageError for an impossible position. The command `coverage --at`.
        """
        from mvmdb.archive.point_coverage import PointCoverage
        from mvmdb.archive.positions import to_degrees
        from mvmdb.catalog.ask.point import find_at

        ra, dec = to_degrees(position)
        question = question_of("exposures", _without_showing(conditions))
        with open_catalog(self.address, read_only=True) as engine, engine.connect() as connection:
            return PointCoverage(ra, dec, find_at(connection, ra, dec, question))

    def coverage_map(
        self,
        output: str | os.PathLike[str],
        *,
        nside: int | None = None,
        multiorder: bool = False,
        frame: str | None = None,
        scale: Scale = "fine",
        adds: Texts = (),
        **conditions: Unpack[Conditions],
    ) -> str:
        """Write a map of exposure time and number of exposures to a FITS file; returns its path.

        HEALPix: values are means over each pixel, so that their sum times the area of a pixel is the exact sum. `nside`
        is a power of 2 (None: 4096). With `multiorder`, pixels are only divided where the depth changes, down to
        `nside`. The map is in ICRS, nested, and has only pixels that are covered.

        `adds`: programs; the map has only pixels that these overlap, and how much of the time and number is theirs
        (EXPTIME_ADDED, N_EXPOSURES_ADDED), so that the difference is the depth without them.

        With `frame`, the name of a sky cell, the map has the grid of the cell's mosaics of this `scale`, and counts the
        exposures whose footprint contains the centre of a pixel. Conditions as for `search`. Raises UsageError for
        another `nside`, for a sky cell without exposures, and if nothing is covered. The command `coverage map`.
        """
        from mvmdb.catalog.ask.contributing import load_frame
        from mvmdb.coverage.frame_file import write_map
        from mvmdb.coverage.healpix import map_depths, require_nside
        from mvmdb.coverage.healpix_file import write_healpix
        from mvmdb.remote.address import require_local

        added = texts_of(adds)
        if frame is not None and (nside is not None or multiorder or added):
            raise UsageError(
                f"a map in the frame of {frame} has no HEALPix pixels; expected no nside, multiorder or adds"
            )
        finest = require_nside(4096 if nside is None else nside)
        target = require_local(output)
        question = question_of("exposures", _without_showing(conditions))
        with open_catalog(self.address, read_only=True) as engine, engine.connect() as connection:
            framed = None if frame is None else load_frame(connection, question, frame, scale)
            exposures, footprints, adding = (None,) * 3 if framed else _load(connection, question, added)
        if not len(framed.exposures if framed else exposures or ()):
            raise UsageError("no exposure meets these conditions; expected some that cover the sky")
        if framed is not None:
            write_map(target, framed)
        elif exposures is not None and footprints is not None:
            write_healpix(target, map_depths(footprints, exposures.exptime, finest, adding), multiorder=multiorder)
        return str(target)

    def exposure_maps(self, names: Texts, output: str | os.PathLike[str]) -> list[str]:
        """Write maps of exposure time and number of exposures, and lists of these, of layers or sky cells; the paths.

        Beside the mosaic of a layer they tell who is in which pixel, as the context image of drizzlepac does. The map
        `<layer>_exptime.fits` has the grid of the layer's mosaic and a value for each pixel: of the exposures whose
        footprint contains its centre. `<layer>_exposures.ecsv` lists the members. A name of a sky cell stands for all
        its layers. They go to the folder `output`. Raises UsageError for a name that the catalog does not have. The
        command `coverage map`.
        """
        from mvmdb.catalog.ask.contributing import load_contributing
        from mvmdb.coverage.frame_file import write_exposure_map
        from mvmdb.remote.address import require_local

        folder = require_local(output)
        with open_catalog(self.address, read_only=True) as engine, engine.connect() as connection:
            layers = load_contributing(connection, texts_of(names))
        return [str(path) for layer in layers for path in write_exposure_map(folder, layer)]


def _wanted(
    connection: Connection, by: Sequence[str], regions: Sequence[Any], limits: Sequence[float], epochs: str | None
) -> Wanted:
    from mvmdb.catalog.settings import read_policy
    from mvmdb.coverage.answers import Wanted
    from mvmdb.coverage.groups import BYS, parse_epochs

    for name in by:
        if name not in BYS:
            raise UsageError(f"coverage is not divided by {name!r}; expected layer, or some of {', '.join(BYS)}")
    if epochs is not None and "epoch" not in by:
        raise UsageError(f"epochs are given, and coverage is asked for by {','.join(by)}; expected by epoch")
    division = epochs or read_policy(connection).epochs or "yearly"
    return Wanted(tuple(by), tuple(regions), tuple(map(float, limits)), parse_epochs(division))  # type: ignore[arg-type]


def _ask(connection: Connection, question: Question, wanted: Wanted, together: bool, adds: tuple[str, ...]) -> Answer:
    from mvmdb.coverage.answers import answer_depths, answer_gains, answer_together
    from mvmdb.sky.position import find_cells_at

    if together and adds:
        raise UsageError("together and adds are both given; expected one of them")
    circles = [circle for region in wanted.regions for circle in region.circles()]
    cells = sorted({cell.index for circle in circles for cell in find_cells_at(*circle)}) if circles else None
    exposures, footprints, adding = _load(connection, question, adds, cells)
    if adding is not None:
        return answer_gains(exposures, footprints, wanted, adding)
    if together:
        return answer_together(exposures, footprints, wanted, _named(question, wanted))
    return answer_depths(exposures, footprints, wanted)


def _load(
    connection: Connection, question: Question, adds: tuple[str, ...], cells: list[int] | None = None
) -> tuple[CoveringExposures, Footprints, NDArray[np.bool_] | None]:
    """The exposures, in these sky cells or in all; with `adds`, those about these programs, and which are theirs."""
    from mvmdb.catalog.ask.footprints import load_cells_of, load_footprints

    if not adds:
        return *load_footprints(connection, question, cells), None
    if question.programs:
        raise UsageError("programs are given as a condition and as what is added; expected one of them")
    ours, _ = load_footprints(connection, replace(question, programs=adds), cells)
    if not len(ours):
        raise UsageError(f"no exposure of {', '.join(adds)} meets these conditions; expected one")
    around = load_cells_of(connection, ours.id.tolist())
    exposures, footprints = load_footprints(connection, question, around)
    import numpy as np

    return exposures, footprints, np.isin(exposures.id, ours.id)


def _named(question: Question, wanted: Wanted) -> list[Sequence[str]]:
    """The groups that a question names by its conditions, as `group` calls them; none if it does not say."""
    from mvmdb.catalog.ask.search.question import filter_names

    if "filter" in wanted.by:
        return [filter_names(text) for text in dict.fromkeys(text.lower() for text in question.filters)]
    cameras = [text.lower().replace("-", "/") for text in question.cameras]
    if "camera" in wanted.by and all("/" in text for text in cameras):
        return [(text,) for text in dict.fromkeys(cameras)]
    if "program" in wanted.by and all(text.isdigit() for text in question.programs):
        return [(text,) for text in dict.fromkeys(question.programs)]
    return []


def _without_showing(conditions: Conditions) -> Conditions:
    return {name: value for name, value in conditions.items() if name not in _SHOWING}  # type: ignore[return-value]


def _shown(answer: Answer, conditions: Conditions) -> tuple[Sequence[str], Iterable[Sequence[Any]], Meanings]:
    """The rows as `columns`, `sort` and `limit` want them. Raises UsageError for a column that is not there."""
    names, rows = list(answer.names), list(answer.rows)
    for text in reversed(texts_of(conditions.get("sort", ()))):
        place = _place(names, text.removeprefix("-"))
        with_value = [row for row in rows if row[place] is not None]
        with_value.sort(key=lambda row: row[place], reverse=text.startswith("-"))
        rows = with_value + [row for row in rows if row[place] is None]
    limit = conditions.get("limit")
    rows = rows if limit is None else rows[:limit]
    columns = texts_of(conditions.get("columns", ()))
    if not columns:
        return names, rows, answer.meanings
    places = [_place(names, name) for name in columns]
    return columns, [[row[place] for place in places] for row in rows], answer.meanings


def _place(names: Sequence[str], name: str) -> int:
    if name not in names:
        raise UsageError(f"there is no column {name!r} here; expected one of {', '.join(names)}")
    return names.index(name)
