"""Work in a thread: all of it, in order, and its errors."""

from __future__ import annotations

import threading

import pytest

from mvmdb.workers.background import MOST_WAITING, Behind, each


def test_all_is_done_in_order_by_another_thread() -> None:
    done: list[int] = []
    threads = set()

    def work(number: int) -> None:
        done.append(number)
        threads.add(threading.get_ident())

    behind = Behind()
    for number in range(5 * MOST_WAITING):
        behind.do(work, number)
    behind.finish()
    assert done == list(range(5 * MOST_WAITING))
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_no_more_waits_than_may() -> None:
    go = threading.Event()
    behind = Behind()
    for _ in range(MOST_WAITING):
        behind.do(go.wait)
    asked = threading.Thread(target=behind.do, args=(go.wait,))
    asked.start()
    asked.join(0.05)
    assert asked.is_alive()
    go.set()
    asked.join()
    behind.finish()


def test_an_error_is_raised_where_the_work_was_asked_for() -> None:
    behind = Behind()
    behind.do(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        behind.finish()


@pytest.mark.parametrize("threads", [1, 3])
def test_items_keep_their_order_and_one_thread_is_the_askers_own(threads: int) -> None:
    found = list(each(lambda number: (number, threading.get_ident()), range(20), threads))
    assert [number for number, _ in found] == list(range(20))
    assert ({thread for _, thread in found} == {threading.get_ident()}) == (threads == 1)
