"""The calls in progress on a Dask cluster: how many at a time, and how long each may give no sign of progress."""

from __future__ import annotations

import logging
import os
import pickle
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic
from uuid import uuid4

from mvmdb.errors import WorkersError
from mvmdb.workers.executor import R
from mvmdb.workers.patience import Patience, Silence
from mvmdb.workers.signs import Signs, spent_by_this_thread

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

_LOOK_SECONDS = 2.0
_AT_LEAST = 2  # items in progress even without workers: a cluster that grows on demand needs some demand
_LOST_SECONDS = 10.0
"""For how long a scheduler may not answer where nothing else is said."""


class DaskCall(Generic[R]):
    """One item on the cluster; a future for `feed`."""

    def __init__(self, future: Any, calls: DaskCalls, name: str) -> None:
        self.name = name
        self.worker: tuple[str, str] | None = None
        """Its address, and the words for it; None before the item is begun."""
        self.silence = Silence(calls.patience)
        self.hung = False
        self._future, self._calls = future, calls

    def add_done_callback(self, tell: Callable[[DaskCall[R]], object]) -> None:
        """As that of futures."""
        self._future.add_done_callback(lambda _: tell(self))

    def result(self) -> R:
        """What the function returned; raises what it raised, and WorkerHungError where it was given up."""
        while not self.hung:
            if self._future.status == "error":
                self._calls.forget(self)
                return self._future.result()  # type: ignore[no-any-return]  # raises
            try:
                result: R = self._future.result(self._calls.look_every)
            except TimeoutError:  # its worker went away before it could be fetched: it is done again
                self._calls.look()
            except (CancelledError, OSError) as error:  # the function's own were raised above
                if not self.hung:
                    raise self._calls.scheduler_lost() from error
            else:
                self._calls.forget(self)
                return result
        raise self._calls.patience.given_up(self.worker[1] if self.worker else "a Dask worker")

    @property
    def key(self) -> str:
        """Its name on the cluster."""
        return str(self._future.key)

    @property
    def waits(self) -> bool:
        """Whether it is not done."""
        return not self._future.done()

    def give_up(self) -> None:
        """Wait for it no more."""
        self.hung = True
        self._future.cancel()


class DaskCalls:
    """The items under way, and what was seen of the cluster."""

    def __init__(self, client: Client, address: str, patience: Patience) -> None:
        self.patience = patience
        self.n_threads = 0
        self.look_every = min(_LOOK_SECONDS, patience.sign_every)
        self._client, self._address = client, address
        self._looked = -self.look_every
        self._calls: dict[int, DaskCall[Any]] = {}
        self._numbers = count()
        self._signs: dict[int, tuple[str, str]] = {}  # filled by the client's thread
        self._topic = f"mvmdb-{uuid4().hex}"
        self._without_workers, self._all = Silence(patience), Silence(patience)
        self._told = False
        client.subscribe_topic(self._topic, self._take_sign)

    def submit(self, pack: Callable[[SignsTo], bytes], name: str) -> DaskCall[Any]:
        """Have a parcel unpacked by a worker, which does it; the parcel is made with where its signs go."""
        number = next(self._numbers)
        parcel = pack(SignsTo(self._topic, number, self.patience.sign_every))
        if self._client.status != "running":
            raise self.scheduler_lost()
        call = DaskCall[Any](self._client.submit(pickle.loads, parcel, pure=False), self, name)
        self._calls[number] = call
        return call

    def room(self) -> int:
        """How many items may be under way. Raises WorkersError where there is nobody to do them."""
        if monotonic() - self._looked >= self.look_every:
            self.look()
            self._looked = monotonic()
        return max(_AT_LEAST, 2 * self.n_threads)

    def look(self) -> None:
        """See what has given signs, and what has not. Raises WorkersError where nothing will."""
        if self._client.status != "running":
            raise self.scheduler_lost()
        while self._signs:
            number, worker = self._signs.popitem()
            self._all.sign()
            if number in self._calls:
                self._calls[number].worker = worker
                self._calls[number].silence.sign()
        self._count_workers()
        waiting = {number: call for number, call in self._calls.items() if call.waits}
        for number, call in waiting.items():
            if call.worker is not None:
                self._judge(number, call, call.worker)
        if len(waiting) < len(self._calls) or not self._calls:
            self._all.sign()  # the caller is slow to take what is done
        elif self.n_threads and self._all.look() == "give up":
            self._drop_silent_workers()

    def forget(self, call: DaskCall[Any]) -> None:
        """It is done."""
        self._all.sign()
        self._calls = {number: other for number, other in self._calls.items() if other is not call}

    def close(self) -> None:
        """Take no more signs, and cancel what is under way."""
        if self._client.status == "running":
            self._client.unsubscribe_topic(self._topic)
            for call in self._calls.values():
                call.give_up()

    def scheduler_lost(self) -> WorkersError:
        """The error for a scheduler that is gone."""
        return WorkersError(
            f"the Dask scheduler at {self._address} went away; what was finished is recorded: "
            "start it again, then repeat this command"
        )

    def _take_sign(self, event: tuple[float, dict[str, Any]]) -> None:
        sign = event[1]
        self._signs[sign["item"]] = sign["address"], sign["words"]

    def _count_workers(self) -> None:
        within = min(self.patience.limit or _LOST_SECONDS, _LOST_SECONDS)
        try:
            threads: dict[str, int] = self._client.sync(self._client.scheduler.ncores, callback_timeout=within)
        except TimeoutError:
            threads = {}  # a scheduler that hangs has no workers to give
        except OSError as error:
            raise self.scheduler_lost() from error
        self.n_threads = sum(threads.values())
        if self.n_threads:
            self._without_workers.sign()
            self._told = False
            return
        until = f"for {self.patience.limit:g} s" if self.patience.limit else "without limit"
        if not self._told:
            log.warning(
                "waiting for workers of the Dask scheduler at %s, none is connected; waiting %s (--worker-timeout)",
                self._address, until,
            )  # fmt: skip
        self._told = True
        self._all.sign()
        if self._without_workers.look() == "give up":
            raise WorkersError(
                f"the Dask scheduler at {self._address} had no workers, or did not answer, {until} "
                "(--worker-timeout); what was finished is recorded: start workers (dask worker), and then this command"
            )

    def _judge(self, number: int, call: DaskCall[Any], worker: tuple[str, str]) -> None:
        verdict = call.silence.look()
        if verdict == "say so":
            log.warning("%s", self.patience.waits(call.name, worker[1]))
        elif verdict == "give up":
            del self._calls[number]
            call.give_up()
            self._all.sign()
            self._remove_worker(worker[0])

    def _drop_silent_workers(self) -> None:
        """Give what workers have not begun to others, after a time in which none gave a sign.

        A worker that was stopped before it began keeps its items otherwise. Raises WorkersError if there are no others.
        """
        keys = {call.key for call in self._calls.values()}
        having = self._client.processing()
        silent = [address for address, items in having.items() if keys.intersection(items)]
        if len(silent) == len(having):
            raise WorkersError(
                f"no worker of the Dask scheduler at {self._address} gave a sign of progress for "
                f"{self.patience.limit:g} s (--worker-timeout); what was finished is recorded: look at the workers, "
                "and then start this command again"
            )
        for address in silent:
            log.warning("Dask worker %s gave no sign of progress; its work goes to others", address)
            self._remove_worker(address)
        self._all.sign()

    def _remove_worker(self, address: str) -> None:
        """Have the scheduler give the worker nothing more, and its other items to others."""

        async def remove(dask_scheduler: Any) -> None:  # nested: it is sent whole to a scheduler that has no mvmdb
            await dask_scheduler.remove_worker(address, stimulus_id="mvmdb-worker-timeout")

        self._client.run_on_scheduler(remove)


@dataclass(frozen=True, slots=True)
class SignsTo:
    """Where a worker's signs of progress with an item go, and how often."""

    topic: str
    item: int
    every: float

    @contextmanager
    def given(self) -> Iterator[None]:
        """Run in a worker: while the block runs, say that it has begun, and then again while it makes progress."""
        from distributed import get_worker

        worker = get_worker()
        words = f"Dask worker {worker.address} (process {os.getpid()} on {socket.gethostname()})"
        sign = partial(worker.log_event, self.topic, {"item": self.item, "address": worker.address, "words": words})
        sign()
        with Signs(sign, self.every, spent=spent_by_this_thread()):
            yield
