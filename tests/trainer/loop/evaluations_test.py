"""Evaluations during a training: what they say, what they keep, and that they and a kill change nothing."""

import itertools
import os
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.loop import evaluation, fit, interruption, scalars
from trainer.loop.checkpoints import Checkpoints
from trainer.loop.history import Progress
from trainer.models import classifier
from trainer.recipes import Checkpoint, Recipe

CLASSES, SIZE = 3, 4
STRATEGY = tf.distribute.get_strategy()
RANDOM = np.random.default_rng(5)


def examples(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images whose brightness tells a little of their labels."""
    labels = RANDOM.integers(0, CLASSES, (count, 1))
    images = RANDOM.integers(0, 190, (count, SIZE, SIZE, 1)) + 25 * labels[:, :, None, None]
    return images.astype(np.uint8), labels, np.ones((count, 1), np.float32)


TRAIN, EVAL = examples(40), examples(17)


def make_model() -> keras.Model:
    images = keras.Input((SIZE, SIZE, 1))
    x = keras.layers.Dense(6, activation="relu")(keras.layers.Flatten()(images / 200))
    backbone = keras.Model(images, keras.layers.BatchNormalization(momentum=0.8)(x), name="backbone")
    return classifier.build(backbone, CLASSES, dropout=0.2, seed=3)


def make_batches(step: int, context: tf.distribute.InputContext) -> tf.data.Dataset:
    del context
    rows = tf.data.Dataset.from_tensor_slices((*TRAIN, np.ones(40, np.float32)))
    return rows.batch(8).repeat().skip(step)


def evaluation_batches() -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(EVAL).batch(8)


def recipe(**changes) -> Recipe:
    return Recipe(**{"steps": 11, "batch_size": 8, "learning_rate": 0.5, "warmup": 0.0, **changes})


def train(settings: Recipe, folder: str | None = None, kill_at: int | None = None, evaluate_on=None):
    """Returns the model and its history; dies at the first entry of the history from `kill_at` on."""
    keras.utils.set_random_seed(3)

    def on_progress(entry: Progress) -> None:
        if kill_at is not None and entry.step >= kill_at:
            raise KeyboardInterrupt

    return fit.fit(
        make_model,
        make_batches,
        settings,
        STRATEGY,
        checkpoints=Checkpoints(folder, Checkpoint(steps=2, minutes=None)),
        evaluation_batches=evaluate_on or evaluation_batches,
        on_progress=on_progress,
    )


def evaluations(history: list[Progress]) -> dict[int, tuple[float, float]]:
    return {entry.step: (entry.eval_loss, entry.eval_accuracy) for entry in history if entry.eval_loss is not None}


def weights(model: keras.Model) -> list[np.ndarray]:
    return [variable.numpy() for variable in model.variables]


def assert_equal_weights(ours: keras.Model, theirs: keras.Model) -> None:
    for a, b in zip(weights(ours), weights(theirs), strict=True):
        np.testing.assert_array_equal(a, b)


def measured(model: keras.Model) -> tuple[float, float]:
    found = evaluation.evaluate(evaluation.make_predict(model), evaluation_batches())
    return found.cross_entropy, found.accuracy


@pytest.fixture(scope="module")
def plain() -> keras.Model:
    return train(recipe())[0]


@pytest.mark.parametrize("changes", [{}, {"ema": 0.8}], ids=["weights", "average"])
def test_it_says_what_an_evaluation_of_the_exported_weights_says(plain, changes):
    model, history = train(recipe(evaluate={"every_steps": 4}, **changes))
    found = evaluations(history)
    assert list(found) == [4, 8, 11]
    assert found[11] == measured(model)
    assert len(set(found.values())) == 3
    if not changes:
        assert_equal_weights(model, plain)


def test_the_best_weights_are_those_of_the_best_evaluation():
    settings = recipe(evaluate={"every_steps": 1}, export="best")
    model, history = train(settings)
    found = evaluations(history)
    assert list(found) == list(range(1, 12))
    best = max(found.values(), key=lambda values: (values[1], -values[0]))
    assert measured(model) == best != found[11]
    last, _ = train(settings.model_copy(update={"export": "last"}))
    assert measured(last) == found[11]


@pytest.mark.parametrize(("export", "kill_at"), [("last", 5), ("best", 1), ("best", 7)])
def test_a_kill_changes_nothing(tmp_path, export, kill_at):
    settings = recipe(evaluate={"every_steps": 3}, export=export, ema=0.9)
    model, history = train(settings)
    with pytest.raises(KeyboardInterrupt):
        train(settings, str(tmp_path), kill_at)
    resumed, again = train(settings, str(tmp_path))
    assert_equal_weights(resumed, model)
    assert evaluations(again) == evaluations(history)


@pytest.mark.parametrize(("export", "at"), [("best", 1), ("last", 4)], ids=["first", "last"])
def test_sigterm_ends_an_evaluation_which_is_made_up_for(tmp_path, export, at):
    settings = recipe(evaluate={"every_steps": 3}, export=export)
    model, history = train(settings)
    begun, given = 0, 0

    def batches():
        nonlocal begun, given
        begun += 1
        for batch in [batch for _ in range(9) for batch in evaluation_batches()]:
            if begun == at:
                given += 1
                os.kill(os.getpid(), signal.SIGTERM)
            yield batch

    with pytest.raises(interruption.Interrupted, match=f"after step {min(3 * at, 11)} of 11"):
        train(settings, str(tmp_path), evaluate_on=batches)
    assert given <= 2
    resumed, again = train(settings, str(tmp_path))
    assert_equal_weights(resumed, model)
    assert list(evaluations(again)) == list(evaluations(history)) == [3, 6, 9, 11]
    assert evaluations(again)[min(3 * at, 11)] == evaluations(history)[min(3 * at, 11)]


def test_evaluations_need_examples():
    with pytest.raises(ValueError, match=r"^evaluation_batches: the recipe's `evaluate` needs them"):
        fit.fit(make_model, make_batches, recipe(evaluate={"every_steps": 3}), STRATEGY)


def test_by_the_clock(monkeypatch):
    assert evaluations(train(recipe(evaluate={"every_minutes": 1000}))[1]) == {}
    clock = itertools.count(0, 61)
    monkeypatch.setattr(evaluation.time, "monotonic", lambda: float(next(clock)))
    assert len(evaluations(train(recipe(evaluate={"every_minutes": 1}))[1])) >= 3


def test_tensorboard_has_them(tmp_path):
    with scalars.open_scalars(str(tmp_path)) as write:
        for entry in (
            Progress(1, 9, 1.0, 2.0, 3.0, 0.5, 0.1, 0.2),
            Progress(2, 9, 1.0, 2.0, 3.0, 0.5, 0.1, 0.2, eval_loss=0.75, eval_accuracy=0.25),
        ):
            write(entry)
    (events,) = tmp_path.glob("events.*")
    found = {
        (value.tag, event.step): float(tf.make_ndarray(value.tensor))
        for event in tf.compat.v1.train.summary_iterator(str(events))
        for value in event.summary.value
        if "eval" in value.tag
    }
    assert found == {("evaluation/loss", 2): 0.75, ("evaluation/accuracy", 2): 0.25}
