"""Runs commands of mvmdb in processes of their own, each forked from one that has imported everything already.

A command is called as from a shell: by its words, in a session and process group of its own, with its standard streams
in files. To import numpy and astropy anew for each of a thousand runs would take an hour. The one thing that differs
is the date that products bear, which is always the same, so that products can be compared to the last byte.
"""

from __future__ import annotations

import datetime as dt
import importlib
import json
import os
import pkgutil
import resource
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

LONGEST = 180.0
"""Seconds after which a run is taken to hang."""
HUNG = "hung"
END_SESSION = "end-session"
"""The words of an order to end whatever the run before has left running."""


@dataclass(frozen=True)
class Order:
    """A command to run, and what is to happen to it.

    It is killed after `kill_after` seconds: its process group, or with `whole_session` every process that it started.
    `hook` names a function (`module:name`) that is called in its process before it begins, with `given`.
    """

    words: Sequence[str]
    folder: str
    environ: Mapping[str, str] = field(default_factory=dict)
    kill_after: float | None = None
    whole_session: bool = False
    hook: str = ""
    given: Sequence[Any] = ()
    file_limit: int | None = None
    true_workers: bool = False


@dataclass(frozen=True)
class Ended:
    """How a run ended: `code` is its exit code, negative for a signal; `seconds` how long it took."""

    code: int
    seconds: float
    out: str
    err: str


class Nest:
    """The process that runs are forked from, with this environment; a context manager, at whose end it ends."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        paths = os.pathsep.join(path for path in sys.path if path)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "chaos.nest"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip

    def run(self, order: Order) -> Ended:
        """Run a command to its end. Raises AssertionError if it hangs."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(order)) + "\n")
        self._process.stdin.flush()
        ended = Ended(**json.loads(self._process.stdout.readline()))
        assert ended.err != HUNG, f"{' '.join(order.words)} did not end within {LONGEST:.0f} s"
        return ended

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.communicate("")
        self._process.wait()


def end_session(session: int) -> None:
    """Kill all processes of a session that are still there, and wait for their end."""
    while left := _processes_of(session):
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.001)


def _processes_of(session: int) -> list[int]:
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            state, _parent, _group, its_session = Path(entry.path, "stat").read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(its_session) == session and state not in "ZX":
            found.append(int(entry.name))
    return found


def serve() -> None:
    """Run the orders of standard input, one after the other, and say on standard output how each ended."""
    _import_everything()
    _freeze_dates()
    last = 0
    for line in sys.stdin:
        order = Order(**json.loads(line))
        if order.words == [END_SESSION]:
            if last:
                end_session(last)
            ended = Ended(0, 0.0, "", "")
        else:
            last, ended = _carry_out(order)
        print(json.dumps(asdict(ended)), flush=True)


def _import_everything() -> None:
    import mvmdb

    for module in pkgutil.walk_packages(mvmdb.__path__, "mvmdb."):
        if not any(word in module.name for word in ("dask", "migrations", "__main__", "plugin")):
            importlib.import_module(module.name)
    importlib.import_module("psycopg.types.numeric")


def _freeze_dates() -> None:
    from mvmdb.mosaic.product import write

    class OneDay(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]
            return dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=tz)

    write.datetime = OneDay  # type: ignore[misc]


def _carry_out(order: Order) -> tuple[int, Ended]:
    streams = [os.memfd_create(name) for name in ("out", "err")]
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _become(order, streams)
    descriptor = os.pidfd_open(pid)
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    err = ""
    if not poll.poll(1000 * (LONGEST if order.kill_after is None else order.kill_after)):
        err = HUNG if order.kill_after is None else ""
        _kill(pid, order.whole_session)
    os.close(descriptor)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    texts = [_read(stream) for stream in streams]
    return pid, Ended(code, time.monotonic() - began, texts[0], err or texts[1])


def _kill(pid: int, whole_session: bool) -> None:
    while True:
        try:
            os.killpg(pid, signal.SIGKILL)
            break
        except ProcessLookupError:  # it has no group of its own yet
            time.sleep(0.0005)
    if whole_session:
        end_session(pid)


def _read(stream: int) -> str:
    os.lseek(stream, 0, os.SEEK_SET)
    with open(stream, encoding="utf-8", errors="replace") as file:
        return file.read()


def _become(order: Order, streams: Sequence[int]) -> None:
    """Be the command, in the child."""
    code: object = 70
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        null = os.open(os.devnull, os.O_RDONLY)
        for descriptor, number in zip((null, *streams), range(3), strict=True):
            os.dup2(descriptor, number)
        os.closerange(3, 1024)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
        os.chdir(order.folder)
        os.environ.update(order.environ)
        from chaos.forked import fork_workers

        if not order.true_workers:
            fork_workers()
        if order.file_limit is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (order.file_limit, order.file_limit))
        if order.hook:
            module, _, name = order.hook.partition(":")
            getattr(importlib.import_module(module), name)(*order.given)
        sys.argv = ["mvmdb", *order.words]
        from mvmdb.cli import main

        main()
    except SystemExit as leaving:
        code = leaving.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    serve()
