"""The executor on a Dask cluster: connecting, what is sent to a worker, and what errors there say."""

from __future__ import annotations

import asyncio
import logging
import pickle
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Generic

from mvmdb import __version__
from mvmdb.errors import WorkersError
from mvmdb.workers.dask_calls import DaskCall, DaskCalls, SignsTo
from mvmdb.workers.executor import Done, R, T, feed
from mvmdb.workers.patience import Patience, Rounds, WorkerHungError

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

CONNECT_SECONDS = 10.0


class DaskExecutor:
    """The workers of a Dask cluster, which may join and leave at any time.

    Twice as many items are in progress as the workers have threads, so that no thread waits for the coordinator. If a
    worker dies, others do its items. Dask gives up an item once more workers have died with it than
    `distributed.scheduler.allowed-failures` (default 3). If a worker gives no sign of progress for as long as
    `patience` allows, its item is given up, and the worker is removed from the cluster.
    """

    def __init__(self, client: Client, address: str, patience: Patience | None = None) -> None:
        self.patience = patience or Patience()
        self._client = client
        self._address = address

    def each(
        self, function: Callable[[T], R], items: Iterable[T], *, expected: int, name: Callable[[T], str] = str
    ) -> Iterator[Done[T, R]]:
        """As `Executor.each`."""
        from distributed.scheduler import KilledWorker

        calls = DaskCalls(self._client, self._address, self.patience)
        rounds = Rounds(self.patience)

        def submit(item: T) -> DaskCall[R]:
            return calls.submit(
                lambda signs: pickle.dumps(_Parcel(partial(_do_with_signs, signs, function), item)), name(item)
            )

        try:
            deaths = (KilledWorker, WorkerHungError)
            finished = feed(submit, iter(items), room=calls.room, deaths=deaths, patience=calls.look_every)
            for item, result in finished:
                yield Done(item, _explain(result) if isinstance(result, BaseException) else result)
                rounds.note(result, calls.n_threads)
        except ModuleNotFoundError as error:
            raise WorkersError(
                f"a Dask worker of {self._address} cannot import {error.name}; expected mvmdb {__version__} with its "
                "dependencies: install it where the workers run"
            ) from error
        finally:
            calls.close()


@contextmanager
def connect(address: str, patience: Patience | None = None) -> Iterator[DaskExecutor]:
    """The executor of the scheduler at an address (`tcp://host:8786`) or in a scheduler file (`*.json`).

    It is disconnected after the block. Raises WorkersError if the package distributed is missing or the scheduler
    cannot be reached.
    """
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise WorkersError(
            f"work on a Dask cluster needs the package {error.name}, which is missing; run: pip install 'mvmdb[dask]'"
        ) from error
    scheduler = _read_scheduler_file(Path(address)) if address.endswith(".json") else address
    _probe(scheduler)
    with (
        _only_our_words(),
        Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False, name="mvmdb") as client,
    ):
        log.info("Dask scheduler %s: %d workers", scheduler, len(client.nthreads()))
        yield DaskExecutor(client, scheduler, patience)


@contextmanager
def _only_our_words() -> Iterator[None]:
    """Have what goes wrong with the cluster told by one error, without the tracebacks of the libraries below."""
    loggers = [logging.getLogger(name) for name in ("distributed", "tornado", "asyncio")]
    loggers += [logging.getLogger(name) for name in logging.root.manager.loggerDict if name.startswith("distributed.")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _probe(address: str) -> None:
    """Check that the scheduler can be reached before a client is created: a client that fails to connect is noisy."""
    from distributed.comm import connect as open_comm
    from distributed.security import Security

    async def reach() -> None:
        comm = await open_comm(address, timeout=CONNECT_SECONDS, **Security().get_connection_args("client"))
        await comm.close()

    try:
        asyncio.run(reach())
    except (OSError, ValueError, TypeError) as error:
        raise WorkersError(
            f"cannot reach a Dask scheduler at {address!r} ({error}); expected dask:HOST:PORT or dask:FILE.json of a "
            "scheduler that runs: start one (dask scheduler), or choose another --executor"
        ) from error


def _read_scheduler_file(path: Path) -> str:
    import json

    try:
        return str(json.loads(path.read_text())["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorkersError(
            f"{path} names no Dask scheduler ({error}); expected the file that dask scheduler --scheduler-file writes: "
            "start the scheduler first"
        ) from error


class _Parcel(Generic[T, R]):
    """A call that is made when the parcel is unpickled.

    Dask sees only bytes, so its scheduler does not need mvmdb. A worker without mvmdb, or with another version, reports
    that; it would die of a function that it cannot load.
    """

    def __init__(self, function: Callable[[T], R], item: T) -> None:
        self._call = (function, item)

    def __reduce__(self) -> tuple[Callable[[str, bytes], object], tuple[str, bytes]]:
        return _do_as_version, (__version__, pickle.dumps(self._call))


def _do_as_version(version: str, call: bytes) -> object:
    """Runs in a worker, which must have the same version: a mosaic must not depend on the worker that made it."""
    if version != __version__:
        raise WorkersError(
            f"the Dask worker on {socket.gethostname()} has mvmdb {__version__}; expected {version} as here: "
            "install the same version where the workers run"
        )
    function, item = pickle.loads(call)
    return function(item)


def _do_with_signs(signs: SignsTo, function: Callable[[T], R], item: T) -> R:
    """Run in a worker: give signs of progress for as long as there is some."""
    with signs.given():
        return function(item)


def _explain(death: BaseException) -> WorkersError:
    if isinstance(death, WorkerHungError):
        return death
    return WorkersError(
        f"one Dask worker after another died while working on it (out of memory?): {death}; look at their logs, and "
        "give them more memory"
    )
