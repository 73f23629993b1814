"""How fast training images come, next to `keras.utils.image_dataset_from_directory` on the same JPEGs.

  python -m benchmarks.input_pipeline

JPEGs like photographs, once as files in a folder a class, once as the Examples that an ExampleGen writes. All pipelines
shuffle, decode, resize to squares and batch them; ours give uint8, the peer float32. Each task takes whole passes, from
the making of its iterator on, in turns with the others because the machine may have other work too; the median is
given. A ratio above 1 means that ours is faster.

Both sides run TensorFlow's own decoding and resizing, which is most of the work; ours also rounds to uint8, and saves
the pixels that are not seen.

random crop: a part of 8% to 100% of the area, half of them mirrored: Inception's training. The peer has no such thing.
central square: what the peer does with `crop_to_aspect_ratio=True`.
"""

import argparse
import functools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence

import keras
import numpy as np
import PIL.Image
import tensorflow as tf

from benchmarks import data
from benchmarks.turns import in_turns
from components.example_gen import testing
from trainer.data import draws, input_pipeline
from trainer.models.backbone import ImageConfig
from trainer.recipes import Recipe

_CLASSES = 10
_SHARDS = 4


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark with the arguments of a command line, by default this process's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--width", type=int, default=500, help="of the JPEGs, in pixels")
    parser.add_argument("--height", type=int, default=375)
    parser.add_argument("--size", type=int, default=299, help="of what the network sees, in pixels")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5, help="turns, of which the median is given")
    args = parser.parse_args(arguments)
    image = ImageConfig(size=args.size, channels=3)
    recipe = Recipe(steps=1, batch_size=args.batch_size, learning_rate=0.1)
    with tempfile.TemporaryDirectory() as folder:
        jpegs = _jpegs(args.images, args.width, args.height)
        files = os.path.join(folder, "files")
        data.write_class_folders(files, jpegs, _CLASSES)
        records = data.write_records(os.path.join(folder, "records"), _records(jpegs), _SHARDS)

        drawn = draws.open_draws([records])

        def read_batches(**changes) -> tf.data.Dataset:
            return input_pipeline.training_batches(drawn, image, recipe.model_copy(update=changes), seed=0)

        tasks = {
            "peer": lambda: _peer(files, args.size, args.batch_size),
            "random crop": lambda: read_batches(crop=0.08, flip=True),
            "central square": read_batches,
        }
        count = args.passes * args.images // args.batch_size
        rates = in_turns({name: functools.partial(_rate, task, count) for name, task in tasks.items()}, args.repeats)
    size = sum(map(len, jpegs)) / len(jpegs) / 1000
    print(f"{args.images} JPEGs of {args.width}×{args.height} and {size:.0f} kB to {args.size} px")
    medians = {name: statistics.median(values) for name, values in rates.items()}
    for name, rate in medians.items():
        print(f"{name:<16}{rate:8,.0f} images/s   / peer: {rate / medians['peer']:.2f}")


def _peer(files: str, size: int, batch_size: int) -> tf.data.Dataset:
    batches = keras.utils.image_dataset_from_directory(
        files, image_size=(size, size), crop_to_aspect_ratio=True, shuffle=True, batch_size=batch_size, verbose=False
    )
    return batches.repeat()


def _rate(make_batches: Callable[[], tf.data.Dataset], count: int) -> float:
    batches, images = make_batches(), 0
    start = time.perf_counter()
    for batch in batches.take(count):
        images += len(batch[0])
    return images / (time.perf_counter() - start)


def _jpegs(count: int, width: int, height: int) -> list[bytes]:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    jpegs = []
    for _ in range(count):
        slopes, phases = rng.uniform(-0.05, 0.05, (2, 3)), rng.uniform(0, 6, 3)
        waves = 127 + 90 * np.sin(slopes[0] * x[..., None] + slopes[1] * y[..., None] + phases)
        pixels = np.clip(waves + rng.normal(0, 12, waves.shape), 0, 255).astype(np.uint8)
        jpegs.append(data.encode(PIL.Image.fromarray(pixels), "JPEG", quality=90))
    return jpegs


def _records(jpegs: list[bytes]) -> list[bytes]:
    names = tuple(f"class-{i}" for i in range(_CLASSES))
    return [
        testing.make_record(jpeg, (i % _CLASSES,), str(i), split="train", names=names).record
        for i, jpeg in enumerate(jpegs)
    ]


if __name__ == "__main__":
    main()
