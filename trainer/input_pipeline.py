"""From Examples to batches: uint8 images and labels. Training and serving decode an image by the same function."""

import itertools

import numpy as np
import tensorflow as tf

from components import storage
from components.importance_resampler import plan
from trainer.models import Image
from trainer.recipes import Recipe

_SHUFFLE_BYTES = 128 << 20
_FEATURES = {
    "image/encoded": tf.io.FixedLenFeature([], tf.string),
    "image/class/label": tf.io.FixedLenFeature([], tf.int64),
}


def decode(encoded: tf.Tensor, image: Image) -> tf.Tensor:
    """Returns an encoded JPEG or PNG as uint8 [size, size, channels]: its central square, resized if it has to be."""
    pixels = tf.io.decode_image(encoded, channels=image.channels, expand_animations=False)
    pixels.set_shape([None, None, image.channels])
    size = (image.size, image.size)

    def resized() -> tf.Tensor:
        height, width = tf.shape(pixels)[0], tf.shape(pixels)[1]
        side = tf.minimum(height, width)
        square = tf.image.crop_to_bounding_box(pixels, (height - side) // 2, (width - side) // 2, side, side)
        values = tf.image.resize(square, size, antialias=True)
        return tf.cast(tf.clip_by_value(tf.round(values), 0, 255), tf.uint8)

    fits = tf.reduce_all(tf.shape(pixels)[:2] == size)
    return tf.ensure_shape(tf.cond(fits, lambda: pixels, resized), [*size, image.channels])


def training_batches(
    patterns: list[str], image: Image, recipe: Recipe, *, seed: int, plan_pattern: str | None = None
) -> tf.data.Dataset:
    """Returns endless batches of images uint8 [batch, size, size, channels], labels int64 and weights float32 [batch].

    Shuffled and augmented by `seed`. A weight multiplies the loss of its example; without a plan it is 1.

    Args:
      patterns: file patterns of gzip TFRecords.
      plan_pattern: pattern of the files of a ResamplePlan, one a record file in the same order: the examples are taken
        as often as it says, straight from the source's shards.

    Raises:
      ValueError: no file matches, or the plan is of other shards.
    """
    files = _files(patterns)
    plans = _files([plan_pattern]) if plan_pattern else [""] * len(files)
    if len(plans) != len(files):
        raise ValueError(f"plan: {len(plans)} files for {len(files)} record files; it must be of the same source")

    def records(file: tf.Tensor, plan_file: tf.Tensor) -> tf.data.Dataset:
        if plan_pattern:
            return storage.repeated_records(file, *_planned(plan_file))
        return tf.data.TFRecordDataset(file, compression_type="GZIP").map(lambda record: (record, 1.0))

    shuffled = (
        tf.data.Dataset.from_tensor_slices((files, plans))
        .shuffle(len(files), seed=seed)
        .interleave(records, cycle_length=min(len(files), 16), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .shuffle(_shuffle_records(files[0]), seed=seed)
        .repeat()
    )

    def example(drawn: tuple[tf.Tensor, tf.Tensor], position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        record, weight = drawn
        row = tf.io.parse_single_example(record, _FEATURES)
        pixels = _augmented(decode(row["image/encoded"], image), recipe, tf.stack([tf.cast(seed, tf.int64), position]))
        return pixels, row["image/class/label"], weight

    positions = tf.data.Dataset.counter()
    return (
        tf.data.Dataset.zip((shuffled, positions))
        .map(example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .batch(recipe.batch_size, drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
    )


def _planned(plan_file: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns copies int32 and weights float32 of a shard. They are read when the shard is, not all at the start."""

    def read(path: bytes) -> tuple[np.ndarray, np.ndarray]:
        table = storage.read_table(path.decode())
        copies, weights = plan.copies_of(table), plan.weights_of(table)
        return copies, np.ones(len(copies), np.float32) if weights is None else weights

    copies, weights = tf.numpy_function(read, [plan_file], [tf.int32, tf.float32])
    return tf.ensure_shape(copies, [None]), tf.ensure_shape(weights, [None])


def _shuffle_records(file: str) -> int:
    """Returns how many records the shuffle buffer holds: what fits, because an example's copies come together."""
    sizes = [len(record) for record in itertools.islice(storage.read_records(file), 64)]
    return int(np.clip(_SHUFFLE_BYTES // np.mean(sizes or [1]), 1024, 1 << 16))


def evaluation_batches(patterns: list[str], image: Image, batch_size: int) -> tf.data.Dataset:
    """Returns all examples once, in batches as `training_batches` gives them; the last one may be smaller."""

    def example(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        row = tf.io.parse_single_example(record, _FEATURES)
        return decode(row["image/encoded"], image), row["image/class/label"]

    return (
        tf.data.TFRecordDataset(_files(patterns), compression_type="GZIP")
        .map(example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .batch(batch_size)
        .prefetch(tf.data.AUTOTUNE)
    )


def _augmented(pixels: tf.Tensor, recipe: Recipe, seed: tf.Tensor) -> tf.Tensor:
    if recipe.shift:
        margin = [[recipe.shift, recipe.shift], [recipe.shift, recipe.shift], [0, 0]]
        padded = tf.pad(pixels, margin, mode="SYMMETRIC")
        pixels = tf.image.stateless_random_crop(padded, tf.shape(pixels), seed)
    if recipe.flip:
        pixels = tf.image.stateless_random_flip_left_right(pixels, seed + 1)
    return pixels


def _files(patterns: list[str]) -> list[str]:
    files = sorted(file for pattern in patterns for file in tf.io.gfile.glob(pattern))
    if not files:
        raise ValueError(f"examples: no file matches {patterns}")
    return files
