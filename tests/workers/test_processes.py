"""Worker processes: kept between calls, and a death costs the item that did it and no other."""

from __future__ import annotations

import os
import signal
import time

import errands
import pytest

from mvmdb.errors import WorkersError
from mvmdb.workers.choice import ExecutorChoice, open_executor
from mvmdb.workers.processes import ProcessExecutor, SerialExecutor, spare_processors


def test_processes_are_kept_from_one_call_to_the_next() -> None:
    with open_executor(ExecutorChoice(n=2)) as executor:
        first, second = (
            {done.result for done in executor.each(errands.say_process, range(8), expected=8)} for _ in "ab"
        )
    assert os.getpid() not in first
    assert first & second
    assert len(first | second) <= 2


def test_one_item_needs_no_other_process() -> None:
    with open_executor(ExecutorChoice(n=2)) as executor:
        assert [done.result for done in executor.each(errands.say_process, [1], expected=1)] == [os.getpid()]


def test_a_death_costs_its_own_item_and_the_executor_works_on() -> None:
    with open_executor(ExecutorChoice(n=2)) as executor:
        results = {done.item: done.result for done in executor.each(errands.die, range(10, 20), expected=10)}
        assert isinstance(results.pop(13), WorkersError)
        assert results == {n: n for n in range(10, 20) if n != 13}
        assert {done.result for done in executor.each(errands.double, [1, 2, 3], expected=3)} == {2, 4, 6}


def test_an_interrupt_ends_what_a_worker_is_at() -> None:
    started = time.monotonic()
    with open_executor(ExecutorChoice(n=2)) as executor, pytest.raises(KeyboardInterrupt):
        list(executor.each(errands.interrupt_itself, [1, 1], expected=2))
    assert time.monotonic() - started < 30  # the errand would take a minute


def test_an_interrupt_leaves_a_worker_alone_that_has_no_work() -> None:
    with open_executor(ExecutorChoice(n=2)) as executor:
        before = {done.result for done in executor.each(errands.say_process, range(8), expected=8)}
        for process in before:
            os.kill(process, signal.SIGINT)
        time.sleep(0.2)
        assert {done.result for done in executor.each(errands.say_process, range(8), expected=8)} & before
        for process in before:
            os.kill(process, 0)  # both are alive


@pytest.mark.parametrize("choice", [ExecutorChoice("serial"), ExecutorChoice(n=2)], ids=lambda choice: choice.kind)
def test_what_the_function_raises_is_raised(choice: ExecutorChoice) -> None:
    with open_executor(choice) as executor, pytest.raises(ZeroDivisionError, match="no 1"):
        list(executor.each(errands.refuse, [1, 1], expected=2))


def test_processors_without_an_item_are_shared_out_evenly() -> None:
    executor = ProcessExecutor(8)
    assert [spare_processors(executor, expected) for expected in (0, 1, 2, 3, 4, 5, 8, 100)] == [7, 7, 3, 1, 1, 0, 0, 0]
    assert spare_processors(ProcessExecutor(1), 1) == 0
    assert spare_processors(SerialExecutor(), 1) == 0
