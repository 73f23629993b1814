"""From Examples to batches: uint8 images and labels. Training and serving decode an image by the same function."""

import tensorflow as tf

from trainer.models import Image
from trainer.recipes import Recipe

_SHUFFLE_RECORDS = 4096  # the shards are in random order already; this mixes across them
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


def training_batches(patterns: list[str], image: Image, recipe: Recipe, *, seed: int) -> tf.data.Dataset:
    """Returns endless batches (uint8 [batch, size, size, channels], int64 [batch]), shuffled and augmented by `seed`.

    Args:
      patterns: file patterns of gzip TFRecords.

    Raises:
      ValueError: no file matches.
    """
    files = _files(patterns)
    records = (
        tf.data.Dataset.from_tensor_slices(files)
        .shuffle(len(files), seed=seed)
        .interleave(
            lambda file: tf.data.TFRecordDataset(file, compression_type="GZIP"),
            cycle_length=min(len(files), 16),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        .shuffle(_SHUFFLE_RECORDS, seed=seed)
        .repeat()
    )

    def example(record: tf.Tensor, position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        row = tf.io.parse_single_example(record, _FEATURES)
        pixels = _augmented(decode(row["image/encoded"], image), recipe, tf.stack([tf.cast(seed, tf.int64), position]))
        return pixels, row["image/class/label"]

    positions = tf.data.Dataset.counter()
    return (
        tf.data.Dataset.zip((records, positions))
        .map(example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .batch(recipe.batch_size, drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
    )


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
