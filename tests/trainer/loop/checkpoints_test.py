"""Interrupted trainings end where those that were never interrupted do, bit for bit.

As a script, this file is the training that is killed.
"""

import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.data import input_pipeline
from trainer.data.draws import open_draws
from trainer.loop import checkpoints, distribution, fit, interruption, progress
from trainer.loop.history import Progress
from trainer.models import classifier
from trainer.models.backbone import Backbone, ImageConfig
from trainer.recipes import Checkpoint, Recipe

CLASSES = 3
IMAGE = ImageConfig(size=16, channels=1)
# Dropout, momentum, average, augmentation: whatever has a state of its own.
RECIPE = Recipe(
    steps=240,
    batch_size=8,
    learning_rate=0.05,
    nesterov=True,
    l2=1e-4,
    clip_norm=5.0,
    dropout=0.3,
    ema=0.9,
    shift=2,
    flip=True,
)


def train(
    patterns: list[str], folder: str | None = None, policy: Checkpoint | None = None, recipe: Recipe = RECIPE
) -> tuple[list[np.ndarray], list[Progress]]:
    """Returns all variables of the model in the end, and the history."""
    keras.utils.set_random_seed(9)
    model, history = fit.fit(
        lambda: classifier.build(Backbone(name="compact_cnn").build(IMAGE), CLASSES, dropout=recipe.dropout, seed=9),
        lambda step, context: input_pipeline.training_batches(
            open_draws(patterns), IMAGE, recipe, seed=9, start_step=step
        ),
        recipe,
        tf.distribute.get_strategy(),
        checkpoints=checkpoints.Checkpoints(folder, policy),
        example_ids=lambda step: input_pipeline.example_ids(open_draws(patterns), recipe, seed=9, step=step),
    )
    return [variable.numpy() for variable in model.variables], history


@pytest.fixture(scope="module")
def patterns(write_split, tmp_path_factory) -> list[str]:
    numbers = np.random.default_rng(3)
    # A pass ends inside of a batch.
    images = [tf.io.encode_png(numbers.integers(0, 256, (16, 16, 1), np.uint8)).numpy() for _ in range(37)]
    labels = numbers.integers(0, CLASSES, 37).tolist()
    return [write_split(str(tmp_path_factory.mktemp("examples")), images, labels, shards=3)]


@pytest.fixture(scope="module")
def uninterrupted(patterns) -> list[np.ndarray]:
    return train(patterns)[0]


def assert_same(left: list[np.ndarray], right: list[np.ndarray]) -> None:
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        np.testing.assert_array_equal(a, b)


def steps_in(folder: pathlib.Path) -> list[int]:
    return sorted(int(path.stem.removeprefix("ckpt-")) for path in folder.glob("ckpt-*.index"))


def preempt_after(step: int):
    """Returns a listener that sends SIGTERM once at least `step` steps are done, and the list of the steps it heard."""
    heard = []

    def listen(progress: Progress) -> None:
        heard.append(progress.step)
        if progress.step >= step:
            os.kill(os.getpid(), signal.SIGTERM)

    return progress.listen(listen), heard


@pytest.mark.parametrize("kills", [1, pytest.param(4, marks=pytest.mark.slow)])
def test_a_killed_training_ends_with_the_weights_of_one_that_was_not(patterns, uninterrupted, tmp_path, kills):
    for kill in range(kills):
        folder = tmp_path / str(kill)
        start_and_kill(patterns[0], folder, seed=kill)
        resumed, history = train(patterns, str(folder))
        assert_same(resumed, uninterrupted)
        steps = [entry.step for entry in history]
        assert steps == sorted(set(steps)) and steps[-1] == RECIPE.steps


def start_and_kill(pattern: str, folder: pathlib.Path, seed: int) -> None:
    """Ends a training that saves every fourth step by SIGKILL, up to two seconds after its first checkpoint."""
    command = [sys.executable, __file__, pattern, str(folder)]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}) as process:
        while not steps_in(folder):
            assert process.poll() is None
            time.sleep(0.01)
        # The 60 checkpoints take about as long as the steps: some kills hit one.
        time.sleep(2 * random.Random(seed).random())
        process.kill()


def test_sigterm_loses_no_step_and_the_weights_end_the_same(patterns, uninterrupted, tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    heard: list[int] = []
    for step in (1, 60):  # twice: before the first chunk has grown, and in a training that has gone on already
        listening, steps = preempt_after(step)
        with pytest.raises(interruption.Interrupted) as caught, listening:
            train(patterns, str(tmp_path))
        assert caught.value.code == 143
        assert f"after step {steps[-1]} of {RECIPE.steps}" in str(caught.value)
        assert steps_in(tmp_path)[-1] == steps[-1]
        assert not heard or steps[0] > heard[-1]
        heard += steps
        assert signal.getsignal(signal.SIGTERM) is before
    resumed, history = train(patterns, str(tmp_path))
    assert_same(resumed, uninterrupted)
    assert [entry.step for entry in history][: len(heard)] == heard


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "sgdw", "weight_decay": 0.01},
        {"optimizer": "adamw", "weight_decay": 0.01, "loss": "focal"},
        {"optimizer": "lamb", "weight_decay": 0.01},
    ],
    ids=lambda changes: changes["optimizer"],
)
def test_every_optimizer_goes_on_where_it_was(patterns, tmp_path, changes):
    recipe = RECIPE.model_copy(update={"steps": 12, "l2": 0.0, **changes})
    listening, _ = preempt_after(5)
    with pytest.raises(interruption.Interrupted), listening:
        train(patterns, str(tmp_path), recipe=recipe)
    resumed, _ = train(patterns, str(tmp_path), recipe=recipe)
    assert_same(resumed, train(patterns, recipe=recipe)[0])


def test_a_preempted_training_without_a_folder_ends_all_the_same(patterns):
    listening, _ = preempt_after(1)
    with pytest.raises(interruption.Interrupted), listening:
        train(patterns)


def test_the_last_step_is_saved_whatever_the_interval_and_is_not_done_again(patterns, tmp_path):
    recipe = RECIPE.model_copy(update={"steps": 3})
    weights, history = train(patterns, str(tmp_path), Checkpoint(minutes=10), recipe)
    assert steps_in(tmp_path) == [3]
    # Evaluation or export failed: they are all that is left to do.
    again, same = train(["no such file"], str(tmp_path), Checkpoint(minutes=10), recipe)
    assert_same(again, weights)
    assert same == history


def test_processes_that_find_different_checkpoints_do_not_train(patterns, tmp_path, monkeypatch):
    class Elsewhere(distribution.Workers):
        def mean(self, values):
            return super().mean(values) + 0.5  # another one says one more

    monkeypatch.setattr(fit, "Workers", Elsewhere)
    with pytest.raises(
        RuntimeError, match=r"would resume after step 0, another one after a different step; .* same folder"
    ):
        train(patterns, str(tmp_path))


def test_a_loss_that_is_not_finite_leaves_the_last_good_checkpoint(patterns, tmp_path):
    recipe = RECIPE.model_copy(update={"steps": 40, "learning_rate": 1e36, "warmup": 0.5, "clip_norm": None})
    with pytest.raises(FloatingPointError) as caught:
        train(patterns, str(tmp_path), Checkpoint(steps=1, keep=1), recipe)
    line, last_good, batch = str(caught.value).splitlines()
    (kept,) = steps_in(tmp_path)
    assert last_good == f"The last good checkpoint is {tmp_path / f'ckpt-{kept}'}"
    assert line.startswith(("the loss became", "a weight is not finite"))
    assert f"at step {kept + 1}, at a learning rate of {1e36 * kept / 20:.4g}, on the examples train-" in line
    assert line.endswith("and 3 more; lower learning_rate, lengthen warmup or set clip_norm")
    assert batch.count("train-") == recipe.batch_size
    reader = tf.train.load_checkpoint(str(tmp_path / f"ckpt-{kept}"))
    for name in reader.get_variable_to_shape_map():
        if name.startswith("model/") and reader.get_tensor(name).dtype.kind == "f":
            assert np.isfinite(reader.get_tensor(name)).all(), name


class Small:
    """A model of three numbers, and its checkpoints in `folder`."""

    def __init__(self, folder: pathlib.Path, *, is_chief: bool = True, **policy):
        inputs = keras.Input((3,))
        self.model = keras.Model(inputs, keras.layers.Dense(1, use_bias=False)(inputs))
        self.counter = tf.Variable(0)
        self.history: list[Progress] = []
        self.checkpoints = checkpoints.Checkpoints(str(folder), Checkpoint(**policy))
        variables = {"model": [variable.value for variable in self.model.variables], "step": [self.counter]}
        self.restored = self.checkpoints.restore(variables, self.history, is_chief=is_chief)

    def save(self, step: int) -> bool:
        self.model.set_weights([np.full((3, 1), step)])
        self.counter.assign(step)
        self.history.append(Progress(step, 9, 0.5, 100.0, 0.1, 0.75, 3.5, 0.0))
        return self.checkpoints.save(step)

    @property
    def step(self) -> int:
        return int(self.counter)

    @property
    def weight(self) -> float:
        return float(self.model.get_weights()[0][0, 0])


def test_as_many_are_kept_as_asked_for_across_restarts_too(tmp_path):
    first = Small(tmp_path, keep=2)
    for step in (2, 4, 6):
        assert first.save(step)
    assert steps_in(tmp_path) == [4, 6]
    second = Small(tmp_path, keep=2)
    assert (second.step, second.weight, second.history) == (6, 6, first.history)
    second.save(8)
    assert steps_in(tmp_path) == [6, 8]


def test_one_that_was_not_written_to_its_end_is_ignored(tmp_path):
    Small(tmp_path).save(2)
    (tmp_path / "ckpt-4.data-00000-of-00001").write_bytes(b"half")
    (tmp_path / "ckpt-4_temp").mkdir()
    assert (Small(tmp_path).step, Small(tmp_path).weight) == (2, 2)
    again = Small(tmp_path)
    again.save(4)
    assert (Small(tmp_path).step, Small(tmp_path).weight) == (4, 4)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "missing"])
def test_one_that_cannot_be_read_gives_way_to_the_one_before(tmp_path, damage):
    small = Small(tmp_path)
    small.save(2)
    small.save(4)

    def spoil(step: int) -> None:
        path = tmp_path / f"ckpt-{step}.data-00000-of-00001"
        content = path.read_bytes()
        if damage == "missing":
            path.unlink()
        else:
            path.write_bytes(b"" if damage == "truncated" else bytes(255 - byte for byte in content))

    spoil(4)
    again = Small(tmp_path)
    assert (again.step, again.weight) == (2, 2)
    spoil(2)
    with pytest.raises(RuntimeError, match=r"none in .* can be read; delete that folder"):
        Small(tmp_path)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_not_saved(tmp_path, bad):
    small = Small(tmp_path)
    small.save(2)
    small.model.set_weights([np.array([[1.0], [bad], [1.0]])])
    assert not small.checkpoints.save(3)
    assert steps_in(tmp_path) == [2]


def test_when_it_is_time(tmp_path, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now)
    by_time, by_step, never = (
        Small(tmp_path / name, **policy)
        for name, policy in (
            ("time", {"minutes": 2}),
            ("step", {"minutes": None, "steps": 5}),
            ("never", {"minutes": None}),
        )
    )
    assert [by_step.checkpoints.due(step) for step in (4, 5, 6, 10)] == [False, True, False, True]
    assert [by_step.checkpoints.steps_to_next(step) for step in (0, 4, 5, 6)] == [5, 1, 5, 4]
    assert not by_time.checkpoints.due(5)
    now += 120
    assert by_time.checkpoints.due(5)
    by_time.save(5)
    assert not by_time.checkpoints.due(5)
    now += 1e9
    assert not never.checkpoints.due(5)


def test_delete(tmp_path):
    small = Small(tmp_path / "node" / "hash")
    small.save(1)
    small.checkpoints.delete()
    small.checkpoints.delete()
    assert os.listdir(tmp_path / "node") == []
    assert not Small(tmp_path / "node" / "hash").restored


def test_another_worker_than_the_chief_reads_its_checkpoints_and_writes_none(tmp_path):
    Small(tmp_path).save(2)
    worker = Small(tmp_path, is_chief=False)
    assert (worker.restored, worker.step, worker.weight) == (True, 2, 2)
    assert worker.save(4)
    assert steps_in(tmp_path) == [2]


def test_the_policy_is_read_from_where_it_was_written(tmp_path):
    assert checkpoints.read_policy(str(tmp_path)) == Checkpoint()
    for policy in (Checkpoint(minutes=0.5, steps=7, keep=1), Checkpoint(minutes=None)):
        checkpoints.write_policy(str(tmp_path), policy)
        assert checkpoints.read_policy(str(tmp_path)) == policy


def test_the_folder_is_that_of_what_decides_the_training():
    folder = checkpoints.folder("/checkpoints/node", seed=1, inputs={"a": ["x"], "b": []})
    assert os.path.dirname(folder) == "/checkpoints/node"
    assert folder == checkpoints.folder("/checkpoints/node", inputs={"b": [], "a": ["x"]}, seed=1)
    others = [checkpoints.folder("/checkpoints/node", seed=2, inputs={"a": ["x"], "b": []})]
    others.append(checkpoints.folder("/checkpoints/node", seed=1, inputs={"a": ["y"], "b": []}))
    assert len({folder, *others}) == 3


if __name__ == "__main__":
    train([sys.argv[1]], sys.argv[2], Checkpoint(steps=4))
