import pytest
import tensorflow as tf

from pipeline.terminal.errors import one_line


def raised(outer: BaseException, *causes: BaseException) -> BaseException:
    """Returns `outer`, raised from the first of `causes`, and so on."""
    for link, cause in zip((outer, *causes), causes, strict=False):
        link.__cause__ = cause
    return outer


def handled(outer: BaseException, first: BaseException) -> BaseException:
    """Returns `outer`, raised while `first` was handled, as Beam does it."""
    outer.__context__ = first
    return outer


COMBINER = "add_input failed on <Combiner> with inputs:\n[{'labels': array([0])}]"
WORKER = """Traceback (most recent call last):
  File "metrics.py", line 3, in add_input
    shape = read(element)
KeyError: 'deep'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "metrics.py", line 8, in add_input
apache.ShapeError: shape: 1; at least 2
and more

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "sdk_worker.py", line 313, in _execute
    response = task()
RuntimeError: add_input failed on <x>
of inputs [while running 'Evaluate']
"""
IN_GRAPH = """Traceback (most recent call last):
  File "predictor.py", line 3, in process
tensorflow.python.framework.errors_impl.InvalidArgumentError: Graph execution error:

Detected at node DecodePng defined at (most recent call last):
Invalid PNG data, size 562

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "sdk_worker.py", line 313, in _execute
AssertionError
"""
ALONE = """Traceback (most recent call last):
  File "sdk_worker.py", line 313, in _execute
RuntimeError: the disk is full [while running 'Write']
"""
GRAPH = """Graph execution error:

Detected at node DecodePng defined at (most recent call last):
<stack traces unavailable>
Invalid PNG data, size 562
\t [[{{node DecodePng}}]] [Op:IteratorGetNext]"""


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("n: 0; at least 1\nand more"), "n: 0; at least 1"),
        (raised(ValueError("splits.train: 'foo' does not fit"), KeyError("foo")), "splits.train: 'foo' does not fit"),
        (raised(RuntimeError("worker 7"), ValueError("labels: 9 [while running 'Read[train]']")), "labels: 9"),
        (
            handled(
                RuntimeError(f"{COMBINER} [while running 'Evaluate']"),
                raised(RuntimeError(COMBINER), ValueError("shape: 1; at least 2")),
            ),
            "shape: 1; at least 2",
        ),
        (
            handled(ValueError("labels: 9 [while running 'Read']"), ValueError("labels: 9")),
            "labels: 9",
        ),
        (RuntimeError(WORKER), "shape: 1; at least 2"),
        (raised(ValueError("n: 3"), RuntimeError(WORKER)), "n: 3"),
        (RuntimeError(IN_GRAPH), "Invalid PNG data, size 562"),
        (RuntimeError(ALONE), "the disk is full"),
        (handled(RuntimeError("--workspace: another run"), KeyError("pid")), "--workspace: another run"),
        (RuntimeError("--workspace: another run"), "--workspace: another run"),
        (tf.errors.InvalidArgumentError(None, None, GRAPH), "Invalid PNG data, size 562"),
        (
            tf.errors.InvalidArgumentError(None, None, "{{function_node __wrapped__X}} assertion failed: [rows]"),
            "assertion failed: [rows]",
        ),
        (KeyError(), "KeyError"),
        (RuntimeError("\n \n"), "RuntimeError"),
    ],
    ids=[
        "first-line",
        "own-message",
        "beam",
        "combiner",
        "step",
        "worker",
        "own-of-worker",
        "graph-of-worker",
        "worker-alone",
        "while-handled",
        "runtime",
        "graph",
        "node",
        "nothing",
        "blank",
    ],
)
def test_one_line(error, line):
    assert one_line(error) == line
