"""Several devices, and several processes, train what one device trains, and write one model.

As a script, this file is one of those processes.
"""

import csv
import functools
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from components import storage
from components.artifacts import vocabulary
from trainer import run
from trainer.fn_args import FnArgs
from trainer.loop import progress, variables
from trainer.loop.checkpoints import Checkpoints
from trainer.loop.history import Progress
from trainer.models import classifier, compact_cnn
from trainer.models.backbone import ImageConfig
from trainer.recipes import Checkpoint
from trainer.results import HISTORY_FILE, METRICS_FILE

STEPS = 12
RECIPE = {
    "steps": STEPS,
    "batch_size": 12,
    "learning_rate": 0.1,
    "nesterov": True,
    "l2": 1e-3,
    "clip_norm": 1.0,
    "label_smoothing": 0.1,
    "ema": 0.9,
    "shift": 2,
    "flip": True,
    "evaluate": {"every_steps": 4},
}
IMAGE = {"size": 16, "channels": 1}
# The same sums, in another order: the last digits of float32 differ, and twelve steps make a little more of it.
TOLERANCE = {"rtol": 1e-3, "atol": 2e-5}


def make_model(settings: run.TrainingSettings, names: tuple[str, ...], *, normalised: bool) -> keras.Model:
    if normalised:
        return classifier.build(compact_cnn.build(ImageConfig(**IMAGE)), len(names))
    images = keras.Input((16, 16, 1))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(images)
    x = keras.layers.Conv2D(8, 3, 2, activation="relu", name="conv")(x)
    return classifier.build(keras.Model(images, keras.layers.Flatten()(x), name="backbone"), len(names))


def train(
    examples: str,
    results: str,
    *,
    devices: int,
    normalised: bool,
    compute: dict,
    recipe: dict | None = None,
    preempt_at: int = STEPS,
    refused: dict[str, dict] | None = None,
) -> None:
    """A run_fn, and what it takes to give it several devices, or to take its machine away.

    `refused`: message → changes to the recipe and to the hardware with which the training has to be refused first.
    """
    if devices > 1:
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * devices)
    for number, (message, changes) in enumerate((refused or {}).items()):
        refused_args = make_args(
            examples,
            pathlib.Path(results, "refused", str(number)),
            recipe=changes.get("recipe", {}),
            compute={**compute, **changes.get("compute", {})},
        )
        with pytest.raises(ValueError, match=message):
            run.train_and_export(refused_args, lambda *args: make_model(*args, normalised=normalised))

    def preempt(entry: Progress) -> None:
        if preempt_at <= entry.step < STEPS:
            os.kill(os.getpid(), signal.SIGTERM)

    fn_args = make_args(examples, pathlib.Path(results), recipe=recipe or {}, compute=compute)
    with progress.listen(preempt):
        run.train_and_export(fn_args, lambda *args: make_model(*args, normalised=normalised))


def make_args(examples: str, root: pathlib.Path, *, recipe: dict, compute: dict) -> FnArgs:
    return FnArgs(
        # With some seeds a value so near to 0 comes before a ReLU that its sign is a matter of rounding.
        custom_config={"recipe": {**RECIPE, **recipe}, "image": IMAGE, "seed": 5, "compute": compute},
        vocabulary_path=examples,
        split_patterns={split: [f"{examples}/Split-{split}/*"] for split in ("train", "eval")},
        index_pattern=None,
        plan_pattern=None,
        model_dir=str(root / "model"),
        serving_model_dir=str(root / "model" / "Format-Serving"),
        model_run_dir=str(root / "model_run"),
        base_model_dir=None,
        checkpoints=Checkpoints(str(root / "checkpoints"), Checkpoint(steps=5, minutes=None)),
    )


@pytest.fixture(scope="module")
def examples(write_split, tmp_path_factory) -> str:
    """Splits of 37 and 5 images of three labels, in 3 shards."""
    uri = tmp_path_factory.mktemp("examples")
    random = np.random.default_rng(3)
    for split, count in (("train", 37), ("eval", 5)):
        images = [tf.io.encode_png(random.integers(0, 256, (16, 16, 1), np.uint8)).numpy() for _ in range(count)]
        write_split(
            str(uri), images, random.integers(0, 3, count).tolist(), split=split, shards=3, names=("a", "b", "c")
        )
    storage.write_text(str(uri / vocabulary.FILE_NAME), vocabulary.dumps(vocabulary.make_vocabulary("abc")))
    return str(uri)


def start(examples: str, results: pathlib.Path, environment: dict[str, str] | None = None, **options):
    return subprocess.Popen(
        [sys.executable, __file__, json.dumps({"examples": examples, "results": str(results), **options})],
        env={"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **(environment or {})},
        stderr=subprocess.PIPE,
        text=True,
    )


def start_workers(
    examples: str, results: pathlib.Path, *, worker: dict | None = None, **options
) -> list[subprocess.Popen]:
    """Starts two processes on loopback, which learn from `TF_CONFIG` of each other."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("localhost", 0))
        other.bind(("localhost", 0))
        addresses = [f"localhost:{bound.getsockname()[1]}" for bound in (one, other)]
    cluster = {"chief": addresses[:1], "worker": addresses[1:]}
    return [
        start(
            examples,
            results,
            {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": kind, "index": 0}, "environment": "cloud"})},
            devices=1,
            **options,
            **more,
        )
        for kind, more in (("chief", {}), ("worker", worker or {}))
    ]


def finish(process: subprocess.Popen, code: int = 0) -> str:
    """Waits for a process, and returns what it said."""
    _, said = process.communicate(timeout=240)
    assert process.returncode == code, said
    return said


def weights(results: pathlib.Path) -> list[np.ndarray]:
    model = keras.saving.load_model(results / "model" / "Format-Keras" / "model.keras", compile=False)
    return [variable.numpy() for variable in model.variables if tf.as_dtype(variable.dtype).is_floating]


@pytest.fixture(scope="module")
def on_one_device(examples, tmp_path_factory) -> Callable[[bool], pathlib.Path]:
    """Returns the results of a training on one device, with normalisation or without it."""

    @functools.cache
    def train_once(normalised: bool) -> pathlib.Path:
        results = tmp_path_factory.mktemp("one")
        train(examples, str(results), devices=1, normalised=normalised, compute={"distribution": "cpu"})
        return results

    return train_once


def evaluations(results: pathlib.Path) -> dict[int, list[float]]:
    """Returns loss and accuracy of the eval split by step."""
    with open(results / "model_run" / HISTORY_FILE, newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["eval_loss"]]
    return {int(row["step"]): [float(row["eval_loss"]), float(row["eval_accuracy"])] for row in rows}


def assert_one_model(results: pathlib.Path, reference: pathlib.Path) -> None:
    """The same weights, metrics and history, written once."""
    for ours, theirs in zip(weights(results), weights(reference), strict=True):
        np.testing.assert_allclose(ours, theirs, **TOLERANCE)
    metrics = [json.loads((folder / "model_run" / METRICS_FILE).read_text()) for folder in (results, reference)]
    assert metrics[0]["eval"]["examples"] == 5  # each is evaluated once, and none is left out
    assert metrics[0]["eval"] == pytest.approx(metrics[1]["eval"], rel=1e-3)
    found, expected = evaluations(results), evaluations(reference)
    assert list(found) == list(expected) == [4, 8, STEPS]
    for step, values in found.items():
        assert values == pytest.approx(expected[step], rel=1e-3)
    assert len(list((results / "model_run").glob("events.*"))) == 1
    assert not list((results / "checkpoints").glob("*"))
    for folder in (results, reference):
        assert (folder / "model_run" / HISTORY_FILE).read_text().splitlines()[-1].startswith(f"{STEPS},{STEPS},")


# What a network without normalisation shows, one with it shows, too; where that fails, the plain one tells why.
both_networks = pytest.mark.parametrize(
    "normalised",
    [pytest.param(False, marks=pytest.mark.slow, id="plain"), pytest.param(True, id="synchronised normalisation")],
)


@both_networks
def test_two_devices_of_one_process(examples, on_one_device, tmp_path, normalised):
    compute = {"distribution": "mirrored", "synchronized_batch_norm": normalised}
    refused = {
        "batch_size: 9 is not a multiple of the 2 replicas": {"recipe": {"batch_size": 9}},
        "compute.xla: XLA cannot synchronise replicas": {"compute": {"xla": True, "synchronized_batch_norm": True}},
    }
    finish(start(examples, tmp_path, devices=2, normalised=normalised, compute=compute, refused=refused))
    assert_one_model(tmp_path, on_one_device(normalised))


@pytest.mark.slow
def test_the_weights_did_change_and_normalisation_has_to_be_synchronised(examples, on_one_device, tmp_path):
    finish(start(examples, tmp_path, devices=2, normalised=True, compute={"distribution": "mirrored"}))
    differences = [np.abs(a - b).max() for a, b in zip(weights(tmp_path), weights(on_one_device(True)), strict=True)]
    assert max(differences) > 100 * TOLERANCE["atol"]


@pytest.mark.slow
def test_frozen_statistics_need_not_be_synchronised(examples, tmp_path):
    frozen = {"normalised": True, "recipe": {"batch_norm": "frozen", "layer_decay": 0.5}}
    train(examples, str(tmp_path / "one"), devices=1, compute={"distribution": "cpu"}, **frozen)
    finish(start(examples, tmp_path / "two", devices=2, compute={"distribution": "mirrored"}, **frozen))
    assert_one_model(tmp_path / "two", tmp_path / "one")
    model = keras.saving.load_model(tmp_path / "two" / "model" / "Format-Keras" / "model.keras", compile=False)
    statistics = variables.statistics(model)
    assert len(statistics) == 2 * 6
    for statistic in statistics:  # as they were when the network was made
        np.testing.assert_array_equal(statistic, float(statistic.path.endswith("variance")))


@pytest.mark.slow
def test_two_devices_by_xla(examples, on_one_device, tmp_path):
    finish(start(examples, tmp_path, devices=2, normalised=False, compute={"distribution": "mirrored", "xla": True}))
    assert_one_model(tmp_path, on_one_device(False))


@both_networks
def test_two_processes(examples, on_one_device, tmp_path, normalised):
    # `auto` finds out by itself.
    for process in start_workers(
        examples, tmp_path, normalised=normalised, compute={"synchronized_batch_norm": normalised}
    ):
        finish(process)
    assert_one_model(tmp_path, on_one_device(normalised))


@pytest.mark.slow
def test_two_processes_may_normalise_each_for_itself(examples, on_one_device, tmp_path):
    for process in start_workers(examples, tmp_path, normalised=True, compute={}):
        finish(process)
    differences = [np.abs(a - b).max() for a, b in zip(weights(tmp_path), weights(on_one_device(True)), strict=True)]
    assert 100 * TOLERANCE["atol"] < max(differences) < 2


@pytest.mark.slow
def test_one_of_two_processes_is_preempted_both_stop_and_go_on(examples, on_one_device, tmp_path):
    options = {"normalised": True, "compute": {"synchronized_batch_norm": True}}
    for process in start_workers(examples, tmp_path, worker={"preempt_at": 6}, **options):
        finish(process, code=143)
    assert not (tmp_path / "model").exists()
    steps = sorted(int(path.stem.removeprefix("ckpt-")) for path in (tmp_path / "checkpoints").glob("*.index"))
    assert len(steps) == 2 and steps[0] == 5 and 6 <= steps[1] < STEPS  # every five, and the preemption
    for process in start_workers(examples, tmp_path, **options):
        finish(process)
    for file in (tmp_path / "model_run").glob("events.*"):  # of the first attempt or the second
        file.unlink()
    (tmp_path / "model_run" / "events.one").touch()
    assert_one_model(tmp_path, on_one_device(True))


if __name__ == "__main__":
    train(**json.loads(sys.argv[1]))
