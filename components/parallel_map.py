"""Work on a stream of items in threads, some items ahead of who takes the results. Pure."""

import collections
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from typing import TypeVar

_BATCH = 8  # items a task: a task costs more than a small image
_HELD_BYTES = 64 << 20

Item = TypeVar("Item")
Result = TypeVar("Result")


def parallel_map(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    threads: int,
    size: Callable[[Item], int] | None = None,
    held_bytes: int = _HELD_BYTES,
    batch: int = _BATCH,
) -> Iterator[Result]:
    """Yields `function(item)` for each of `items`, in their order.

    It pays off where `function` leaves the interpreter, to read, hash or decode. At most (threads + 1) × `batch` items
    are under way, and no more than `held_bytes` of them: an item that is larger is alone. An error comes where its
    result would have come.

    Args:
      threads: 0: as many as there are cores that this process may use; 1: the caller's own, with nothing under way.
      size: bytes of an item; None: they need not be bounded.
      batch: items that a thread takes at once; 1 where each waits for another machine.
    """
    threads = threads or len(os.sched_getaffinity(0))
    if threads == 1:
        yield from map(function, items)
        return
    waiting: collections.deque[tuple[futures.Future, int]] = collections.deque()
    under_way = 0
    with futures.ThreadPoolExecutor(threads) as pool:
        try:
            for taken, bytes_of in _batches(items, size, held_bytes // (threads + 1), batch):
                while waiting and (len(waiting) > threads or under_way + bytes_of > held_bytes):
                    task, done = waiting.popleft()
                    yield from task.result()
                    under_way -= done
                waiting.append((pool.submit(lambda taken: [function(item) for item in taken], taken), bytes_of))
                under_way += bytes_of
            while waiting:
                yield from waiting.popleft()[0].result()
        finally:  # who takes the results may stop early
            for task, _ in waiting:
                task.cancel()


def _batches(
    items: Iterable[Item], size: Callable[[Item], int] | None, most_bytes: int, most_items: int
) -> Iterator[tuple[list[Item], int]]:
    """Yields `items` in batches for a task each, and their bytes."""
    batch: list[Item] = []
    held = 0
    for item in items:
        batch.append(item)
        held += size(item) if size else 0
        if len(batch) == most_items or held >= most_bytes:
            yield batch, held
            batch, held = [], 0
    if batch:
        yield batch, held
