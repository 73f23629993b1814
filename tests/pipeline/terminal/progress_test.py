"""What a person sees while a run goes on, with a clock that the tests set."""

import io
import sys

import pytest
import rich.console

from pipeline.runners.local import NodeResult, State
from pipeline.terminal.progress import Display
from trainer.loop.history import Progress


class Screen:
    """A display, its clock, and what it has printed."""

    def __init__(self, terminal: bool = False, width: int = 160):
        self.now = 1000.0
        self._text = io.StringIO()
        console = rich.console.Console(
            file=self._text, width=width, force_terminal=terminal, color_system=None, legacy_windows=False
        )
        self.display = Display(console, clock=lambda: self.now)

    def report(self, seconds: float, step: int, steps: int = 300, loss: float = 2.3451, speed: float = 1234.4) -> None:
        """A training says, `seconds` after the last report, how far it is."""
        self.now += seconds
        self.display.progress(Progress(step, steps, loss, speed, 0.1, 0.5, 2.0, 0.25))

    @property
    def lines(self) -> list[str]:
        return self._text.getvalue().splitlines()


def test_without_a_terminal_a_training_is_a_line_each_half_minute():
    screen = Screen()
    screen.display.start("digits-specialist")
    screen.report(60, 1, loss=6.5, speed=2)  # a minute of tracing, which is not to count
    screen.report(10, 50)
    screen.report(19.9, 100)
    screen.report(0.1, 101)
    screen.report(29, 200)
    screen.report(1, 201, loss=1.5, speed=999.6)
    screen.report(5, 299)
    screen.report(0.5, 300, loss=0.25)
    assert screen.lines == [
        "  digits-specialist  step 1/300  loss 6.500",
        "  digits-specialist  step 101/300  loss 2.345  1,234 images/s  1:00 left",  # 199 steps of 0.3 s
        "  digits-specialist  step 201/300  loss 1.500  1,000 images/s  0:30 left",
        "  digits-specialist  step 300/300  loss 0.250  1,234 images/s",
    ]


def test_the_next_training_begins_anew():
    screen = Screen()
    screen.display.start("one")
    screen.report(0, 1)
    screen.display.start("two")
    screen.report(1, 41, loss=1)  # goes on from a checkpoint
    screen.report(30, 42, loss=1)
    assert screen.lines[1:] == [
        "  two  step 41/300  loss 1.000",
        "  two  step 42/300  loss 1.000  1,234 images/s  2:09:00 left",
    ]


def test_a_training_of_one_step_is_one_line():
    screen = Screen()
    screen.display.start("one")
    screen.report(0, 1, steps=1, loss=1)
    assert screen.lines == ["  one  step 1/1  loss 1.000"]


@pytest.mark.parametrize("node", ["one", "digits-same-distribution-specialist"])
def test_the_time_left_is_on_a_narrow_terminal_too(node):
    screen = Screen(terminal=True, width=80)
    screen.display.start(node)
    screen.report(60, 1, steps=30000)
    screen.report(3, 3001, steps=30000)
    screen.display.end(NodeResult(node, State.DONE, 63.04))
    assert any(f"{node} step 3001/30000  loss 2.345  0:27 left" in line for line in screen.lines)


def test_what_libraries_print_does_not_get_onto_the_terminal(capsys):
    screen = Screen(terminal=True)
    screen.display.start("one")
    print("a warning")
    print("another", file=sys.stderr)
    screen.display.stop()
    assert not any("warning" in line or "another" in line for line in screen.lines)
    assert capsys.readouterr() == ("a warning\n", "another\n")


def test_a_terminal_has_a_live_bar_and_keeps_nothing_of_it():
    screen = Screen(terminal=True)
    screen.display.start("one")
    screen.report(60, 1)
    screen.report(3, 31)
    bar, _ = screen.display._bar
    (shown,) = [task.fields["detail"] for task in bar.tasks]
    assert shown == "step 31/300  loss 2.345  1,234 images/s  0:27 left"
    screen.display.end(NodeResult("one", State.DONE, 63.04))
    assert screen.lines[-1].endswith("✓ one                                       done        63.0 s")
    # The cursor is there again.
    assert "".join(screen.lines).rindex("\x1b[?25h") > "".join(screen.lines).rindex("\x1b[?25l")


@pytest.mark.parametrize(
    ("result", "lines"),
    [
        (NodeResult("a", State.DONE, 1.26), [f"✓ {'a':<42}done         1.3 s"]),
        (NodeResult("a", State.REUSED, 0.1), [f"= {'a':<42}reused            "]),
        (
            NodeResult("a", State.FAILED, 12, error=ValueError("n: [0]\nmore")),
            [f"✗ {'a':<42}failed      12.0 s", "    n: [0]"],
        ),
        (NodeResult("a", State.BLOCKED, 0, error=RuntimeError("needs b, c")), [f"- {'a':<42}blocked    needs b, c"]),
        (NodeResult("a", State.BLOCKED, 0), [f"- {'a':<42}blocked"]),
    ],
    ids=["done", "reused", "failed", "blocked", "gave-nothing"],
)
def test_the_end_of_a_node(result, lines):
    screen = Screen()
    screen.display.end(result)
    assert screen.lines == lines
