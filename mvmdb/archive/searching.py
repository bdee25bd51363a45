"""The archive's methods that search for exposures, layers and products."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from mvmdb.archive.access import Access
from mvmdb.archive.times import to_mjd
from mvmdb.catalog.ask.search.question import Kind, Question
from mvmdb.catalog.ask.spool import SpooledRows
from mvmdb.catalog.open import open_catalog

if TYPE_CHECKING:
    from astropy.table import Table

Texts = str | Sequence[str]


class Conditions(TypedDict, total=False):
    """The conditions of a search; `Archive.search` says what each means."""

    filters: Texts
    cameras: Texts
    dates: tuple[Any, Any]
    programs: Texts
    targets: Texts
    skycells: Texts
    exposures: Texts
    at: Any
    radius: Any
    astrometry: Texts
    stale: bool
    waiting: bool
    mixed: bool
    apart: bool
    columns: Texts
    sort: Texts
    limit: int | None


class Searching(Access):
    """Searches in an archive."""

    def search(self, kind: Kind, **conditions: Unpack[Conditions]) -> Table:
        """The exposures, layers or products that meet every condition that is given, as a table of astropy.

        A condition with several values is met by any of them. `filters`: as in layer names, two elements joined by `-`.
        `cameras`: `WFC3/IR`, `WFC3` or `IR`. `dates`: the first and the last start, each a datetime, an astropy Time, a
        text or None. `programs`: proposal numbers, or the three characters in root names. `targets`, `exposures`: parts
        of TARGNAME, and of ROOTNAME or the file name. `skycells`: names. `at`: a SkyCoord of one or many positions, or
        (ra, dec) in degrees; with `radius`, a Quantity or degrees, a footprint comes so near. `astrometry`: parts of
        the catalog or the kind of fit of WCSNAME, such as `GAIA`; `none` for no catalog. `stale`, `waiting`, `mixed`,
        `apart`: layers that are stale, wait for files, have members of different astrometric frames that overlap, or
        members that do not lie together by measured shifts.

        A layer meets a condition on exposures if one of its members does, a product if an exposure that it holds does;
        an exposure meets a condition on layers if it is a member of one that does. `columns`: those wanted; `sort`:
        columns, with `-` before one that descends; `limit`: the most rows. Raises UsageError for what is not known. The
        command `search`.

        >>> archive.search("layers", filters="f125w", columns=["layer", "n_exposures"], limit=1)  # doctest: +SKIP
        """
        from mvmdb.archive.tables import to_table
        from mvmdb.catalog.ask.search.relations import meanings_of

        with self.found(kind, **conditions) as (names, rows):
            return to_table(names, rows, meanings_of(kind))

    @contextmanager
    def found(self, kind: Kind, **conditions: Unpack[Conditions]) -> Iterator[tuple[list[str], SpooledRows]]:
        """As `search`, the names and the rows, for a `with` block; many rows are kept in a temporary file."""
        from mvmdb.catalog.ask.search.find import find_rows

        question = question_of(kind, conditions)
        with SpooledRows() as rows:
            with open_catalog(self.address, read_only=True) as engine, engine.connect() as connection:
                names = find_rows(connection, question, rows)
            yield names, rows

    def astrometry(self, **conditions: Unpack[Conditions]) -> Table:
        """The layers in which members of different astrometric frames overlap, those with the largest area first.

        With `apart=True`, the layers whose members do not lie together by measured shifts, those with the largest shift
        first. Sources may be smeared there. Conditions as for `search("layers", ...)`; `columns` may name those of the
        view `coverage`, `frames` and `mixed_arcmin2` among them, `apart_pixels` and `apart_pairs`.
        The command `astrometry`.
        """
        from mvmdb.archive.tables import to_table
        from mvmdb.catalog.ask.search.relations import meanings_of

        with self.found_mixed(**conditions) as (names, rows):
            return to_table(names, rows, meanings_of("layers"))

    @contextmanager
    def found_mixed(self, **conditions: Unpack[Conditions]) -> Iterator[tuple[list[str], SpooledRows]]:
        """As `astrometry`, the names and the rows, for a `with` block; many rows are kept in a temporary file."""
        from mvmdb.catalog.ask.search.relations import APART, ASTROMETRY

        apart = conditions.get("apart", False)
        conditions["mixed"] = conditions.get("mixed", not apart)
        conditions["columns"] = conditions.get("columns") or (APART if apart else ASTROMETRY)
        conditions["sort"] = conditions.get("sort") or (("-apart_pixels",) if apart else ("-mixed_arcmin2",))
        with self.found("layers", **conditions) as answer:
            yield answer

    def seams(self, *, gradients: bool = False, **conditions: Unpack[Conditions]) -> Table:
        """What skies leave between overlapping exposures of mosaics, the worst first: a row per mosaic and pair.

        Conditions as for `search("layers", ...)`; `columns` and `sort` name those of the view `seam`. `gradients`: only
        pairs whose difference changes within their overlap. The command `seams`.
        """
        from mvmdb.archive.tables import to_table
        from mvmdb.catalog.ask.seams import meanings_of_seams

        with self.found_seams(gradients=gradients, **conditions) as (names, rows):
            return to_table(names, rows, meanings_of_seams())

    @contextmanager
    def found_seams(
        self, *, gradients: bool = False, **conditions: Unpack[Conditions]
    ) -> Iterator[tuple[list[str], SpooledRows]]:
        """As `seams`, the names and the rows, for a `with` block; many rows are kept in a temporary file."""
        from mvmdb.catalog.ask.seams import find_seams

        question = question_of("layers", conditions)
        with SpooledRows() as rows:
            with open_catalog(self.address, read_only=True) as engine, engine.connect() as connection:
                names = find_seams(connection, question, gradients, rows)
            yield names, rows

    def exposures(self, **conditions: Unpack[Conditions]) -> Table:
        """The exposures that meet these conditions, as `search("exposures", ...)`."""
        return self.search("exposures", **conditions)

    def layers(self, **conditions: Unpack[Conditions]) -> Table:
        """The layers that meet these conditions, as `search("layers", ...)`."""
        return self.search("layers", **conditions)

    def products(self, **conditions: Unpack[Conditions]) -> Table:
        """The products that meet these conditions, as `search("products", ...)`."""
        return self.search("products", **conditions)


def question_of(kind: Kind, conditions: Conditions) -> Question:
    """The question that these conditions make. Raises UsageError for values that are not what they should be."""
    from mvmdb.archive.positions import to_deg, to_positions

    first, last = conditions.get("dates", (None, None))
    texts = {
        name: texts_of(conditions.get(name, ()))
        for name in (
            "filters", "cameras", "programs", "targets", "skycells", "exposures", "astrometry", "columns", "sort",
        )
    }  # fmt: skip
    return Question(
        kind,
        **texts,
        dates=(None if first is None else to_mjd(first), None if last is None else to_mjd(last, end=True)),
        cones=to_positions(conditions.get("at")),
        radius=to_deg(conditions.get("radius", 0.0)),
        stale=conditions.get("stale", False),
        waiting=conditions.get("waiting", False),
        mixed=conditions.get("mixed", False),
        apart=conditions.get("apart", False),
        limit=conditions.get("limit"),
    )


def texts_of(given: object) -> tuple[str, ...]:
    """One text or number, or several, as texts."""
    if isinstance(given, str) or not isinstance(given, Sequence):
        return (str(given),)
    return tuple(map(str, given))
