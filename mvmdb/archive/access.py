"""How an archive's catalog is opened: to be changed, to be read, or to see what its mosaics need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mvmdb.archive.recording import DONE, Call, Recorder, code_of
from mvmdb.catalog.ask.cells import known_cells, resolve_cells
from mvmdb.catalog.configure import follow_environment
from mvmdb.catalog.decisions.keep import keep_decisions
from mvmdb.catalog.narrow import EVERYTHING, Narrowing
from mvmdb.catalog.open import Begin, Engine, Trial, check_file, open_catalog
from mvmdb.catalog.products.folder import Consent, require_products_folder
from mvmdb.catalog.settings import policy_in, products_folder, recorded_products_folder
from mvmdb.errors import UsageError
from mvmdb.monitor import SILENT, Monitor
from mvmdb.names import parse_cell_name
from mvmdb.reconcile.planning import Outlook, join_outlooks, look_ahead
from mvmdb.records import Policy
from mvmdb.remote.cache import use_cache
from mvmdb.shown import Shown, Told
from mvmdb.workers.choice import ExecutorChoice, open_executor, parse_executor
from mvmdb.workers.executor import Workers
from mvmdb.workers.patience import WORKER_TIMEOUT, Patience

CELLS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Work:
    """Who does the work that is divided: `executor` or `jobs`, as the options of commands of these names.

    `memory_mb` limits each worker: larger mosaics are drizzled in bands, with the same pixels. A worker that gives no
    sign of progress for `timeout` seconds is given up. `stuck` is called where work in this process hangs. Files
    elsewhere are fetched to the folder `cache`, of at most `cache_size`; None leaves what the environment says.
    """

    executor: str | None = None
    jobs: int | None = None
    memory_mb: int | None = None
    timeout: float = WORKER_TIMEOUT
    stuck: Callable[[str], object] = lambda words: None
    cache: Path | None = None
    cache_size: str | None = None

    def caching(self) -> AbstractContextManager[None]:
        """The cache of the block."""
        return use_cache(self.cache, self.cache_size)

    @contextmanager
    def open(self) -> Iterator[Workers]:
        """The workers, closed after the block.

        Raises UsageError if both `executor` and `jobs` are given or an executor is invalid, WorkersError if it cannot
        be opened.
        """
        if self.jobs is not None and self.executor is not None:
            raise UsageError(f"jobs={self.jobs} and executor={self.executor!r} are both given; expected one of them")
        choice = ExecutorChoice(n=self.jobs) if self.executor is None else parse_executor(self.executor)
        with self.caching(), open_executor(choice, Patience(self.timeout), self.stuck) as opened:
            yield Workers(opened, self.memory_mb)


@dataclass(slots=True)
class Change:
    """One call that changes the catalog: its engine, the policy, the key of its run, and how it ends (`code`)."""

    engine: Engine
    policy: Policy
    run: int
    code: int = DONE


class Access(Shown):
    """A catalog at an address, and how calls open it. `Archive` has the calls."""

    def __init__(self, address: str, recorder: Recorder, work: Work, monitor: Monitor = SILENT) -> None:
        self.address = address
        self._recorder, self._work, self._monitor = recorder, work, monitor

    def tell(self) -> Told:
        """Where the catalog is, without any password."""
        from mvmdb.passwords import without_secrets

        return Told(without_secrets(self.address))

    @contextmanager
    def _changing(self, call: Call, *, create: bool = False, check: bool = False) -> Iterator[Change]:
        """The catalog, for a call that changes it; a policy changed by the environment is recorded.

        The call is recorded as a run, and the engine's changes as those of this run. After the block the decisions file
        beside the products is brought up to date; where that fails, it is logged. With `check`, damage to the file is
        an error before anything is written. Raises CatalogError if the catalog cannot be opened, or is damaged, and
        UsageError for an invalid MVM_INCLUDE_SMALL or MVM_ONLY_CTE.
        """
        change: Change | None = None
        try:
            with open_catalog(self.address, create=create) as opened:
                if check:
                    check_file(opened)
                run, engine = self._recorder.begin(opened, call)
                change = Change(engine, Policy(), run)
                with engine.begin() as connection:
                    change.policy = follow_environment(connection)
                yield change
                self._note_trouble(keep_decisions(engine))
        except BaseException as error:
            if change is not None:
                self._recorder.end(change.run, code_of(error), error)
            raise
        self._recorder.end(change.run, change.code, None)

    def _note_trouble(self, words: str) -> None:
        """Say what keeps the decisions file from being written, if anything does."""
        if words:
            self._recorder.warn(words)

    @contextmanager
    def _reading(self) -> Iterator[tuple[Begin, Policy]]:
        """The `begin` of read-only transactions, and the environment's policy, for a call that never looks at products.

        The catalog may be on a disk that cannot be written to. Raises as `_changing`.
        """
        with open_catalog(self.address, read_only=True) as engine:
            policy, _ = policy_in(engine)
            yield engine.begin, policy

    @contextmanager
    def _looking(
        self,
        skycells: Sequence[str],
        *,
        deep: bool = False,
        products: Path | None = None,
        available: bool = False,
        narrowing: Narrowing = EVERYTHING,
    ) -> Iterator[tuple[Outlook, Begin, Policy]]:
        """The outlook on these sky cells or on all, the `begin` of transactions that agree with it, and the policy.

        What the files show is recorded, unless the environment asks for another policy than the recorded one, or
        `products` is another folder than the recorded one: then it is a trial, and looking changes nothing. No
        transaction is open while files are read. Raises as `_changing`.
        """
        with open_catalog(self.address) as engine:
            with engine.begin() as connection:
                recorded = recorded_products_folder(connection)
            folder = recorded if products is None else products.absolute()
            policy, is_recorded = policy_in(engine)
            keys = chosen_cells(engine.begin, skycells)
            look = partial(
                look_ahead, products=folder, policy=policy, deep=deep, available=available, narrowing=narrowing
            )
            if is_recorded and folder == recorded:
                yield look(engine.begin, cells=keys), engine.begin, policy
            else:
                yield *_look_on_trial(engine, look, keys), policy


def agreed_products(engine: Engine, given: Path | None, *, rebuild: bool, move: bool) -> Path:
    """The products folder: the given one, or else the recorded one.

    Raises UsageError if there is neither, or if the folder does not look like the recorded products' folder and the
    user has not agreed to it: `rebuild`, to make mosaics again although most are missing; `move`, to use this folder.
    """
    with engine.begin() as connection:
        folder = products_folder(connection, given)
    require_products_folder(engine.begin, folder, Consent(rebuild, move))
    return folder


def cell_keys(names: Sequence[str]) -> tuple[int, ...] | None:
    """The keys of the sky cells with these names, which the catalog need not know; None if there are no names.

    Raises NameFormatError for a text that names no sky cell.
    """
    return tuple(parse_cell_name(name).index for name in names) or None


def chosen_cells(begin: Begin, names: Sequence[str]) -> list[int] | None:
    """The keys of the sky cells with these names; None if there are no names.

    Raises NameFormatError for a text that names no sky cell, and UsageError for a cell that no exposure overlaps.
    """
    if not names:
        return None
    with begin() as connection:
        return resolve_cells(connection, list(names))


def _look_on_trial(engine: Engine, look: Callable[..., Outlook], keys: list[int] | None) -> tuple[Outlook, Begin]:
    """The outlook as it would be with the environment's policy, and a `begin` with that policy.

    Some sky cells at a time: each transaction recomputes their layers, while others wait to write.
    """
    if keys is None:
        with engine.begin() as connection:
            cells = known_cells(connection)
    else:
        cells = sorted(set(keys))
    begin = Trial(engine, partial(follow_environment, cells=cells))
    if len(cells) <= CELLS_AT_ONCE:
        return look(begin, cells=cells), begin
    outlooks = []
    for first in range(0, len(cells), CELLS_AT_ONCE):
        some = cells[first : first + CELLS_AT_ONCE]
        outlooks.append(look(Trial(engine, partial(follow_environment, cells=some)), cells=some))
    return join_outlooks(outlooks), begin
