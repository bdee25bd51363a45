"""A child process, which runs requests in order and can stream their results; the caller decides what it runs.

The child is started by a command, not by a fork, and does not import the caller's main module, so a script needs no
`if __name__ == "__main__"`. Requests go to its standard input and results come from its standard output, so it needs no
file, and it ends when its parent does.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib import import_module
from queue import SimpleQueue
from threading import Thread
from types import TracebackType
from typing import IO, Any, Concatenate, Literal, ParamSpec, Self, TypeVar

from mvmdb.errors import MvmdbError
from mvmdb.workers.background import BackgroundThread

P = ParamSpec("P")
R = TypeVar("R")

Send = Callable[[R], None]
"""Sends one value of a stream to the parent."""

AHEAD = 2
"""Results that the child keeps for a parent that is slow to read: it goes on working, and its memory is bounded."""
_LENGTH_BYTES = 8
_START = (
    "import sys; sys.path[:] = sys.argv[2:]; "
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "  # the parent handles Ctrl-C and kills its child
    "from mvmdb.workers.child import serve; serve(sys.argv[1])"
)

Kind = Literal["item", "end", "result", "error"]


class ChildProcess:
    """A child process of this one. It starts at once, so that it is ready when there is work for it.

    Functions, arguments and results are pickled, so functions must belong to a module that can be imported. Take
    results in the order of the requests, all of one request before the next, and in one thread. What a function raises
    is raised where its result is taken. If the process dies (out of memory, say), `died` makes the error to raise from
    its exit status. As a context manager, the process is killed after the block.
    """

    def __init__(self, died: Callable[[int], MvmdbError], *, preload: str = "") -> None:
        """Start the process; `preload` names a module that it imports while it waits for requests.

        Raises OSError if the system cannot start a process.
        """
        self._died = died
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, preload, *map(str, sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if sys.stderr is None else None,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._results = self._process.stdin, self._process.stdout

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

    def close(self) -> None:
        """Kill the process, whatever it is doing."""
        self._process.kill()
        for pipe in (self._requests, self._results):
            with suppress(BrokenPipeError):  # requests that were not sent are not needed
                pipe.close()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _request(self, streams: bool, *call: object) -> None:
        try:
            _write(self._requests, pickle.dumps((streams, *call), protocol=5))
        except BrokenPipeError as error:
            raise self._died(self._process.wait()) from error

    def _take_result(self) -> Any:
        return self._take()[1]

    def _take_items(self) -> Iterator[Any]:
        while True:
            kind, value = self._take()
            if kind == "end":
                return
            yield value

    def _take(self) -> tuple[Kind, Any]:
        try:
            message = _read(self._results)
        except EOFError as error:
            raise self._died(self._process.wait()) from error
        kind, value = pickle.loads(message)
        if kind == "error":
            raise value
        return kind, value


def serve(preload: str) -> None:
    """The child's main loop: answer requests until the parent kills this process, or ends itself."""
    reply = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # printed text must not mix with the results
    requests: SimpleQueue[bytes] = SimpleQueue()
    Thread(target=_listen, args=(requests,), daemon=True).start()
    if preload:
        import_module(preload)
    with BackgroundThread(AHEAD) as sender:
        while True:
            _answer(requests.get(), lambda message: sender.submit(_write, reply, message))


def _listen(requests: SimpleQueue[bytes]) -> None:
    """Read requests as they come, so that the parent need not wait; exit when the end of the parent closes the pipe."""
    with os.fdopen(os.dup(0), "rb") as pipe:
        while True:
            try:
                requests.put(_read(pipe))
            except EOFError:
                os._exit(1)


def _answer(request: bytes, send: Callable[[bytes], object]) -> None:
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
    except Exception as error:  # for the caller to handle
        if not isinstance(error, MvmdbError):
            error.add_note(f"raised in a child process:\n{traceback.format_exc()}")
        reply("error", error)


def _write(pipe: IO[bytes], message: bytes) -> None:
    pipe.write(len(message).to_bytes(_LENGTH_BYTES, "little"))
    pipe.write(message)
    pipe.flush()


def _read(pipe: IO[bytes]) -> bytes:
    """The next message. Raises EOFError if the other side has ended, even in the middle of a message."""
    length = int.from_bytes(_read_exactly(pipe, _LENGTH_BYTES), "little")
    return _read_exactly(pipe, length)


def _read_exactly(pipe: IO[bytes], n: int) -> bytes:
    data = pipe.read(n)
    if len(data) < n:
        raise EOFError
    return data
