"""What users say for an executor, and who works then."""

from __future__ import annotations

import os
import sys

import errands
import pytest

from mvmdb.errors import UsageError, WorkersError
from mvmdb.workers.choice import Choice, hire, parse_executor, staffed
from mvmdb.workers.processes import SerialCrew


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("serial", Choice("serial")),
        ("processes", Choice("processes")),
        ("processes:12", Choice("processes", 12)),
        ("dask:tcp://10.0.0.1:8786", Choice("dask", address="tcp://10.0.0.1:8786")),
        ("dask:/shared/scheduler.json", Choice("dask", address="/shared/scheduler.json")),
    ],
)
def test_an_executor_is_read_as_it_is_written(text: str, choice: Choice) -> None:
    assert parse_executor(text) == choice


NO_EXECUTORS = [
    "",
    "serial:2",
    "processes:",
    "processes:0",
    "processes:-1",
    "processes:two",
    "dask",
    "dask:",
    "slurm:8",
]


@pytest.mark.parametrize("text", NO_EXECUTORS)
def test_what_is_no_executor_is_refused_with_what_is(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected serial, processes:N .* or dask:ADDRESS"):
        parse_executor(text)


def test_serial_work_stays_in_this_process_and_in_order() -> None:
    with hire(Choice("serial")) as crew:
        assert [done.result for done in crew.each(errands.double, [3, 1, 2], expected=3)] == [6, 2, 4]
        assert {done.result for done in crew.each(errands.say_process, [1, 2], expected=2)} == {os.getpid()}


def test_a_crew_that_is_given_is_taken_and_another_is_hired_where_none_is() -> None:
    given = SerialCrew()
    with staffed(given, 7) as crew:
        assert crew is given
    with staffed(None, 1) as crew:
        assert [done.result for done in crew.each(errands.double, [4], expected=1)] == [8]


def test_without_the_package_distributed_the_remedy_is_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(WorkersError, match=r"pip install 'mvmdb\[dask\]'"), hire(Choice("dask", address="h:1")):
        pass
