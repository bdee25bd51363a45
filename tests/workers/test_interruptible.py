"""Work that does not heed an interrupt: it is waited for, or the process is ended."""

from __future__ import annotations

import threading

import pytest

from mvmdb.workers import interruptible
from mvmdb.workers.interruptible import run_interruptibly


class TooLongError(Exception):
    """The reason why the work was to end."""


def give_up() -> None:
    raise TooLongError


def test_work_that_is_deaf_ends_the_process_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruptible, "_HEEDS_WITHIN", 0.0)
    heard, deaf, reasons = threading.Event(), threading.Event(), []

    def end_process(reason: BaseException) -> None:
        reasons.append(reason)
        deaf.set()  # a process would end here; the test lets the work end

    with pytest.raises(TooLongError):
        run_interruptibly(lambda: deaf.wait(60), interrupt=heard.set, watch=give_up, end_stuck=end_process)
    assert heard.is_set()
    assert isinstance(reasons[0], TooLongError)


def test_work_that_heeds_ends_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruptible, "_HEEDS_WITHIN", 0.0)
    stop = threading.Event()
    with pytest.raises(TooLongError):
        run_interruptibly(lambda: stop.wait(60), interrupt=stop.set, watch=give_up, end_stuck=pytest.fail)


def test_what_works_without_interruption_is_returned() -> None:
    assert run_interruptibly(lambda: 7, interrupt=pytest.fail, watch=lambda: None) == 7
