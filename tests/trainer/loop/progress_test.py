import logging

import pytest

from trainer.loop import progress
from trainer.loop.history import Progress, merge

OTHERS = {"learning_rate": 0.1, "accuracy": 0.5, "gradient_norm": 2.0, "input_wait": 0.25}
FIRST = Progress(1, 30, 4.5, 120.0, **OTHERS)
SECOND = Progress(12, 30, 2.25, 1300.4, **OTHERS)
THIRD = Progress(30, 30, 1.0, 1300.0, **OTHERS)


def test_reports_go_to_the_listener_of_the_innermost_block():
    outer, inner = [], []
    progress.report(FIRST)
    with progress.listen(outer.append):
        progress.report(FIRST)
        with progress.listen(inner.append):
            progress.report(SECOND)
        progress.report(THIRD)
    progress.report(SECOND)
    assert outer == [FIRST, THIRD]
    assert inner == [SECOND]


def test_a_training_that_fails_leaves_no_listener_behind():
    heard = []
    with pytest.raises(FloatingPointError), progress.listen(heard.append):
        progress.report(FIRST)
        raise FloatingPointError
    progress.report(SECOND)
    assert heard == [FIRST]


def test_reports_are_logged_with_and_without_a_listener(caplog):
    with caplog.at_level(logging.INFO, logger="trainer.loop.progress"):
        progress.report(SECOND)
        with progress.listen(lambda _: None):
            progress.report(THIRD)
    assert caplog.messages == ["step 12/30  loss 2.2500  1300 images/s", "step 30/30  loss 1.0000  1300 images/s"]


def test_merged_reports_are_weighted_by_their_steps_and_their_times():
    # 4 steps at 8 images/s take as long as 6 steps at 12.
    first = Progress(14, 30, 2.0, 8.0, learning_rate=0.3, accuracy=0.5, gradient_norm=1.0, input_wait=0.25)
    second = Progress(20, 30, 1.0, 12.0, learning_rate=0.2, accuracy=1.0, gradient_norm=3.0, input_wait=0.75)
    assert merge([first, second], since=10) == Progress(
        step=20,
        steps=30,
        loss=pytest.approx(1.4),
        images_per_second=pytest.approx(10.0),
        learning_rate=0.2,
        accuracy=pytest.approx(0.8),
        gradient_norm=pytest.approx(2.2),
        input_wait=pytest.approx(0.5),
    )
    assert merge([second], since=14) == second
