"""Measures tasks in turns, because the machine may have other work too."""

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

Measured = TypeVar("Measured")


def in_turns(
    tasks: Mapping[str, Callable[[], Measured]], repeats: int, *, warm_up: bool = True
) -> dict[str, list[Measured]]:
    """Runs all tasks one after the other, `repeats` times, and returns the measurements of each task.

    Args:
      tasks: name → a task, which returns what it measured.
      repeats: the number of turns.
      warm_up: whether to run one more turn first that does not count; it fills caches, imports modules, traces graphs.
    """
    found: dict[str, list[Measured]] = {name: [] for name in tasks}
    for turn in range(-1 if warm_up else 0, repeats):
        for name, task in tasks.items():
            measured = task()
            if turn >= 0:
                found[name].append(measured)
    return found


def timed(task: Callable[[], object]) -> tuple[float, float]:
    """Runs a task and returns its seconds of wall clock and of CPU."""
    start, cpu_start = time.perf_counter(), time.process_time()
    task()
    return time.perf_counter() - start, time.process_time() - cpu_start
