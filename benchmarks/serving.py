"""The latency of a served model, from encoded images to labels, beside the bare Keras model on decoded ones.

  python -m benchmarks.serving
  python -m benchmarks.serving --backbone compact_cnn --size 32
  python -m benchmarks.serving --model workspace/serving/digits

Both answer the same batch of JPEGs in turns, call by call, in one process: the signature `image_bytes` of a SavedModel
that was written and read back, as a server calls it, and `keras.Model.predict_on_batch` on what it decodes them to. The
network has random weights. A SavedModel of a folder has no Keras model; there the reference is its own signature
`features`, the network alone. The median and the 95th percentile of the calls are given. The ratio is of the medians;
what it is above 1, decoding and the most probable labels take. No server and no network of computers is measured.
"""

import argparse
import functools
import tempfile
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from benchmarks import data
from benchmarks.turns import in_turns, timed
from pipeline.results.predict import find_saved_model
from trainer import serving
from trainer.models import classifier
from trainer.models.backbone import Backbone, ImageConfig


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark with the arguments of a command line, by default this process's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", metavar="FOLDER", help="a SavedModel, or a folder with versions; by default none")
    parser.add_argument("--backbone", default="inception_v3", help="of the model that is made")
    parser.add_argument("--size", type=int, default=299, help="of what its network sees, in pixels")
    parser.add_argument("--classes", type=int, default=1000, help="that it knows")
    parser.add_argument("--width", type=int, default=500, help="of the JPEGs, in pixels")
    parser.add_argument("--height", type=int, default=375)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--calls", type=int, default=30, help="of each, for each batch size")
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        if args.model:
            saved_model, _ = find_saved_model(args.model)
            network = None
        else:
            saved_model, network = folder, _export(args.backbone, args.size, args.classes, folder)
        print(saved_model if args.model else f"{args.backbone}, {args.size} pixels, {args.classes} classes")
        signatures = tf.saved_model.load(saved_model).signatures
        for batch_size in args.batch_sizes:
            jpegs = tf.constant(list(data.cut_jpegs(batch_size, (args.width,) * 2, (args.height,) * 2)))
            pixels = np.stack([signatures["decode"](encoded=jpeg)["pixels"].numpy() for jpeg in jpegs])
            tasks = {"image_bytes": functools.partial(_answer, signatures["image_bytes"], image_bytes=jpegs)}
            if network is not None:
                tasks["keras"] = functools.partial(network, pixels)
            else:
                tasks["features"] = functools.partial(_answer, signatures["features"], pixels=tf.constant(pixels))
            _compare(batch_size, tasks, args.calls)


def _export(backbone: str, size: int, classes: int, folder: str) -> Callable:
    """Writes a SavedModel to `folder`; returns its network as Keras calls it."""
    image = ImageConfig(size=size, channels=3)
    model = classifier.build(Backbone(name=backbone).build(image), classes)
    names = tuple(map(str, range(classes)))
    serving.ServingModule(model, image, names).export(saved_model=folder)
    return model.predict_on_batch


def _answer(signature: Callable, **inputs: tf.Tensor) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in signature(**inputs).items()}


def _compare(batch_size: int, tasks: dict[str, Callable], calls: int) -> None:
    """Prints the row of a batch size; the second task is the reference."""
    found = in_turns({name: lambda task=task: timed(task)[0] for name, task in tasks.items()}, calls)
    cells = []
    for name, seconds in found.items():
        median, high = 1000 * np.percentile(seconds, [50, 95])
        cells.append(f"{name} {median:8.2f} ms, 95% in {high:8.2f} ms")
    served, reference = found
    ratio = np.median(found[served]) / np.median(found[reference])
    print(f"batch {batch_size:3}   {'   '.join(cells)}   {served} / {reference}: {ratio:.2f}")


if __name__ == "__main__":
    main()
