"""What a whole run takes beside its compute: the demo, from the start of the process to its end.

  python -m benchmarks.run
  python -m benchmarks.run --set classifier.steps=30 --set pretrain.steps=20
  python -m benchmarks.run compare --arms all --seeds 5

The second word is the command, and what follows besides --set is for it. It runs in a process of its own, in a new
workspace, with no data set prepared. Its compute is what no pipeline could leave out: drawing the images of the
embedded data sets, all steps of the trainings but the first of each, and the calls of the network for predictions and
evaluations. The steps' times are those in the histories. Drawing, and the rate at which the network is called, are
measured afterwards in this process. A ratio of 1 means that nothing else takes time.
"""

import argparse
import csv
import io
import itertools
import json
import os
import pathlib
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
from trainer import results

_DEMO = "pipeline/configs/demo.yaml"
_BATCH_SIZE = 128
_CALLS = 40


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark with the arguments of a command line, by default this process's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs="?", choices=("run", "compare"), default="run")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as `specialist run` takes it")
    parser.add_argument("--workspace", metavar="FOLDER", help="a new folder, which is kept; by default none is")
    args, others = parser.parse_known_args(arguments)
    if args.workspace and os.path.exists(args.workspace):
        parser.error(f"--workspace: {args.workspace} exists; what is reused would not be measured")
    with tempfile.TemporaryDirectory() as folder:
        settings = [*others, *(text for override in args.set for text in ("--set", override))]
        workspace = pathlib.Path(args.workspace or f"{folder}/workspace")
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "pipeline.cli", args.command, _DEMO, "--workspace", str(workspace), *settings],
            env={**os.environ, "TFDS_DATA_DIR": f"{folder}/data"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        wall = time.perf_counter() - start
        config = load(_DEMO, args.set)
        recipes = {ids.SPECIALIST: config.pretrain, ids.FINETUNE: config.finetune}
        if config.trained_classifier is not None:
            recipes[ids.CLASSIFIER_KIND] = config.trained_classifier
        # The workspace was new: all that is there is of this run.
        runs = [(path.parts[-3], str(path)) for path in workspace.glob("artifacts/*/model_run/*")]
        steps = (_step_seconds(uri, recipes[ids.kind_of(name)].batch_size) for name, uri in runs)
        compute = {
            "drawing": _time_drawing(f"{folder}/drawn"),
            "training steps": sum(steps),
            "calls of the network": _count_images(workspace, [uri for _, uri in runs]) / _measure_rate(workspace),
        }
    for name, seconds in compute.items():
        print(f"{name:<22}{seconds:7.1f} s")
    total = sum(compute.values())
    print(f"{'all of the compute':<22}{total:7.1f} s")
    print(f"{'the run':<22}{wall:7.1f} s   run / compute: {wall / total:.2f}")


def _step_seconds(model_run: str, batch_size: int) -> float:
    """Returns the seconds that the steps of a training took without waiting for input, the first one left out."""
    history = csv.DictReader(io.StringIO(storage.read_text(os.path.join(model_run, results.HISTORY_FILE))))
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


def _count_images(workspace: pathlib.Path, model_runs: Iterable[str]) -> int:
    """Returns how many images the networks were called on: by Predictors, and to evaluate after each training."""
    count = 0
    for uri in model_runs:
        metrics = json.loads(storage.read_text(os.path.join(uri, results.METRICS_FILE)))
        count += sum(split["examples"] for split in metrics.values())
    for uri in map(str, workspace.glob("artifacts/*/predictions/*")):
        for split in storage.list_splits(uri):
            paths = storage.list_files(os.path.join(uri, f"Split-{split}"), "*.parquet")
            count += len(storage.read_table(paths, ["source_id"]))
    return count


def _measure_rate(workspace: pathlib.Path) -> float:
    """Returns how many images a second a classifier is called on."""
    models = workspace.glob("artifacts/*/model/*")
    model = next(model for model in models if ids.kind_of(model.parts[-3]) == ids.CLASSIFIER_KIND)
    loaded = tf.saved_model.load(path_utils.serving_model_path(str(model)))
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
