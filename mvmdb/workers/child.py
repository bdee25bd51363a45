"""A child process, which runs requests in order and can stream their results; the caller decides what it runs.

The child is started by a command, not by a fork, and does not import the caller's main module, so a script needs no
`if __name__ == "__main__"`. Requests go to its standard input and results come from its standard output, so it needs no
file and no semaphore, and it ends when its parent does. While it works it sends signs of progress.
"""

from __future__ import annotations

import logging
import os
import pickle
import select
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib import import_module
from io import FileIO
from queue import SimpleQueue
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Concatenate, Literal, ParamSpec, Self, TypeVar, cast

from mvmdb.errors import MvmdbError
from mvmdb.garbage import collect_less_often
from mvmdb.workers.background import BackgroundThread
from mvmdb.workers.patience import Patience, Silence, this_process
from mvmdb.workers.pipes import read_message, write_message
from mvmdb.workers.signs import Signs

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

Send = Callable[[R], None]
"""Sends one value of a stream to the parent."""

AHEAD = 2
"""Results that the child keeps for a parent that is slow to read: it goes on working, and its memory is bounded."""
_ENDING_SECONDS = 10.0
"""Time in which a process that was killed ends, unless it hangs in the system itself."""
_START = (
    "import sys; sys.path[:] = sys.argv[3:]; "
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "  # the parent handles Ctrl-C and kills its child
    "from mvmdb.workers.child import serve; serve(sys.argv[1], float(sys.argv[2]))"
)

Kind = Literal["item", "end", "result", "error", "sign"]


class ChildProcess:
    """A child process of this one. It starts at once, so that it is ready when there is work for it.

    Functions, arguments and results are pickled, so functions must belong to a module that can be imported. Take
    results in the order of the requests, all of one request before the next, and in one thread. What a function raises
    is raised where its result is taken. If the process dies (out of memory, say), `died` makes the error to raise from
    its exit status. If it gives no sign of progress for as long as `patience` allows, it is killed, and WorkerHungError
    is raised. As a context manager, the process is killed after the block.
    """

    def __init__(
        self,
        died: Callable[[int], MvmdbError],
        *,
        preload: str = "",
        patience: Patience | None = None,
        what: str = "what it was asked for",
        leads: bool = False,
    ) -> None:
        """Start the process; `preload` names a module that it imports while it waits for requests.

        `what` it makes, in words; they may be changed from one request to the next. Where it `leads`, it has a process
        group of its own with the processes that it starts, and these end with it; Ctrl-C then reaches it only
        through `interrupt`. Raises OSError if the system cannot start a process.
        """
        self.what = what
        self.lost = False
        self._died = died
        self._patience = patience or Patience()
        self._silence = Silence(self._patience)
        self._leads = leads
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, preload, str(self._patience.sign_every), *map(str, sys.path)],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if sys.stderr is None else None,
            process_group=0 if leads else None,
        )
        self._requests, self._results = cast(FileIO, self._process.stdin), cast(FileIO, self._process.stdout)
        os.set_blocking(self._requests.fileno(), False)  # a child that hangs does not read

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def submit(self, function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> Callable[[], R]:
        """Run `function(*arguments, **named)` after the earlier requests; return a function that waits for its result.

        Raises the error of `died` if the process is dead.
        """
        self._request(False, function, arguments, named)
        return self._take_result

    def stream(
        self, function: Callable[Concatenate[Send[R], P], None], *arguments: P.args, **named: P.kwargs
    ) -> Iterator[R]:
        """Run `function(send, *arguments, **named)` after the earlier requests; return an iterator of what it sends.

        Raises the error of `died` if the process is dead.
        """
        self._request(True, function, arguments, named)
        return self._take_items()

    def interrupt(self) -> None:
        """Interrupt the process as Ctrl-C would: for functions that let it."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """Kill the process, with those of its group where it leads one, and wait for its end, but not for long."""
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                if self._leads:
                    os.killpg(self.pid, signal.SIGKILL)
                self._process.kill()
        try:
            self._process.wait(_ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            log.warning(
                "process %d was killed and does not end: the system itself waits, for storage perhaps", self.pid
            )

    def close(self) -> None:
        """Kill the process, whatever it is doing."""
        self.kill()
        for pipe in (self._requests, self._results):
            pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _request(self, streams: bool, *call: object) -> None:
        self._silence.sign()
        try:
            write_message(
                self._requests,
                pickle.dumps((streams, *call), protocol=5),
                partial(self._wait_for, self._requests, select.POLLOUT),
            )
        except BrokenPipeError as error:
            raise self._death() from error

    def _take_result(self) -> Any:
        return self._take()[1]

    def _take_items(self) -> Iterator[Any]:
        while True:
            kind, value = self._take()
            if kind == "end":
                return
            yield value

    def _take(self) -> tuple[Kind, Any]:
        self._silence.sign()
        while True:
            try:
                message = read_message(self._results, partial(self._wait_for, self._results, select.POLLIN))
            except EOFError as error:
                raise self._death() from error
            kind, value = pickle.loads(message)
            if kind == "error":
                raise value
            if kind != "sign":
                return kind, value

    def _wait_for(self, pipe: FileIO, event: int) -> None:
        """Wait until a pipe can be used; whatever passes is a sign. Raises WorkerHungError when there was none."""
        poll = select.poll()
        poll.register(pipe, event)
        while not poll.poll(self._patience.sign_every * 1000):
            verdict = self._silence.look()
            if verdict == "say so":
                log.warning("%s", self._patience.waits(self.what, this_process(self.pid)))
            elif verdict == "give up":
                self.lost = True
                self.kill()
                raise self._patience.given_up(this_process(self.pid))
        self._silence.sign()

    def _death(self) -> MvmdbError:
        """What to raise where the child's pipes are closed."""
        self.lost = True
        with suppress(subprocess.TimeoutExpired):
            return self._died(self._process.wait(_ENDING_SECONDS))
        self.kill()
        return self._died(-signal.SIGKILL)


def serve(preload: str, sign_every: float) -> None:
    """The child's main loop: answer requests until the parent kills this process, or ends itself."""
    collect_less_often()
    logging.basicConfig(format="mvmdb: %(message)s", stream=sys.stderr)
    reply = FileIO(os.dup(1), "wb")
    os.dup2(2, 1)  # printed text must not mix with the results
    lock = Lock()

    def write(message: bytes) -> None:
        with lock:
            write_message(reply, message)

    requests: SimpleQueue[bytearray] = SimpleQueue()
    Thread(target=_listen, args=(requests,), daemon=True).start()
    Signs(partial(write, pickle.dumps(("sign", None))), sign_every).start()
    if preload:
        import_module(preload)
    with BackgroundThread(AHEAD) as sender:
        while True:
            _answer(requests.get(), lambda message: sender.submit(write, message))


def _listen(requests: SimpleQueue[bytearray]) -> None:
    """Read requests as they come, so that the parent need not wait; exit when the end of the parent closes the pipe."""
    with FileIO(os.dup(0), "rb") as pipe:
        while True:
            try:
                requests.put(read_message(pipe))
            except EOFError:
                os._exit(1)


def _answer(request: bytearray, send: Callable[[bytes], object]) -> None:
    """Run one request and send its results or its error; a result that cannot be pickled is an error, too."""

    def reply(kind: Kind, value: object) -> None:
        send(pickle.dumps((kind, value), protocol=5))

    try:
        streams, function, arguments, named = pickle.loads(request)
        if streams:
            function(partial(reply, "item"), *arguments, **named)
            reply("end", None)
        else:
            reply("result", function(*arguments, **named))
    except MemoryError:
        raise  # the exit status reports it; a message might not fit into memory
    except KeyboardInterrupt as interrupt:  # of a function that lets itself be interrupted
        reply("error", interrupt)
    except Exception as error:  # for the caller to handle
        if not isinstance(error, MvmdbError):
            error.add_note(f"raised in a child process:\n{traceback.format_exc()}")
        reply("error", error)
