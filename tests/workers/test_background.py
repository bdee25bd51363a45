"""Work in a background thread: all of it, in order, and its errors; and maps over threads."""

from __future__ import annotations

import threading
from time import sleep

import pytest

from mvmdb.workers.background import MOST_WAITING, BackgroundThread, map_in_threads


def test_all_is_done_in_order_by_another_thread() -> None:
    done: list[int] = []
    threads = set()

    def work(number: int) -> int:
        done.append(number)
        threads.add(threading.get_ident())
        return 2 * number

    with BackgroundThread() as thread:
        futures = [thread.submit(work, number) for number in range(5 * MOST_WAITING)]
    assert done == list(range(5 * MOST_WAITING))
    assert [future.result() for future in futures] == [2 * number for number in done]
    assert len(threads) == 1
    assert threading.get_ident() not in threads


@pytest.mark.parametrize("most", [1, MOST_WAITING])
def test_no_more_waits_than_may(most: int) -> None:
    go = threading.Event()
    thread = BackgroundThread(most)
    for _ in range(most):
        thread.submit(go.wait)
    asked = threading.Thread(target=thread.submit, args=(go.wait,))
    asked.start()
    asked.join(0.05)
    assert asked.is_alive()
    go.set()
    asked.join()
    thread.close()


def test_an_error_is_raised_where_the_work_was_asked_for() -> None:
    thread = BackgroundThread()
    future = thread.submit(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        thread.close()
    with pytest.raises(ZeroDivisionError):
        future.result()


def test_an_error_is_raised_by_the_next_submit_though_nobody_asks_for_the_result() -> None:
    thread = BackgroundThread()
    failed = thread.submit(lambda: 1 / 0)
    assert isinstance(failed.exception(), ZeroDivisionError)
    with pytest.raises(ZeroDivisionError):
        thread.submit(list)
    thread.close()


def test_calls_after_one_that_failed_are_dropped_when_it_is_closed() -> None:
    go, done = threading.Event(), []
    thread = BackgroundThread()

    def fail() -> None:
        go.wait()
        raise ZeroDivisionError

    def wait_until_abandoned() -> None:
        while not thread.abandoned:
            sleep(0.001)

    for work in (fail, wait_until_abandoned, lambda: done.append(1)):
        thread.submit(work)
    go.set()
    with pytest.raises(ZeroDivisionError):
        thread.close()
    assert done == []


def test_an_error_in_the_block_drops_what_was_not_begun_and_waits_for_what_was() -> None:
    begun, done = threading.Event(), []
    thread = BackgroundThread()

    def work() -> None:
        begun.set()
        while not thread.abandoned:  # as long work looks whether anybody waits
            sleep(0.001)
        done.append("first")

    def use() -> None:
        with thread:
            thread.submit(work)
            thread.submit(done.append, "second")
            begun.wait()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        use()
    assert done == ["first"]


@pytest.mark.parametrize("n_threads", [1, 3])
def test_items_keep_their_order_and_one_thread_is_the_callers_own(n_threads: int) -> None:
    pairs = list(map_in_threads(lambda number: (number, threading.get_ident()), range(20), n_threads))
    assert [number for number, _ in pairs] == list(range(20))
    assert ({thread for _, thread in pairs} == {threading.get_ident()}) == (n_threads == 1)
