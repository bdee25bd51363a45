"""The executor on a Dask cluster: connecting, how much is under way at a time, what a lost worker or scheduler is."""

from __future__ import annotations

import asyncio
import logging
import pickle
import socket
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Generic

from mvmdb import __version__
from mvmdb.errors import WorkersError
from mvmdb.workers.executor import Done, R, T, feed

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

CONNECT_SECONDS = 10.0
_LOOK_SECONDS = 2.0  # between two looks at how many workers there are
_AT_LEAST = 2  # items under way where there are no workers yet: a cluster that grows on demand needs some demand


class DaskExecutor:
    """The workers of a Dask cluster, as many as there are at the time, coming and going.

    Twice as many items are under way as the workers have threads, so that none waits for the coordinator. A worker
    that dies has its items done by the others; Dask gives one up that was on hand when a worker died more than
    `distributed.scheduler.allowed-failures` times (3).
    """

    def __init__(self, client: Client, address: str) -> None:
        self._client = client
        self._address = address
        self._threads = 0
        self._looked = -_LOOK_SECONDS
        self._told = False

    def each(self, function: Callable[[T], R], items: Iterable[T], *, expected: int) -> Iterator[Done[T, R]]:
        """As `Executor.each`."""
        from distributed.scheduler import KilledWorker

        executor = self._client.get_executor(pure=False)

        def submit(item: T) -> Future[R]:
            parcel = pickle.dumps(_Parcel(function, item))
            future: Future[R] = executor.submit(pickle.loads, parcel)
            return future

        try:
            finished = feed(submit, iter(items), room=self._room, deaths=(KilledWorker,), patience=_LOOK_SECONDS)
            for item, result in finished:
                yield Done(item, _explain(result) if isinstance(result, BaseException) else result)
        except CancelledError as error:
            raise WorkersError(
                f"the Dask scheduler at {self._address} went away; what was finished is recorded: "
                "start it again, and then this command"
            ) from error
        except ModuleNotFoundError as error:
            raise WorkersError(
                f"a Dask worker of {self._address} cannot import {error.name}; expected mvmdb {__version__} with all "
                "that it needs: install it where the workers run"
            ) from error
        finally:
            executor.shutdown(wait=False)

    def _room(self) -> int:
        if monotonic() - self._looked >= _LOOK_SECONDS and self._client.status == "running":
            self._threads = sum(self._client.nthreads().values())
            self._looked = monotonic()
            if self._threads == 0 and not self._told:
                log.warning("the Dask cluster at %s has no workers; waiting for some", self._address)
            self._told = self._threads == 0
        return max(_AT_LEAST, 2 * self._threads)


@contextmanager
def connect(address: str) -> Iterator[DaskExecutor]:
    """The executor of the scheduler at an address (`tcp://host:8786`), or named in a scheduler file (`*.json`).

    Raises WorkersError when the package distributed is missing or the scheduler cannot be reached.
    """
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise WorkersError(
            f"work on a Dask cluster needs the package {error.name}, which is missing; run: pip install 'mvmdb[dask]'"
        ) from error
    scheduler = _read_scheduler_file(Path(address)) if address.endswith(".json") else address
    _probe(scheduler)
    with Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False, name="mvmdb") as client:
        log.info("Dask scheduler %s: %d workers", scheduler, len(client.nthreads()))
        yield DaskExecutor(client, scheduler)


def _probe(address: str) -> None:
    """Reach the scheduler before there is a client: one that could not be reached is noisy at its end."""
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
            f"{path} names no Dask scheduler ({error}); expected the file of dask scheduler --scheduler-file: "
            "start the scheduler first"
        ) from error


class _Parcel(Generic[T, R]):
    """A call that is done by `pickle.loads`.

    Dask sees nothing but bytes: so its scheduler needs no mvmdb, and a worker that has none, or another version, says
    so, where it would die of a function that it cannot load.
    """

    def __init__(self, function: Callable[[T], R], item: T) -> None:
        self._call = (function, item)

    def __reduce__(self) -> tuple[Callable[[str, bytes], object], tuple[str, bytes]]:
        return _do_as_version, (__version__, pickle.dumps(self._call))


def _do_as_version(version: str, call: bytes) -> object:
    """Run in a worker: a mosaic must not depend on which worker made it."""
    if version != __version__:
        raise WorkersError(
            f"the Dask worker on {socket.gethostname()} has mvmdb {__version__}; expected {version} as here: "
            "install the same version where the workers run"
        )
    function, item = pickle.loads(call)
    return function(item)


def _explain(death: BaseException) -> WorkersError:
    return WorkersError(
        f"one Dask worker after another died at it (out of memory?): {death}; see their logs, and give them more memory"
    )
