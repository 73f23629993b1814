"""What a person sees of a run: a line a node, a live bar while it trains; all else goes to the log."""

import rich.console
import rich.progress

from pipeline.errors import one_line
from pipeline.local_runner import NodeResult, State
from trainer.progress import Progress

_MARKS = {
    State.DONE: "[green]✓[/]",
    State.REUSED: "[cyan]=[/]",
    State.RESOLVED: "[cyan]·[/]",
    State.FAILED: "[red]✗[/]",
    State.BLOCKED: "[yellow]-[/]",
}


class Display:
    """One line for each node that has ended, and a live one for the node that is running, on a terminal."""

    def __init__(self, console: rich.console.Console):
        self._console = console
        self._bar: rich.progress.Progress | None = None
        self._task: rich.progress.TaskID | None = None

    def start(self, node: str) -> None:
        """Shows that `node` is running."""
        if not self._console.is_terminal:
            return
        self._bar = rich.progress.Progress(
            rich.progress.SpinnerColumn(),
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(bar_width=24),
            rich.progress.TextColumn("{task.fields[detail]}"),
            rich.progress.TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        self._task = self._bar.add_task(f"{node:<40}", total=None, detail="")
        self._bar.start()

    def progress(self, progress: Progress) -> None:
        """Shows how far the training of the running node is."""
        if self._bar is None:
            return
        left = (progress.steps - progress.step) * self._bar.tasks[0].elapsed / max(1, progress.step)
        detail = (
            f"{progress.step}/{progress.steps} steps  loss {progress.loss:.3f}  "
            f"{progress.images_per_second:,.0f} images/s  {left:.0f} s left"
        )
        self._bar.update(self._task, completed=progress.step, total=progress.steps, detail=detail)

    def stop(self) -> None:
        """Takes the live line away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def end(self, result: NodeResult) -> None:
        """Leaves the line of a node that has ended."""
        self.stop()
        time = f"{result.seconds:6.1f} s" if result.state in (State.DONE, State.FAILED) else " " * 8
        self._console.print(f"{_MARKS[result.state]} {result.node:<42}{result.state.value:<10}{time}", highlight=False)
        if result.error is not None:
            self._console.print(f"    {one_line(result.error)}", style="red", markup=False, highlight=False)
