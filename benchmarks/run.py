"""What a whole run takes beside its compute: the demo, from the start of the process to its end.

  python -m benchmarks.run
  python -m benchmarks.run --set classifier.steps=30 --set pretrain.steps=20

The run is a process of its own, in a new workspace, with no data set prepared. Its compute is what no pipeline could
leave out: drawing the images of the embedded data sets, all steps of the trainings but the first of each, and the calls
of the network for predictions and evaluations. The steps' times are those in the histories. Drawing, and the rate at
which the network is called, are measured afterwards in this process. A ratio of 1 means that nothing else takes time.
"""

import argparse
import csv
import io
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf
from tfx.utils import path_utils

from components import storage
from components.example_gen.readers import tfds_builders
from pipeline.config.load import load
from pipeline.nodes import ids
from pipeline.results import record
from trainer import run as training

_DEMO = "pipeline/configs/demo.yaml"
_BATCH_SIZE = 128
_CALLS = 40


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark with the arguments of a command line, by default this process's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as `specialist run` takes it")
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        settings = [text for override in args.set for text in ("--set", override)]
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "pipeline.cli", "run", _DEMO, "--workspace", f"{folder}/workspace", *settings],
            env={**os.environ, "TFDS_DATA_DIR": f"{folder}/data"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        wall = time.perf_counter() - start
        found, _ = record.read_newest(f"{folder}/workspace", lambda newest: newest)
        config = load(_DEMO, args.set)
        recipes = {ids.SPECIALIST: config.pretrain, ids.FINETUNE: config.finetune}
        runs = {name: node.outputs["model_run"][0] for name, node in found.nodes.items() if "model_run" in node.outputs}
        steps = (
            _step_seconds(uri, recipes.get(ids.kind_of(name), config.classifier).batch_size)
            for name, uri in runs.items()
        )
        compute = {
            "drawing": _time_drawing(f"{folder}/drawn"),
            "training steps": sum(steps),
            "calls of the network": _count_images(found, runs.values()) / _measure_rate(found),
        }
    for name, seconds in compute.items():
        print(f"{name:<22}{seconds:7.1f} s")
    total = sum(compute.values())
    print(f"{'all of the compute':<22}{total:7.1f} s")
    print(f"{'the run':<22}{wall:7.1f} s   run / compute: {wall / total:.2f}")


def _step_seconds(model_run: str, batch_size: int) -> float:
    """Returns the seconds that the steps of a training took without waiting for input, the first one left out."""
    history = csv.DictReader(io.StringIO(storage.read_text(os.path.join(model_run, training.HISTORY_FILE))))
    # What the steps did not wait for their input, per image.
    entries = [
        (int(entry["step"]), (1 - float(entry["input_wait"])) / float(entry["images_per_second"])) for entry in history
    ]
    return sum((step - before) * batch_size * each for (before, _), (step, each) in itertools.pairwise(entries))


def _time_drawing(folder: str) -> float:
    """Returns the seconds in which the embedded data sets are made."""
    start = time.perf_counter()
    for name in tfds_builders.EMBEDDED:
        tfds_builders.prepare_embedded(name, folder)
    return time.perf_counter() - start


def _count_images(found: record.Record, model_runs: Iterable[str]) -> int:
    """Returns how many images the networks were called on: by Predictors, and to evaluate after each training."""
    count = 0
    for uri in model_runs:
        metrics = json.loads(storage.read_text(os.path.join(uri, training.METRICS_FILE)))
        count += sum(split["examples"] for split in metrics.values())
    for node in found.nodes.values():
        for uri in node.outputs.get("predictions", ()):
            for split in storage.list_splits(uri):
                paths = storage.list_files(os.path.join(uri, f"Split-{split}"), "*.parquet")
                count += len(storage.read_table(paths, ["source_id"]))
    return count


def _measure_rate(found: record.Record) -> float:
    """Returns how many images a second the classifier is called on."""
    loaded = tf.saved_model.load(path_utils.serving_model_path(found.uri(ids.CLASSIFIER, "model")))
    call = loaded.signatures["features"]
    shape = call.structured_input_signature[1]["pixels"].shape[1:]
    pixels = tf.constant(np.random.default_rng(0).integers(0, 256, (_BATCH_SIZE, *shape), np.uint8))
    call(pixels=pixels)
    start = time.perf_counter()
    for _ in range(_CALLS):
        call(pixels=pixels)["logits"].numpy()
    return _CALLS * _BATCH_SIZE / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
