"""From Examples to batches of uint8 images and labels: reads the draws of a training, and deals them to replicas."""

import functools
import itertools
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from components import storage
from components.artifacts import examples
from trainer.data import augmentation, images
from trainer.data.draws import Draws, list_files
from trainer.models.backbone import ImageConfig
from trainer.recipes import Recipe

WINDOW_BYTES = 32 << 20  # of the records that are read at once; three windows are held
MOST_WINDOW = 1 << 16  # records
_HELD = 64  # records that are read at once where nothing is trained on them
_LABEL_MULTIPLE = 8  # pads several labels to few different lengths: XLA compiles anew for each


def training_batches(
    draws: Draws,
    image: ImageConfig,
    recipe: Recipe,
    *,
    seed: int,
    start_step: int = 0,
    several_labels: bool = False,
    shards: int = 1,
    shard: int = 0,
    batch_size: int | None = None,
) -> tf.data.Dataset:
    """Returns endless batches of (images, labels, presence, weights), shuffled and augmented by `seed`.

    images: uint8 [batch, size, size, channels].
    labels: int64 [batch, labels], indices into the vocabulary.
    presence: float32 [batch, labels], how present each label is: 1; 0 for padding, whose index is 0; in between where
      images are mixed. Mixing doubles the number of labels.
    weights: float32 [batch], multiplies the loss of an example; 1 without a plan.

    An example and its augmentation depend only on the seed and its position in the whole training, so all shards
    together give in each step what one pipeline would give. Mixing is the exception: the partner is of the same batch.

    Args:
      draws: the examples, and how often each comes in a pass.
      start_step: skips the batches of this many steps, which costs nothing.
      several_labels: whether an example may have more or fewer than one label. If so, `labels` is as long as the
        batch's longest list, rounded up to a multiple of 8; if not, it is 1.
      shards, shard: this pipeline is number `shard`, from 0 on, of `shards`. It gives every `shards`-th of each step's
        `recipe.batch_size` examples.
      batch_size: of this pipeline's batches. None: one batch holds all of a step's examples of this shard.

    Raises:
      ValueError: the batch sizes do not divide.
      tf.errors.InvalidArgumentError: while iterating: an image cannot be decoded, an example has several labels,
        or a record cannot be read.
    """
    batch_size = _batch_size(recipe.batch_size, shards, shard, batch_size)
    start = start_step * recipe.batch_size
    augment = augmentation.make_augmenter(recipe)

    def seed_at(position: tf.Tensor) -> tf.Tensor:
        return tf.stack([tf.cast(seed, tf.int64), position])

    def read_example(draw: tuple[tf.Tensor, tf.Tensor], position: tf.Tensor) -> tuple[tf.Tensor, ...]:
        record, weight = draw
        example_seed = seed_at(position)
        encoded, labels, presence = _parse(record, several_labels)
        if recipe.crop is None:
            pixels = _decoder(image)(encoded)
        else:
            crop_seed = tf.random.fold_in(example_seed, augmentation.CROP)
            pixels = _crop_decoder(image, recipe.crop)(encoded, crop_seed)
        return augment(pixels, example_seed), labels, presence, weight

    def mix(batch: tuple[tf.Tensor, ...], position: tf.Tensor) -> tuple[tf.Tensor, ...]:
        pixels, labels, presence, weights = batch
        return augmentation.mix(
            pixels, labels, presence, weights, recipe, tf.random.fold_in(seed_at(position), augmentation.MIX)
        )

    first = start + shard
    read = _read_draws(draws, seed, first, shards, batch_size)
    batches = (
        tf.data.Dataset.zip((read, tf.data.Dataset.counter(first, shards)))
        .map(read_example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .apply(_batch(batch_size, several_labels, drop_remainder=True))
    )
    if recipe.mixup or recipe.cutmix:
        firsts = tf.data.Dataset.counter(first, shards * batch_size)
        batches = tf.data.Dataset.zip((batches, firsts)).map(
            mix, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )
    return batches.prefetch(tf.data.AUTOTUNE)


def evaluation_batches(
    patterns: list[str],
    image: ImageConfig,
    batch_size: int,
    *,
    several_labels: bool = False,
    most_examples: int | None = None,
    with_ids: bool = False,
) -> tf.data.Dataset:
    """Returns the examples once: (images, labels, presence) as in `training_batches`; the last batch may be smaller.

    Args:
      most_examples: how many at most, the first ones; None: all.
      with_ids: whether to give the examples' ids as well, string [batch].
    """

    records = (
        tf.data.Dataset.from_tensor_slices(list_files(patterns))
        .flat_map(storage.record_dataset)
        .take(-1 if most_examples is None else most_examples)
    )
    return _evaluate_records(records, image, batch_size, several_labels, with_ids)


def drawn_batches(draws: Draws, image: ImageConfig, batch_size: int) -> tf.data.Dataset:
    """Returns each example that `draws` has, once, in their order, as `evaluation_batches` does."""

    def read(start: np.int64) -> np.ndarray:
        first = int(start)
        return np.array(draws.read(np.arange(first, min(first + _HELD, len(draws.ends)))), object)

    def read_window(start: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.numpy_function(read, [start], tf.string), [None])

    starts = tf.data.Dataset.range(0, len(draws.ends), _HELD)
    records = starts.map(read_window, num_parallel_calls=2, deterministic=True).unbatch()
    return _evaluate_records(records, image, batch_size, several_labels=False, with_ids=False)


def read_records(patterns: list[str]) -> Iterator[bytes]:
    """Yields the records of all files that match."""
    return itertools.chain.from_iterable(map(storage.read_records, list_files(patterns)))


def drawn_records(draws: Draws) -> Iterator[bytes]:
    """Yields the record of each example that `draws` has, once, in their order."""
    for start in range(0, len(draws.ends), _HELD):
        yield from draws.read(np.arange(start, min(start + _HELD, len(draws.ends))))


def example_ids(draws: Draws, recipe: Recipe, *, seed: int, step: int) -> list[str]:
    """Returns the `image/source_id`s of the batch that `training_batches` gives at `step`, the first one being 0."""
    records = batch_records(draws, recipe, seed=seed, step=step)
    return [examples.source_id_of(tf.train.Example.FromString(record)) for record in records]


def batch_records(draws: Draws, recipe: Recipe, *, seed: int, step: int) -> Iterator[bytes]:
    """Yields the records of the batch that `training_batches` gives at `step`, the first one being 0."""
    rows = draws.rows(step * recipe.batch_size + np.arange(recipe.batch_size), seed)
    for start in range(0, len(rows), _HELD):
        yield from draws.read(rows[start : start + _HELD])


def _evaluate_records(
    records: tf.data.Dataset, image: ImageConfig, batch_size: int, several_labels: bool, with_ids: bool
) -> tf.data.Dataset:
    def read_example(record: tf.Tensor) -> tuple[tf.Tensor, ...]:
        encoded, labels, presence = _parse(record, several_labels)
        return _decoder(image)(encoded), labels, presence, *([_parse_id(record)] if with_ids else [])

    return (
        records.map(read_example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .apply(_batch(batch_size, several_labels, drop_remainder=False))
        .prefetch(tf.data.AUTOTUNE)
    )


def _read_draws(draws: Draws, seed: int, first: int, stride: int, least: int) -> tf.data.Dataset:
    """Returns endless (record, weight) pairs: those at the positions `first`, `first` + `stride`, …

    They are read in windows, of `least` records at first. Two windows are read ahead.
    """
    most = max(1, min(MOST_WINDOW, int(WINDOW_BYTES / draws.mean_bytes)))
    least = min(least, most)

    def read_window(number: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        start, stop = _window(int(number), least, most)
        rows = draws.rows(first + stride * np.arange(start, stop), seed)
        weights = np.ones(len(rows), np.float32) if draws.weights is None else draws.weights[rows]
        return np.array(draws.read(rows), object), weights

    def read(number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        records, weights = tf.numpy_function(read_window, [number], [tf.string, tf.float32])
        return tf.ensure_shape(records, [None]), tf.ensure_shape(weights, [None])

    return tf.data.Dataset.counter().map(read, num_parallel_calls=2, deterministic=True).unbatch()


def _window(number: int, least: int, most: int) -> tuple[int, int]:
    """Returns where a window begins and ends. They double up to `most`, so that a short training reads little ahead."""
    doublings = (most // least).bit_length() - 1
    early = min(number, doublings)
    start = least * ((1 << early) - 1) + (number - early) * most
    return start, start + (least << number if number < doublings else most)


# The graphs of the decoders have many branches. They are made once, not in each training and evaluation.
@functools.lru_cache(maxsize=8)
def _decoder(image: ImageConfig) -> Callable[[tf.Tensor], tf.Tensor]:
    return tf.function(lambda encoded: images.decode(encoded, image), [tf.TensorSpec([], tf.string)])


@functools.lru_cache(maxsize=8)
def _crop_decoder(image: ImageConfig, least_area: float) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    return tf.function(
        lambda encoded, seed: images.decode_random_crop(encoded, image, least_area, seed),
        [tf.TensorSpec([], tf.string), tf.TensorSpec([2], tf.int32)],
    )


def _parse(record: tf.Tensor, several_labels: bool) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns the encoded image, labels int64 and presence float32 of an Example, the last two of the same length."""
    labels = tf.io.RaggedFeature(tf.int64) if several_labels else tf.io.FixedLenFeature([1], tf.int64)
    features = {examples.IMAGE: tf.io.FixedLenFeature([], tf.string), examples.LABELS: labels}
    row = tf.io.parse_single_example(record, features)
    labels = row[examples.LABELS]
    presence = tf.ones_like(labels, tf.float32)
    if several_labels:
        padding = [[0, -tf.size(labels) % _LABEL_MULTIPLE]]
        labels, presence = tf.pad(labels, padding), tf.pad(presence, padding)
    return row[examples.IMAGE], labels, presence


def _parse_id(record: tf.Tensor) -> tf.Tensor:
    features = {examples.SOURCE_ID: tf.io.FixedLenFeature([], tf.string)}
    return tf.io.parse_single_example(record, features)[examples.SOURCE_ID]


def _batch(batch_size: int, several_labels: bool, drop_remainder: bool) -> Callable[..., tf.data.Dataset]:
    # Padding is by 0. Each list's length is a multiple of _LABEL_MULTIPLE already, and so is the longest one's.
    name = "padded_batch" if several_labels else "batch"
    return lambda dataset: getattr(dataset, name)(batch_size, drop_remainder=drop_remainder)


def _batch_size(step_size: int, shards: int, shard: int, batch_size: int | None) -> int:
    """Checks the sizes, and returns that of a shard's batches: `batch_size` unless that is None."""
    if not 0 <= shard < shards:
        raise ValueError(f"shard: {shard} of {shards} shards; it must be 0 to {shards - 1}")
    if step_size % shards:
        raise ValueError(
            f"batch_size: {step_size} cannot be split into {shards} equal parts, one a replica; "
            f"take {-(-step_size // shards) * shards}, or another number of replicas"
        )
    shard_size = step_size // shards
    if batch_size is not None and (batch_size < 1 or shard_size % batch_size):
        raise ValueError(
            f"batch_size: {step_size} over {shards} shards is {shard_size} for each, which is not a multiple of "
            f"{batch_size}; take a recipe.batch_size that is a multiple of the number of replicas"
        )
    return shard_size if batch_size is None else batch_size
