"""Work on a stream of items in threads, some items ahead of who takes the results. Pure."""

import collections
import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from typing import TypeVar

_BATCH = 8  # items a task: a task costs more than a small image

Item = TypeVar("Item")
Result = TypeVar("Result")


def parallel_map(function: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """Yields `function(item)` for each of `items`, in their order.

    It pays off where `function` leaves the interpreter, to read, hash or decode. At most (threads + 1) × 8 items are
    under way. An error comes where its result would have come.
    """
    iterator = iter(items)
    batches = iter(lambda: list(itertools.islice(iterator, _BATCH)), [])
    waiting: collections.deque[futures.Future] = collections.deque()
    with futures.ThreadPoolExecutor(threads) as pool:
        try:
            for batch in batches:
                waiting.append(pool.submit(lambda batch: [function(item) for item in batch], batch))
                if len(waiting) > threads:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:  # who takes the results may stop early
            for task in waiting:
                task.cancel()
