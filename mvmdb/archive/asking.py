"""The archive's methods that ask: they change nothing but what the catalog has seen of the products."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mvmdb.archive.access import Access, chosen_cells
from mvmdb.archive.values import Explanation, History, Quarantine, Status
from mvmdb.catalog.ask.query import TIMEOUT, EndStuck, run_query
from mvmdb.catalog.clock import utc_time
from mvmdb.catalog.open import as_recorded, check_file, open_catalog
from mvmdb.errors import UsageError
from mvmdb.garbage import gc_paused
from mvmdb.remote.address import require_local

if TYPE_CHECKING:
    from astropy.table import Table

    from mvmdb.catalog.ask.history import PastRun, RecordedEvent
    from mvmdb.catalog.ask.spool import SpooledRows
    from mvmdb.reconcile.planning import Outlook

_NEWEST = 20


class Asking(Access):
    """Questions to an archive."""

    def status(self, skycells: Sequence[str] = (), *, deep: bool = False) -> Status:
        """What is stale in these sky cells, or in all, and why.

        A layer with members that are known only from a table waits for their files. With `deep`, the catalog's file
        and the digests of products are checked, not only their size and time. Raises UsageError for a sky cell that no
        exposure overlaps, and CatalogError if the catalog cannot be opened, or is damaged. The command `status`.
        """
        from mvmdb.catalog.ask.misaligned import summarize_misalignment
        from mvmdb.catalog.ask.mixing import summarize_mixing
        from mvmdb.catalog.ask.warnings import count_warnings
        from mvmdb.catalog.claims.alive import load_at_work

        if deep:
            with open_catalog(self.address) as engine:
                check_file(engine, thorough=True)
        with gc_paused(), self._looking(skycells, deep=deep) as (outlook, begin, _):
            chosen = chosen_cells(as_recorded(begin), skycells)
            with as_recorded(begin)() as connection:
                warnings, mixing = count_warnings(connection, chosen), summarize_mixing(connection, chosen)
                apart = summarize_misalignment(connection, chosen)
                return Status(outlook, warnings, load_at_work(connection), mixing, apart)

    def explain(self, name: str) -> Explanation:
        """All that is known about one layer, sky cell, exposure or quarantined file, with its latest events.

        Raises UsageError if the catalog has nothing of this name. The command `explain`.
        """
        from mvmdb.catalog.ask.describe import describe, find_skycells
        from mvmdb.catalog.ask.history import load_history_of

        with self._reading() as (begin, policy), begin() as connection:
            cells = find_skycells(connection, name, policy)
        with self._looking(cells) as (outlook, begin, policy), begin() as connection:
            description = describe(connection, name, policy)
            events = load_history_of(connection, description.kind, description.name, newest=_NEWEST)
        stale = tuple(line for line in outlook.plan.layers if line.name in description.layers)
        return Explanation(description, stale, tuple(events), len(events) == _NEWEST)

    def preview(
        self,
        skycells: Sequence[str] = (),
        *,
        products: str | os.PathLike[str] | None = None,
        programs: Sequence[str] = (),
        filters: Sequence[str] = (),
        available: bool = False,
    ) -> Outlook:
        """What `reconcile` with these arguments would do. The command `reconcile --dry-run`."""

        from mvmdb.catalog.narrow import Narrowing

        narrowing = Narrowing(tuple(programs), tuple(filters))
        folder = None if products is None else require_local(products)
        with self._looking(skycells, products=folder, available=available, narrowing=narrowing) as (outlook, _, _):
            return outlook

    def query(self, sql: str, *, timeout: float = TIMEOUT) -> Table:
        """The answer to one SQL query, as a table of astropy.

        Columns have the units and the meanings that `schema` gives them, and NULL is masked. Of several columns of one
        name the second is named `id_2`, and so on. For answers that do not fit into memory, see `rows`. Raises
        UsageError for SQL that the database refuses or that could do more than find rows, and for a query that takes
        longer than `timeout` seconds (0: no limit). The command `query`.
        """
        from mvmdb.archive.tables import to_table
        from mvmdb.catalog.ask.relations import find_columns

        with self.rows(sql, timeout=timeout) as (names, rows):
            return to_table(names, rows, find_columns(sql))

    @contextmanager
    def rows(
        self, sql: str, *, timeout: float = TIMEOUT, end_stuck: EndStuck | None = None
    ) -> Iterator[tuple[list[str], SpooledRows]]:
        """The names and the rows of an answer, for a `with` block; many rows are kept in a temporary file.

        The database is let go before the block begins. `end_stuck` ends this process where SQLite does not stop within
        one step; a program that does other things gives none. Raises as `query`.
        """
        with run_query(self.address, sql, timeout=timeout, end_stuck=end_stuck) as answer:
            yield answer

    def history(
        self,
        *,
        since: dt.datetime | str | None = None,
        until: dt.datetime | str | None = None,
        run: int | None = None,
        layer: str | None = None,
        skycell: str | None = None,
        exposure: str | None = None,
        program: str | None = None,
        kinds: Sequence[str] = (),
    ) -> History:
        """What happened, when and why.

        Without an argument that names a run, layer, sky cell, exposure, program or kind, the runs, with the number of
        their events; with one, the events that meet all of them. Times are UTC unless they have a zone, or texts such
        as `2026-11-24`, `yesterday` and `7d`; `until` is excluded. Raises UsageError for an unknown kind or exposure,
        and for a text that is no time. The command `history`.
        """
        with self.past(
            since=since, until=until, run=run, layer=layer, skycell=skycell, exposure=exposure, program=program,
            kinds=kinds,
        ) as (runs, events):  # fmt: skip
            return History(tuple(runs), tuple(events))

    @contextmanager
    def past(
        self,
        *,
        since: dt.datetime | str | None = None,
        until: dt.datetime | str | None = None,
        run: int | None = None,
        layer: str | None = None,
        skycell: str | None = None,
        exposure: str | None = None,
        program: str | None = None,
        kinds: Sequence[str] = (),
    ) -> Iterator[tuple[Iterator[PastRun], Iterator[RecordedEvent]]]:
        """As `history`, one after the other, for a `with` block: there may be millions of events."""
        from mvmdb.catalog.ask.describe import find_exposure
        from mvmdb.catalog.ask.history import HistoryQuestion, load_events, load_runs
        from mvmdb.catalog.history.events import Happened
        from mvmdb.names import parse_cell_name, parse_layer_name

        known = [str(kind) for kind in Happened]
        for kind in kinds:
            if kind not in known:
                raise UsageError(f"{kind!r} is no kind of event; expected one of {', '.join(known)}")
        with open_catalog(self.address, read_only=True) as engine:
            if exposure is not None:
                with engine.begin() as connection:
                    exposure = find_exposure(connection, exposure)
            question = HistoryQuestion(
                None if since is None else utc_time(since), None if until is None else utc_time(until), run,
                None if layer is None else str(parse_layer_name(layer)),
                None if skycell is None else str(parse_cell_name(skycell)),
                exposure, program, tuple(kinds),
            )  # fmt: skip
            runs = load_runs(engine.begin, question) if run is not None or not question.names_events else iter(())
            events = load_events(engine.begin, question) if question.names_events else iter(())
            yield runs, events

    def quarantine(self) -> Quarantine:
        """The files that could not be used, each with the reason. The command `quarantine`."""
        from mvmdb.catalog.exposures.quarantine import load_quarantined

        with self._reading() as (begin, _), begin() as connection:
            return Quarantine(load_quarantined(connection))

    def config(self) -> dict[str, str | int | bool | None]:
        """The archive's configuration, with its products folder and schema version. The command `config`."""
        from mvmdb.catalog.settings import read_configuration

        with open_catalog(self.address, read_only=True) as engine, engine.connect() as connection:
            return read_configuration(connection)

    @staticmethod
    def schema() -> list[dict[str, Any]]:
        """Every table and view, with the types, meanings and units of its columns. The command `schema`."""
        from mvmdb.catalog.ask.relations import describe_schema

        return describe_schema()
