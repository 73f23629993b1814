"""The speed of the Predictor, compared with `keras.Model.predict` on decoded arrays and with TFX's BulkInferrer.

  python -m benchmarks.predictor

Inception-v3 with 1,000 classes at 299×299, on JPEGs cut from scikit-learn's sample photographs. All run in one process,
in turns. The Predictor and Keras use the same batch size; BulkInferrer chooses its own. The Predictor and BulkInferrer
read the same Examples, load the same SavedModel and write their results in Beam's in-memory runner, and this is timed
too. The start-up is a run of the Predictor that predicts one batch: Beam, the model's loading, its first call. Without
it, the other images tell the steady rate. A ratio above 1 means that the Predictor is faster.
"""

import argparse
import functools
import os
import statistics
import tempfile
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from tfx.components.bulk_inferrer import executor as bulk_inferrer
from tfx.proto import bulk_inferrer_pb2
from tfx.types import standard_artifacts
from tfx.utils import json_utils, proto_utils

from benchmarks import data, executors
from benchmarks.turns import in_turns, timed
from components.artifacts.types import ExampleIndex, Predictions
from components.example_gen import testing
from components.predictor import executor as predictor
from trainer import serving
from trainer.data.images import decode
from trainer.models import classifier
from trainer.models.backbone import Backbone, ImageConfig


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark with the arguments of a command line, by default this process's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--backbone", default="inception_v3")
    parser.add_argument("--size", type=int, default=299, help="side of the network's input, in pixels; at most 300")
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3, help="number of turns; the median is printed")
    args = parser.parse_args(arguments)
    if args.images <= args.batch_size:
        parser.error("--images: more than --batch-size, since the first batch is the start-up")
    image = ImageConfig(size=args.size, channels=3)
    jpegs = list(data.cut_jpegs(args.images, (args.size, round(1.4 * args.size))))
    model = classifier.build(Backbone(name=args.backbone).build(image), args.classes)
    decoded = np.stack([decode(tf.constant(jpeg), image).numpy() for jpeg in jpegs])
    with tempfile.TemporaryDirectory() as folder:
        inputs = write_inputs(folder, jpegs, args.shards, model, image)
        tasks = {
            "keras.Model.predict": lambda: model.predict(decoded, batch_size=args.batch_size, verbose=0),
            "Predictor": lambda: predict(folder, inputs, args.batch_size),
            "start-up": lambda: predict(folder, inputs, args.batch_size, args.batch_size),
            "BulkInferrer": lambda: _bulk_infer(folder, inputs),
        }
        times = in_turns({name: functools.partial(timed, task) for name, task in tasks.items()}, args.repeats)
    seconds = {name: statistics.median(wall for wall, _ in found) for name, found in times.items()}
    start_up = seconds.pop("start-up")
    rates = {name: args.images / taken for name, taken in seconds.items()}
    steady = (args.images - args.batch_size) / (seconds["Predictor"] - start_up)
    print(f"{args.images} JPEGs of {sum(map(len, jpegs)) / len(jpegs) / 1000:.0f} kB, batches of {args.batch_size}")
    for name, rate in rates.items():
        print(f"{name:<22}{rate:7.2f} images/s   Predictor / {name}: {rates['Predictor'] / rate:.3f}")
    reference = rates["keras.Model.predict"]
    print(f"{'Predictor, start-up':<22}{start_up:7.2f} s")
    print(f"{'Predictor, steady':<22}{steady:7.2f} images/s   steady / keras.Model.predict: {steady / reference:.3f}")


def write_inputs(
    folder: str, jpegs: list[bytes], shards: int, model: keras.Model, image: ImageConfig
) -> dict[str, list]:
    """Writes the Examples and the model that `predict` reads, and returns its inputs."""
    items = [testing.make_record(jpeg, (0,), str(i), split="train", names=("x",)) for i, jpeg in enumerate(jpegs)]
    data.write_examples(folder, items, shards)
    names = tuple(f"class {i}" for i in range(model.output["logits"].shape[-1]))
    serving.ServingModule(model, image, names).export(
        saved_model=os.path.join(folder, "model", "Format-Serving"),
        keras_file=os.path.join(folder, "model", serving.KERAS_FILE),
    )
    inputs = {
        "examples": executors.artifact(standard_artifacts.Examples, os.path.join(folder, "examples"), "train"),
        "index": executors.artifact(ExampleIndex, os.path.join(folder, "index")),
        "model": executors.artifact(standard_artifacts.Model, os.path.join(folder, "model")),
    }
    inputs["examples"][0].set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")
    return inputs


def predict(folder: str, inputs: dict[str, list], batch_size: int, most: int = 0, beam: Sequence[str] = ()) -> None:
    """Runs the Predictor; `most` limits the images, 0 does not, and `beam` is as `executors.context` has it."""
    predictor.Executor(executors.context(folder, beam)).Do(
        inputs,
        {"predictions": executors.artifact(Predictions, os.path.join(folder, "predictions"))},
        {"splits": json_utils.dumps(["train"]), "batch_size": batch_size, "max_examples": most},
    )


def _bulk_infer(folder: str, inputs: dict[str, list]) -> None:
    result = executors.artifact(standard_artifacts.InferenceResult, os.path.join(folder, "inference"))
    # RunInference chooses its batches itself, up to Beam's own limit of 100 elements; there is no setting for it.
    bulk_inferrer.Executor(executors.context(folder)).Do(
        {key: inputs[key] for key in ("examples", "model")},
        {"inference_result": result},
        {
            "model_spec": proto_utils.proto_to_json(
                bulk_inferrer_pb2.ModelSpec(tag=["serve"], model_signature_name=["serving_default"])
            ),
            "data_spec": proto_utils.proto_to_json(bulk_inferrer_pb2.DataSpec(example_splits=["train"])),
        },
    )


if __name__ == "__main__":
    main()
