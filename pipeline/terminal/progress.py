"""The display of a run: a line for each node, and the progress of a training. All other output goes to the log."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import rich.console
import rich.progress

from pipeline.runners.local import NodeResult, State
from pipeline.terminal.errors import one_line
from pipeline.terminal.logs import LIVE
from trainer.loop.history import Progress

T = TypeVar("T")

_MARKS = {
    State.DONE: "[green]✓[/]",
    State.REUSED: "[cyan]=[/]",
    State.RESOLVED: "[cyan]·[/]",
    State.FAILED: "[red]✗[/]",
    State.BLOCKED: "[yellow]-[/]",
}
_QUIET_SECONDS = 30.0
_WIDE_COLUMNS = 120  # enough for the whole live line


def count(items: Iterable[T], what: str) -> Iterator[T]:
    """Yields `items`; shows on the terminal of the error output how many have been taken, if lines go elsewhere."""
    console = rich.console.Console(stderr=True)
    if not console.is_terminal or sys.stdout.isatty():
        yield from items
        return
    columns = [rich.progress.SpinnerColumn(), rich.progress.TextColumn("{task.completed:,.0f} " + what)]
    with rich.progress.Progress(*columns, rich.progress.TimeElapsedColumn(), console=console, **LIVE) as bar:
        yield from bar.track(items, total=None)


def show_state(console: rich.console.Console, node: str, state: State | None) -> None:
    """Prints the state in which a run would find `node`; None: it would run."""
    console.print(
        f"{_MARKS[state] if state else '→'} {node:<42}{state.value if state else 'would run'}", highlight=False
    )


class Display:
    """Prints one line for each finished node.

    While a node trains, a terminal shows a live bar. Other output, such as the log of a scheduler, gets a line at the
    start, one each half minute and one at the end.

    Args:
      console: where to print.
      clock: returns seconds since any fixed time.
    """

    def __init__(self, console: rich.console.Console, clock: Callable[[], float] = time.monotonic):
        self._console = console
        self._clock = clock
        self._bar: tuple[rich.progress.Progress, rich.progress.TaskID] | None = None
        self._node = ""
        self._first_report: tuple[float, int] | None = None  # time and step of the first report of the running node
        self._last_line = 0.0

    def start(self, node: str) -> None:
        """Shows that `node` is running."""
        self._node, self._first_report = node, None
        if not self._console.is_terminal:
            return
        columns = [
            rich.progress.SpinnerColumn(),
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(bar_width=24),
            rich.progress.TextColumn("{task.fields[detail]}"),
            rich.progress.TimeElapsedColumn(),
        ]
        bar = rich.progress.Progress(
            *(columns if self._is_wide() else (columns[0], columns[1], columns[3])),
            console=self._console,
            **LIVE,
        )
        self._bar = bar, bar.add_task(f"{node:<40}" if self._is_wide() else node, total=None, detail="")
        bar.start()

    def progress(self, progress: Progress) -> None:
        """Shows the progress of the running node's training."""
        now = self._clock()
        is_first = self._first_report is None
        self._first_report = self._first_report or (now, progress.step)
        done, throughput, left = _describe(progress, now, *self._first_report)
        if self._bar is not None:
            detail = f"{done}{throughput if self._is_wide() else ''}{left}"
            bar, task = self._bar
            bar.update(task, completed=progress.step, total=progress.steps, detail=detail)
        elif is_first or progress.step == progress.steps or now - self._last_line >= _QUIET_SECONDS:
            self._last_line = now
            self._console.print(f"  {self._node}  {done}{throughput}{left}", markup=False, highlight=False)

    def stop(self) -> None:
        """Removes the live line and shows the cursor again."""
        if self._bar is not None:
            bar, _ = self._bar
            bar.stop()
            self._bar = None

    def end(self, result: NodeResult) -> None:
        """Prints the line of a finished node."""
        self.stop()
        line = f"{_MARKS[result.state]} {result.node:<42}{result.state.value:<10}"
        if result.state is State.BLOCKED:
            # On the same line and not in red: the node itself did not fail, and one failure blocks many nodes.
            self._console.print(f"{line} {result.error or ''}".rstrip(), highlight=False)
            return
        seconds = f"{result.seconds:6.1f} s" if result.state in (State.DONE, State.FAILED) else " " * 8
        self._console.print(f"{line}{seconds}", highlight=False)
        if result.error is not None:
            self._console.print(f"    {one_line(result.error)}", style="red", markup=False, highlight=False)

    def _is_wide(self) -> bool:
        return self._console.width >= _WIDE_COLUMNS


def _describe(progress: Progress, now: float, first_time: float, first_step: int) -> tuple[str, str, str]:
    """Returns three texts: the progress, the throughput and the time left."""
    done = f"step {progress.step}/{progress.steps}  loss {progress.loss:.3f}"
    if progress.step == first_step:
        # The time before the first report is mostly spent tracing the graph, and does not predict later steps.
        return done, "", ""
    throughput = f"  {progress.images_per_second:,.0f} images/s"
    if progress.step == progress.steps:
        return done, throughput, ""
    seconds = (progress.steps - progress.step) * (now - first_time) / (progress.step - first_step)
    return done, throughput, f"  {format_time(seconds)} left"


def format_time(seconds: float) -> str:
    """Returns a duration as h:mm:ss, or m:ss below an hour."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
