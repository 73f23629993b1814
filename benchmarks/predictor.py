"""How fast the Predictor is, next to `keras.Model.predict` on decoded arrays and to TFX's BulkInferrer.

  python -m benchmarks.predictor

Inception-v3 with 1,000 classes at 299×299, on JPEGs cut from scikit-learn's sample photographs. All three run in one
process, in turns, with the same batch size; the Predictor and BulkInferrer from the same Examples in Beam's in-memory
runner, files and logits included. A ratio above 1 means that the Predictor is faster.
"""

import argparse
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable

import keras
import numpy as np
import PIL.Image
import sklearn.datasets
import tensorflow as tf
from tfx.components.bulk_inferrer import executor as bulk_inferrer
from tfx.dsl.components.base import base_beam_executor
from tfx.proto import bulk_inferrer_pb2
from tfx.types import standard_artifacts
from tfx.utils import json_utils, proto_utils

from components import storage
from components.artifacts import index
from components.artifacts.types import ExampleIndex, Predictions
from components.example_gen import testing
from components.predictor import executor as predictor
from trainer import serving
from trainer.data.images import decode
from trainer.models import classifier
from trainer.models.backbone import Backbone, Image

_BEAM = [
    "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner",
    "--direct_running_mode=in_memory",
    "--direct_num_workers=1",
    "--sdk_container_image=unused",  # or else TFX packs itself for remote workers
]
_IMAGE = Image(size=299, channels=3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3, help="turns, of which the median is given")
    args = parser.parse_args()
    jpegs = _jpegs(args.images)
    model = classifier.build(Backbone(name="inception_v3").build(_IMAGE), 1000)
    decoded = np.stack([decode(tf.constant(jpeg), _IMAGE).numpy() for jpeg in jpegs])
    with tempfile.TemporaryDirectory() as folder:
        inputs = _write(folder, jpegs, args.shards, model)
        tasks = {
            "keras.Model.predict": lambda: model.predict(decoded, batch_size=args.batch_size, verbose=0),
            "Predictor": lambda: _predict(folder, inputs, args.batch_size),
            "BulkInferrer": lambda: _bulk_infer(folder, inputs),
        }
        for task in tasks.values():  # graphs are traced and files cached before anything is timed
            task()
        seconds: dict[str, list[float]] = {name: [] for name in tasks}
        for _ in range(args.repeats):
            for name, task in tasks.items():
                seconds[name].append(_timed(task))
    rates = {name: args.images / statistics.median(times) for name, times in seconds.items()}
    print(f"{args.images} JPEGs of {sum(map(len, jpegs)) / len(jpegs) / 1000:.0f} kB, batches of {args.batch_size}")
    for name, rate in rates.items():
        print(f"{name:<22}{rate:7.2f} images/s   Predictor / {name}: {rates['Predictor'] / rate:.3f}")


def _timed(task: Callable[[], object]) -> float:
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def _jpegs(count: int) -> list[bytes]:
    photographs = [PIL.Image.fromarray(photo) for photo in sklearn.datasets.load_sample_images().images]
    rng = np.random.default_rng(0)
    jpegs = []
    for i in range(count):
        width, height = (int(side) for side in rng.integers(300, 420, 2))
        left, top = int(rng.integers(0, 640 - width)), int(rng.integers(0, 427 - height))
        file = io.BytesIO()
        photographs[i % 2].crop((left, top, left + width, top + height)).save(file, "JPEG", quality=90)
        jpegs.append(file.getvalue())
    return jpegs


def _write(folder: str, jpegs: list[bytes], shards: int, model: keras.Model) -> dict:
    found = {
        "examples": standard_artifacts.Examples(),
        "index": ExampleIndex(),
        "model": standard_artifacts.Model(),
    }
    for key, artifact in found.items():
        artifact.uri = os.path.join(folder, key)
    found["examples"].splits = ["train"]
    found["examples"].set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")
    items = [testing.keyed(jpeg, (0,), str(i), split="train", names=("x",)) for i, jpeg in enumerate(jpegs)]
    for shard in range(shards):
        own = items[shard::shards]
        index_folder = os.path.join(found["index"].uri, "Split-train")
        testing.write_shard(found["examples"].path(split="train"), index_folder, shard, shards, own)
    serving.export(
        model,
        _IMAGE,
        tuple(f"class {i}" for i in range(1000)),
        saved_model=os.path.join(found["model"].uri, "Format-Serving"),
        keras_file=os.path.join(found["model"].uri, serving.KERAS_FILE),
    )
    return found


def _context(folder: str, beam_args: list[str]) -> base_beam_executor.BaseBeamExecutor.Context:
    return base_beam_executor.BaseBeamExecutor.Context(
        beam_pipeline_args=beam_args, tmp_dir=os.path.join(folder, "tmp"), unique_id="1"
    )


def _predict(folder: str, inputs: dict, batch_size: int) -> None:
    output = Predictions()
    output.uri = os.path.join(folder, "predictions")
    predictor.Executor(_context(folder, _BEAM)).Do(
        {key: [artifact] for key, artifact in inputs.items()},
        {"predictions": [output]},
        {"splits": json_utils.dumps(["train"]), "batch_size": batch_size, "max_examples": 0},
    )


def _bulk_infer(folder: str, inputs: dict) -> None:
    output = standard_artifacts.InferenceResult()
    output.uri = os.path.join(folder, "inference")
    # RunInference chooses its batches itself, up to Beam's own limit of 100 elements; there is no setting for it.
    bulk_inferrer.Executor(_context(folder, _BEAM)).Do(
        {key: [inputs[key]] for key in ("examples", "model")},
        {"inference_result": [output]},
        {
            "model_spec": proto_utils.proto_to_json(
                bulk_inferrer_pb2.ModelSpec(tag=["serve"], model_signature_name=["serving_default"])
            ),
            "data_spec": proto_utils.proto_to_json(bulk_inferrer_pb2.DataSpec(example_splits=["train"])),
        },
    )


if __name__ == "__main__":
    main()
