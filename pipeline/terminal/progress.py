"""What a person sees of a run: a line a node, and how far it is while it trains; all else goes to the log."""

import time
from collections.abc import Callable

import rich.console
import rich.progress

from pipeline.runners.local import NodeResult, State
from pipeline.terminal.errors import one_line
from pipeline.terminal.logs import LIVE
from trainer.loop.history import Progress

_MARKS = {
    State.DONE: "[green]✓[/]",
    State.REUSED: "[cyan]=[/]",
    State.RESOLVED: "[cyan]·[/]",
    State.FAILED: "[red]✗[/]",
    State.BLOCKED: "[yellow]-[/]",
}
_QUIET_SECONDS = 30.0
_WIDE = 120  # columns, from which on the whole live line fits


class Display:
    """One line for each node that has ended.

    While a node trains, a terminal shows a live bar. Elsewhere, as in the log of a scheduler, it is a line at the
    start, one each half minute and one at the end.

    Args:
      console: where it goes.
      clock: gives seconds, from any start.
    """

    def __init__(self, console: rich.console.Console, clock: Callable[[], float] = time.monotonic):
        self._console = console
        self._clock = clock
        self._bar: tuple[rich.progress.Progress, rich.progress.TaskID] | None = None
        self._node = ""
        self._first: tuple[float, int] | None = None  # time and step of the first report of the running node
        self._last_line = 0.0

    def start(self, node: str) -> None:
        """Shows that `node` is running."""
        self._node, self._first = node, None
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
            *(columns if self._wide() else (columns[0], columns[1], columns[3])),
            console=self._console,
            **LIVE,
        )
        self._bar = bar, bar.add_task(f"{node:<40}" if self._wide() else node, total=None, detail="")
        bar.start()

    def progress(self, progress: Progress) -> None:
        """Shows how far the training of the running node is."""
        now = self._clock()
        begins = self._first is None
        self._first = self._first or (now, progress.step)
        done, speed, left = _describe(progress, now, *self._first)
        if self._bar is not None:
            detail = f"{done}{speed if self._wide() else ''}{left}"
            bar, task = self._bar
            bar.update(task, completed=progress.step, total=progress.steps, detail=detail)
        elif begins or progress.step == progress.steps or now - self._last_line >= _QUIET_SECONDS:
            self._last_line = now
            self._console.print(f"  {self._node}  {done}{speed}{left}", markup=False, highlight=False)

    def stop(self) -> None:
        """Takes the live line away, and gives the cursor back."""
        if self._bar is not None:
            bar, _ = self._bar
            bar.stop()
            self._bar = None

    def end(self, result: NodeResult) -> None:
        """Leaves the line of a node that has ended."""
        self.stop()
        line = f"{_MARKS[result.state]} {result.node:<42}{result.state.value:<10}"
        if result.state is State.BLOCKED:
            # Not the fault of this node: its reason is no error to be read, and one failure blocks many nodes.
            self._console.print(f"{line} {result.error or ''}".rstrip(), highlight=False)
            return
        seconds = f"{result.seconds:6.1f} s" if result.state in (State.DONE, State.FAILED) else " " * 8
        self._console.print(f"{line}{seconds}", highlight=False)
        if result.error is not None:
            self._console.print(f"    {one_line(result.error)}", style="red", markup=False, highlight=False)

    def _wide(self) -> bool:
        return self._console.width >= _WIDE


def _describe(progress: Progress, now: float, first_time: float, first_step: int) -> tuple[str, str, str]:
    """Returns what is done, how fast, and the time left."""
    done = f"step {progress.step}/{progress.steps}  loss {progress.loss:.3f}"
    if progress.step == first_step:
        # Most of the time until the first report went into tracing the graph, and says nothing of the steps to come.
        return done, "", ""
    speed = f"  {progress.images_per_second:,.0f} images/s"
    if progress.step == progress.steps:
        return done, speed, ""
    seconds = (progress.steps - progress.step) * (now - first_time) / (progress.step - first_step)
    return done, speed, f"  {_clock_face(seconds)} left"


def _clock_face(seconds: float) -> str:
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
