import pytest
import tensorflow as tf

from pipeline.terminal.errors import one_line


def raised(outer: BaseException, *causes: BaseException) -> BaseException:
    """Returns `outer`, raised from the first of `causes`, and so on."""
    for link, cause in zip((outer, *causes), causes, strict=False):
        link.__cause__ = cause
    return outer


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
        (RuntimeError("--workspace: another run"), "--workspace: another run"),
        (tf.errors.InvalidArgumentError(None, None, GRAPH), "Invalid PNG data, size 562"),
        (
            tf.errors.InvalidArgumentError(None, None, "{{function_node __wrapped__X}} assertion failed: [rows]"),
            "assertion failed: [rows]",
        ),
        (KeyError(), "KeyError"),
        (RuntimeError("\n \n"), "RuntimeError"),
    ],
    ids=["first-line", "own-message", "beam", "runtime", "graph", "node", "nothing", "blank"],
)
def test_one_line(error, line):
    assert one_line(error) == line
