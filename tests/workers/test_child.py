"""A child process: results in order while the reader is slow, errors as they are, and no process left behind."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import sleep
from typing import Any

import errands
import pytest
from processes import is_alive, wait_for_end, wait_until

from mvmdb.errors import ExposureError, WorkersError
from mvmdb.workers.child import AHEAD, ChildProcess


def died(status: int) -> WorkersError:
    return WorkersError(f"it left {status}")


@pytest.fixture
def child() -> Iterator[ChildProcess]:
    with ChildProcess(died) as child:
        yield child


def test_requests_are_done_in_their_order_by_one_other_process(child: ChildProcess) -> None:
    results = [child.submit(errands.double, number) for number in range(10)]
    assert [result() for result in results] == [2 * number for number in range(10)]
    assert child.submit(errands.say_process, 0)() == child.pid != os.getpid()


def test_a_stream_comes_in_order_and_the_next_request_after_it(child: ChildProcess) -> None:
    numbers, doubled = child.stream(errands.send_numbers, 1000), child.submit(errands.double, 4)
    assert list(numbers) == list(range(1000))
    assert doubled() == 8


def test_values_larger_than_a_pipe_pass_both_ways(child: ChildProcess) -> None:
    numbers = list(range(500_000))
    results = [child.submit(errands.return_it, numbers) for _ in range(3)]  # nobody reads meanwhile
    assert all(result() == numbers for result in results)


def test_work_goes_on_while_the_reader_is_slow_but_not_far(child: ChildProcess, tmp_path: Path) -> None:
    stream = child.stream(errands.send_large_and_note, str(tmp_path / "noted"), 20)
    next(stream)

    def noted() -> int:
        return len((tmp_path / "noted").read_text())

    # one was taken, one is being sent, and AHEAD are waiting or being made
    wait_until(lambda: noted() >= 1 + AHEAD)
    sleep(0.3)
    assert noted() <= 2 + AHEAD
    assert len(list(stream)) == 19
    assert noted() == 20


def test_an_error_is_raised_where_its_result_is_taken_and_the_child_works_on(child: ChildProcess) -> None:
    refused, doubled = child.submit(errands.refuse, 7), child.submit(errands.double, 7)
    with pytest.raises(ZeroDivisionError, match="no 7") as caught:
        refused()
    assert "errands.py" in caught.value.__notes__[0]
    assert doubled() == 14


def test_errors_of_mvmdb_travel_whole(child: ChildProcess) -> None:
    with pytest.raises(ExposureError, match=r"^cut$") as caught:
        child.submit(errands.refuse_exposure, "cut")()
    assert caught.value.code == "truncated"
    assert not hasattr(caught.value, "__notes__")


def test_an_error_in_a_stream_comes_after_what_was_sent(child: ChildProcess) -> None:
    stream = child.stream(errands.send_and_refuse, 5)
    assert [next(stream) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ZeroDivisionError):
        next(stream)


def test_a_result_that_cannot_be_pickled_is_an_error_and_no_end_of_the_stream(child: ChildProcess) -> None:
    with pytest.raises((pickle.PicklingError, TypeError, AttributeError), match="lambda"):
        list(child.stream(errands.send_what_cannot_be))
    assert child.submit(errands.double, 1)() == 2


@pytest.mark.parametrize(("deed", "status"), [(errands.die, -signal.SIGKILL), (errands.run_out_of_memory, 1)])
def test_a_death_is_the_callers_error(deed: Any, status: int, capfd: pytest.CaptureFixture[str]) -> None:
    with ChildProcess(died) as child:
        assert child.submit(errands.double, 1)() == 2
        with pytest.raises(WorkersError, match=f"^it left {status}$"):
            child.submit(deed, 13)()
        with pytest.raises(WorkersError, match=f"^it left {status}$"):  # also where the pipe is broken
            child.submit(errands.double, 1)()


def test_a_death_amid_a_stream_is_no_end_of_it(child: ChildProcess) -> None:
    with pytest.raises(WorkersError, match="it left -9"):
        list(child.stream(errands.send_and_die, 3))


def test_a_message_that_is_cut_off_is_a_death(child: ChildProcess) -> None:
    with pytest.raises(WorkersError, match="it left -9"):
        child.submit(errands.write_half_a_message)()


def test_what_is_printed_does_not_get_among_the_results(capfd: pytest.CaptureFixture[str]) -> None:
    with ChildProcess(died) as child:
        assert child.submit(errands.print_loudly, "noise")() == "noise"
    assert capfd.readouterr().err == "noise\n"


def test_an_interrupt_is_left_to_the_parent(child: ChildProcess) -> None:
    assert child.submit(errands.double, 1)() == 2
    os.kill(child.pid, signal.SIGINT)
    assert child.submit(errands.double, 2)() == 4


def test_a_child_is_ended_whatever_it_is_at() -> None:
    with ChildProcess(died) as child:
        child.submit(errands.sleep_long)
        assert is_alive(child.pid)
    assert not is_alive(child.pid)
    child.close()  # once more is no harm


def test_a_module_may_be_imported_before_there_is_work() -> None:
    with ChildProcess(died, preload="this") as child:
        assert child.submit(errands.has_imported, "this")()
        assert not child.submit(errands.has_imported, "mvmdb.mosaic.make")()


def test_a_module_that_cannot_be_imported_is_a_death(capfd: pytest.CaptureFixture[str]) -> None:
    with ChildProcess(died, preload="no_such_module") as child, pytest.raises(WorkersError, match="it left 1"):
        child.submit(errands.double, 1)()
    assert "No module named 'no_such_module'" in capfd.readouterr().err


PARENT = """
import sys, time
sys.path[:] = {path!r}
import errands
from mvmdb.workers.child import ChildProcess
child = ChildProcess(lambda status: RuntimeError())
{work}
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize(
    "work",
    ["", "child.submit(errands.sleep_long)", "child.stream(errands.send_numbers, 10**9)"],
    ids=["idle", "at work", "sending"],
)
def test_a_child_ends_when_its_parent_is_killed(work: str) -> None:
    script = PARENT.format(path=sys.path, work=work)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        parent.kill()
    wait_for_end(pid)


def test_a_script_without_a_main_guard_may_start_one(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        f"sys.path[:] = {sys.path!r}\n"
        "print('started')\n"
        "import errands\n"
        "from mvmdb.workers.child import ChildProcess\n"
        "with ChildProcess(lambda status: RuntimeError(str(status))) as child:\n"
        "    print(child.submit(errands.double, 21)())\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("started\n42\n", "")


def test_a_child_serves_a_parent_without_standard_error() -> None:
    script = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "import errands\n"
        "from mvmdb.workers.child import ChildProcess\n"
        "with ChildProcess(lambda status: RuntimeError(str(status))) as child:\n"
        "    print(child.submit(errands.print_loudly, 'noise')())\n"
    )
    words = ["sh", "-c", 'exec "$0" "$@" 2>&-', sys.executable, "-c", script]
    assert subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout == "noise\n"
