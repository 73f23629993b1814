"""Work in threads: the results in order, few items under way, errors where they belong."""

import itertools
import threading

import pytest

from components.parallel_map import parallel_map


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 100])
@pytest.mark.parametrize("threads", [1, 3])
def test_results_come_in_the_order_of_the_items(count, threads):
    squares = parallel_map(lambda item: item * item, iter(range(count)), threads)
    assert list(squares) == [item * item for item in range(count)]


def test_they_do_so_when_a_later_one_is_done_first():
    later = threading.Event()

    def work(item: int) -> int:
        if item == 8:  # the first of the second task
            later.set()
        if item == 0:
            assert later.wait(timeout=60)
        return item

    assert list(parallel_map(work, range(20), 2)) == list(range(20))


def test_it_works_in_other_threads_and_not_far_ahead():
    taken, workers = [], set()

    def items():
        for item in range(1000):
            taken.append(item)
            yield item

    results = parallel_map(lambda item: workers.add(threading.get_ident()), items(), 2)
    for _ in range(10):
        next(results)
    assert len(taken) <= 10 + 4 * 8
    assert threading.get_ident() not in workers
    results.close()


def test_one_thread_is_the_caller_s_own():
    taken = []
    results = parallel_map(lambda item: taken.append((item, threading.get_ident())), itertools.count(), 1)
    next(results)
    assert taken == [(0, threading.get_ident())]


def test_an_error_comes_where_its_result_would():
    def refuses(item: int) -> int:
        if item == 17:
            raise ValueError("17")
        return item

    results, found = parallel_map(refuses, range(100), 2), []
    with pytest.raises(ValueError, match=r"^17$"):
        for result in results:
            found.append(result)
    assert found == list(range(16))  # whole tasks of eight


def test_each_thread_may_take_one_item_at_once():
    begun = threading.Barrier(3, timeout=60)
    assert len(list(parallel_map(lambda item: begun.wait(), range(3), 3, batch=1))) == 3
