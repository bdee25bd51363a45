"""Workers that hang: each is given up after a limit, by name, and one that makes progress never is."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread, Timer
from time import monotonic, sleep
from typing import Any

import errands
import pytest
from processes import is_alive, wait_for_end, wait_until

from mvmdb.errors import WorkersError
from mvmdb.workers.child import ChildProcess
from mvmdb.workers.choice import ExecutorChoice, open_executor
from mvmdb.workers.patience import Patience, Rounds, Silence, WorkerHungError
from mvmdb.workers.processes import ProcessExecutor

pytestmark = pytest.mark.slow

BRIEF = Patience(limit=4.0, notice=2.0)  # a process takes half a second to start, more on a busy machine


def died(status: int) -> WorkersError:
    return WorkersError(f"it left {status}")


@pytest.fixture
def pipe(tmp_path: Path) -> str:
    """A named pipe to which nobody writes."""
    path = str(tmp_path / "pipe")
    os.mkfifo(path)
    return path


def read_or_double(item: Any) -> Any:
    return errands.read_pipe(item) if isinstance(item, str) else errands.double(item)


def read_in_child_or_double(item: Any) -> Any:
    return errands.read_pipe_in_child(item) if isinstance(item, str) else errands.double(item)


def name_it(item: object) -> str:
    return f"item {item}"


def test_a_stopped_worker_is_killed_and_the_others_do_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    with open_executor(ExecutorChoice(n=2), BRIEF) as executor:
        dones = executor.each(errands.stop_at_13, range(10, 20), expected=10, name=name_it)
        found = {done.item: done.result for done in dones}
    hung = found.pop(13)
    assert found == {n: n for n in range(10, 20) if n != 13}
    assert isinstance(hung, WorkerHungError)
    assert f" on {socket.gethostname()} gave no sign of progress for 4 s (--worker-timeout) and was given up" in str(
        hung
    )
    pid = int(str(hung).split()[2])
    assert not is_alive(pid)
    (told,) = (record.getMessage() for record in caplog.records)
    assert told.startswith(f"waiting for item 13: worker process {pid} on ")
    assert told.endswith("no sign of progress for 2 s; it is given up after 4 s (--worker-timeout)")


def test_a_worker_that_waits_for_dead_storage_is_given_up(pipe: str) -> None:
    with open_executor(ExecutorChoice(n=2), BRIEF) as executor:
        found = {done.item: done.result for done in executor.each(read_or_double, [1, pipe, 2], expected=3)}
    assert isinstance(found.pop(pipe), WorkerHungError)
    assert found == {1: 2, 2: 4}


def test_what_a_hanging_worker_started_ends_with_it(pipe: str) -> None:
    with open_executor(ExecutorChoice(n=2), BRIEF) as executor:
        found = {done.item: done.result for done in executor.each(read_in_child_or_double, [1, pipe], expected=2)}
    assert isinstance(found[pipe], WorkerHungError)
    wait_for_end(int(Path(f"{pipe}.pid").read_text()))


def test_a_worker_that_makes_progress_is_waited_for_whatever_it_takes(caplog: pytest.LogCaptureFixture) -> None:
    with open_executor(ExecutorChoice(n=2), BRIEF) as executor:
        assert [done.result for done in executor.each(errands.work_slowly, [6.0, 6.0], expected=2)] == [6.0, 6.0]
    assert not caplog.records


def test_without_a_limit_a_worker_is_told_of_and_waited_for(pipe: str, caplog: pytest.LogCaptureFixture) -> None:
    Timer(4.0, Path(pipe).write_text, args=("late",)).start()
    with open_executor(ExecutorChoice(n=2), Patience(limit=0.0, notice=2.0)) as executor:
        found = [done.result for done in executor.each(read_or_double, [pipe, 1], expected=2)]
    assert sorted(map(str, found)) == ["2", "late"]
    (told,) = (record.getMessage() for record in caplog.records)
    assert "there is no limit" in told


def test_where_every_worker_hangs_the_rest_is_not_tried(tmp_path: Path) -> None:
    pipes = [str(tmp_path / f"{n}") for n in range(20)]
    for path in pipes:
        os.mkfifo(path)
    done = []
    with open_executor(ExecutorChoice(n=2), Patience(2.0, 1.0)) as executor:
        dones = executor.each(errands.read_pipe, pipes, expected=20)
        with pytest.raises(WorkersError, match="4 workers in a row gave no sign of progress for 2 s each"):
            done.extend(dones)
    assert len(done) == 4
    assert all(isinstance(one.result, WorkerHungError) for one in done)


def test_workers_that_hang_now_and_then_do_not_end_the_run() -> None:
    rounds = Rounds(BRIEF)
    hung = BRIEF.given_up("it")
    for _ in range(10):
        for result in (hung, hung, hung, 1):
            rounds.note(result, 2)
    rounds.note(hung, 1)
    with pytest.raises(WorkersError, match="2 workers in a row"):
        rounds.note(hung, 1)


@pytest.mark.parametrize("n_numbers", [1, 500_000], ids=["reading", "writing"])
def test_a_child_that_is_stopped_is_given_up(n_numbers: int) -> None:
    with ChildProcess(died, patience=BRIEF) as child:
        assert child.submit(errands.double, 1)() == 2
        os.kill(child.pid, signal.SIGSTOP)
        with pytest.raises(WorkerHungError, match=f"worker process {child.pid} on"):
            child.submit(errands.return_it, list(range(n_numbers)))()
        assert not is_alive(child.pid)


def test_a_child_that_hangs_in_the_middle_of_a_message_is_given_up() -> None:
    with ChildProcess(died, patience=BRIEF) as child, pytest.raises(WorkerHungError):
        child.submit(errands.write_half_a_message_and_stop)()


def test_a_slow_reader_takes_no_childs_time(tmp_path: Path) -> None:
    with ChildProcess(died, patience=BRIEF) as child:
        stream = child.stream(errands.send_large_and_note, str(tmp_path / "noted"), 20)
        next(stream)
        sleep(5)
        assert len(list(stream)) == 19


def test_a_stopped_worker_ends_with_the_run_that_is_killed(tmp_path: Path) -> None:
    script = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "import errands\n"
        "from mvmdb.workers.processes import ProcessExecutor\n"
        "executor = ProcessExecutor(2)\n"
        "print(*{d.result for d in executor.each(errands.say_process, range(9), expected=9)}, flush=True)\n"
        "list(executor.each(errands.stop_at_13, [13, 13], expected=2))\n"
    )
    words = [sys.executable, "-c", script]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True) as run:
        assert run.stdout is not None
        pids = [int(pid) for pid in run.stdout.readline().split()]
        wait_until(lambda: all(is_stopped(pid) for pid in pids))
        run.kill()
    for pid in pids:
        wait_for_end(pid)


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_a_run_that_was_stopped_itself_blames_no_worker(tmp_path: Path) -> None:
    """As by Ctrl-Z, or a machine that sleeps."""
    awake = [0.0, 5.0, 10.0, 10_000.0, 10_005.0, 10_010.0]
    times = iter([*awake, *range(10_015, 11_000, 5)])
    silence = Silence(Patience(limit=100.0), lambda: next(times))
    assert [silence.look() for _ in awake[1:]] == ["wait"] * 5
    verdicts = [silence.look() for _ in range(20)]
    assert verdicts.index("say so") == 5
    assert verdicts.index("give up") == 13
    silence.sign()
    assert silence.look() == "wait"


def test_work_in_this_process_that_hangs_is_told_of_and_the_program_decides(
    pipe: str, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []

    def go_on(words: str) -> None:
        told.append(words)
        Path(pipe).write_text("late")

    executor = ProcessExecutor(2, BRIEF, go_on)
    assert [done.result for done in executor.each(errands.read_pipe, [pipe], expected=1, name=name_it)] == ["late"]
    assert told[0].startswith(f"item {pipe}: worker process {os.getpid()} on ")
    assert f"waiting for item {pipe}" in caplog.text


def test_what_the_caller_does_between_items_is_not_watched() -> None:
    told: list[str] = []
    with open_executor(ExecutorChoice("serial"), Patience(0.4, 0.2), told.append) as executor:
        for _ in executor.each(errands.double, [1, 2], expected=2):
            sleep(1.0)
    assert told == []


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C interrupts, as it does in a terminal; what a shell runs in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt_when_all_wait(paths: list[str]) -> None:
    wait_until(lambda: all(Path(path).exists() for path in paths))
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.usefixtures("interruptible")
def test_workers_are_interrupted_when_the_run_ends_early(tmp_path: Path) -> None:
    paths = [str(tmp_path / "a"), str(tmp_path / "b")]
    started = monotonic()
    Thread(target=interrupt_when_all_wait, args=(paths,)).start()
    with open_executor(ExecutorChoice(n=2)) as executor, pytest.raises(KeyboardInterrupt):
        list(executor.each(errands.note_and_wait, paths, expected=2))
    assert monotonic() - started < 10
    assert [Path(path).read_text() for path in paths] == ["cleared up", "cleared up"]
