"""How fast training images come, next to `keras.utils.image_dataset_from_directory` on the same JPEGs.

  python -m benchmarks.input_pipeline

JPEGs like photographs, once as files in a folder a class, once as the Examples that an ExampleGen writes. All pipelines
shuffle, decode, resize to squares and batch them; ours give uint8, the peer float32. Each task takes whole passes, from
the making of its iterator on, in turns with the others because the machine may have other work too; the median is
given. A ratio above 1 means that ours is faster.

Both sides run TensorFlow's own decoding and resizing, which is most of the work; ours also inflates gzip and rounds to
uint8, and saves the pixels that are not seen.

random crop: a part of 8% to 100% of the area, half of them mirrored: Inception's training. The peer has no such thing.
central square: what the peer does with `crop_to_aspect_ratio=True`.
"""

import argparse
import io
import os
import statistics
import tempfile
import time

import keras
import numpy as np
import PIL.Image
import tensorflow as tf

from components import storage
from components.example_gen import testing
from trainer.data import input_pipeline
from trainer.models.backbone import Image
from trainer.recipes import Recipe

_CLASSES = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--width", type=int, default=500, help="of the JPEGs, in pixels")
    parser.add_argument("--height", type=int, default=375)
    parser.add_argument("--size", type=int, default=299, help="of what the network sees, in pixels")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5, help="turns, of which the median is given")
    args = parser.parse_args()
    image = Image(size=args.size, channels=3)
    recipe = Recipe(steps=1, batch_size=args.batch_size, learning_rate=0.1)
    with tempfile.TemporaryDirectory() as folder:
        jpegs = _jpegs(args.images, args.width, args.height)
        files, records = _write_files(folder, jpegs), _write_records(folder, jpegs)

        def ours(**changes) -> tf.data.Dataset:
            return input_pipeline.training_batches([records], image, recipe.model_copy(update=changes), seed=0)

        tasks = {
            "peer": lambda: _peer(files, args.size, args.batch_size),
            "random crop": lambda: ours(crop=0.08, flip=True),
            "central square": ours,
        }
        rates: dict[str, list[float]] = {name: [] for name in tasks}
        for turn in range(args.repeats + 1):
            for name, task in tasks.items():
                rate = _rate(task(), args.passes * args.images // args.batch_size)
                if turn:  # the first turn fills the page cache
                    rates[name].append(rate)
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


def _rate(batches: tf.data.Dataset, count: int) -> float:
    start, images = time.perf_counter(), 0
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
        file = io.BytesIO()
        PIL.Image.fromarray(pixels).save(file, "JPEG", quality=90)
        jpegs.append(file.getvalue())
    return jpegs


def _write_files(folder: str, jpegs: list[bytes]) -> str:
    files = os.path.join(folder, "files")
    for i, jpeg in enumerate(jpegs):
        of_class = os.path.join(files, f"class-{i % _CLASSES}")
        os.makedirs(of_class, exist_ok=True)
        with open(os.path.join(of_class, f"{i}.jpg"), "wb") as file:
            file.write(jpeg)
    return files


def _write_records(folder: str, jpegs: list[bytes], shards: int = 4) -> str:
    names = tuple(f"class-{i}" for i in range(_CLASSES))
    records = [
        testing.keyed(jpeg, (i % _CLASSES,), str(i), split="train", names=names).record for i, jpeg in enumerate(jpegs)
    ]
    for shard in range(shards):
        name = storage.shard_name("data_tfrecord", shard, shards)
        storage.write_records(os.path.join(folder, "records", name), records[shard::shards])
    return os.path.join(folder, "records", "*")


if __name__ == "__main__":
    main()
