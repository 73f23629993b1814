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
_SOURCE_ID = {"image/source_id": tf.io.FixedLenFeature([], tf.string)}


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
    patterns: list[str],
    image: Image,
    recipe: Recipe,
    *,
    seed: int,
    plan_pattern: str | None = None,
    start_step: int = 0,
) -> tf.data.Dataset:
    """Returns endless batches of images uint8 [batch, size, size, channels], labels int64 and weights float32 [batch].

    Shuffled and augmented by `seed`. A weight multiplies the loss of its example; without a plan it is 1.

    Args:
      patterns: file patterns of gzip TFRecords.
      plan_pattern: pattern of the files of a ResamplePlan, one a record file in the same order: the examples are taken
        as often as it says, straight from the source's shards.
      start_step: how many batches to leave out: what follows is what would have followed them. Costs at most a pass
        over the data, and without a plan another one that counts it; nothing is decoded.

    Raises:
      ValueError: no file matches, there is no example in them, or the plan is of other shards or takes none.
    """
    start = start_step * recipe.batch_size

    def example(drawn: tuple[tf.Tensor, tf.Tensor], position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        record, weight = drawn
        row = tf.io.parse_single_example(record, _FEATURES)
        pixels = _augmented(decode(row["image/encoded"], image), recipe, tf.stack([tf.cast(seed, tf.int64), position]))
        return pixels, row["image/class/label"], weight

    return (
        tf.data.Dataset.zip((_drawn(patterns, seed, plan_pattern, start), tf.data.Dataset.counter(start)))
        .map(example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .batch(recipe.batch_size, drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
    )


def example_ids(
    patterns: list[str], recipe: Recipe, *, seed: int, plan_pattern: str | None = None, step: int
) -> list[str]:
    """Returns the `image/source_id`s of the batch that `training_batches` gives at `step`, the first one being 0."""

    def source_id(record: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
        del weight
        return tf.io.parse_single_example(record, _SOURCE_ID)["image/source_id"]

    drawn = _drawn(patterns, seed, plan_pattern, step * recipe.batch_size).take(recipe.batch_size)
    return [value.decode() for value in drawn.map(source_id).as_numpy_iterator()]


def _drawn(patterns: list[str], seed: int, plan_pattern: str | None, start: int) -> tf.data.Dataset:
    """Returns endless (record, weight) pairs in the order of training, from position `start` on.

    The order of a pass is a function of the seed and the number of the pass alone: a pass can be begun at once, without
    those before it.
    """
    files = _files(patterns)
    plans = _files([plan_pattern]) if plan_pattern else [""] * len(files)
    if len(plans) != len(files):
        raise ValueError(f"plan: {len(plans)} files for {len(files)} record files; it must be of the same source")

    def records(file: tf.Tensor, plan_file: tf.Tensor) -> tf.data.Dataset:
        if plan_pattern:
            return storage.repeated_records(file, *_planned(plan_file))
        return tf.data.TFRecordDataset(file, compression_type="GZIP").map(lambda record: (record, 1.0))

    shards = tf.data.Dataset.from_tensor_slices((files, plans))
    if next(iter(shards.flat_map(records)), None) is None:  # passes over nothing would go on for ever
        raise ValueError(f"examples: {patterns} hold{', as the plan takes them,' if plan_pattern else ''} no example")
    buffer = _shuffle_records(files[0])

    def one_pass(number: tf.Tensor) -> tf.data.Dataset:
        # Of this function's graph alone. The global seed would count too, and 0 not work with the tensors below.
        tf.random.set_seed(1)
        seeds = tf.random.stateless_uniform([2], tf.stack([tf.cast(seed, tf.int64), number]), 0, 1 << 31, tf.int64)
        return (
            shards.shuffle(len(files), seed=seeds[0], reshuffle_each_iteration=False)
            .interleave(
                records, cycle_length=min(len(files), 16), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
            )
            .shuffle(buffer, seed=seeds[1], reshuffle_each_iteration=False)
        )

    number, offset = divmod(start, _pass_length(files, plans)) if start else (0, 0)
    return tf.data.Dataset.counter(number).flat_map(one_pass).skip(offset)


def _pass_length(files: list[str], plans: list[str]) -> int:
    """Returns how many examples a pass takes: what the plans say, or else what the files hold."""
    if plans[0]:
        return sum(int(plan.copies_of(storage.read_table(file, ["copies"])).sum(dtype=np.int64)) for file in plans)

    def sizes(file: tf.Tensor) -> tf.data.Dataset:
        return tf.data.TFRecordDataset(file, compression_type="GZIP").batch(256).map(lambda x: tf.size(x, tf.int64))

    counted = tf.data.Dataset.from_tensor_slices(files).interleave(sizes, num_parallel_calls=tf.data.AUTOTUNE)
    return int(counted.reduce(tf.constant(0, tf.int64), tf.add))


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
