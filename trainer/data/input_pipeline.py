"""From Examples to batches of uint8 images and labels: reads shards, orders examples, deals them to replicas."""

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from components import storage
from components.artifacts import examples, plan
from trainer.data import augmentation, images
from trainer.models.backbone import ImageConfig
from trainer.recipes import Recipe

_SHUFFLE_BYTES = 128 << 20
_LABEL_MULTIPLE = 8  # pads several labels to few different lengths: XLA compiles anew for each


def training_batches(
    patterns: list[str],
    image: ImageConfig,
    recipe: Recipe,
    *,
    seed: int,
    plan_pattern: str | None = None,
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
      patterns: file patterns of TFRecords.
      plan_pattern: pattern of the files of a ResamplePlan, one a record file, in the same order. Each example is read
        from the source's shards as often as the plan says.
      start_step: skips the batches of this many steps. Costs at most a pass over the data, and without a plan another
        one that counts it; nothing is decoded.
      several_labels: whether an example may have more or fewer than one label. If so, `labels` is as long as the
        batch's longest list, rounded up to a multiple of 8; if not, it is 1.
      shards, shard: this pipeline is number `shard`, from 0 on, of `shards`. It gives every `shards`-th of each step's
        `recipe.batch_size` examples.
      batch_size: of this pipeline's batches. None: one batch holds all of a step's examples of this shard.

    Raises:
      ValueError: no file matches, the files hold no example, the plan has other shards or takes no example, or the
        batch sizes do not divide.
      tf.errors.InvalidArgumentError: while iterating: an image cannot be decoded, or an example has several labels.
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
            pixels = images.decode(encoded, image)
        else:
            crop_seed = tf.random.fold_in(example_seed, augmentation.CROP)
            pixels = images.decode_random_crop(encoded, image, recipe.crop, crop_seed)
        return augment(pixels, example_seed), labels, presence, weight

    def mix(batch: tuple[tf.Tensor, ...], position: tf.Tensor) -> tuple[tf.Tensor, ...]:
        pixels, labels, presence, weights = batch
        return augmentation.mix(
            pixels, labels, presence, weights, recipe, tf.random.fold_in(seed_at(position), augmentation.MIX)
        )

    # `shard` counts from `start`, which is a multiple of the shards because each step is: a resumed training deals the
    # same examples to each shard.
    draws = tf.data.Dataset.zip((_order_draws(patterns, seed, plan_pattern, start), tf.data.Dataset.counter(start)))
    batches = (
        draws.shard(shards, shard)
        .map(read_example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .apply(_batch(batch_size, several_labels, drop_remainder=True))
    )
    if recipe.mixup or recipe.cutmix:
        firsts = tf.data.Dataset.counter(start + shard, shards * batch_size)
        batches = tf.data.Dataset.zip((batches, firsts)).map(
            mix, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )
    return batches.prefetch(tf.data.AUTOTUNE)


def evaluation_batches(
    patterns: list[str], image: ImageConfig, batch_size: int, *, several_labels: bool = False
) -> tf.data.Dataset:
    """Returns all examples once: (images, labels, presence) as in `training_batches`; the last batch may be smaller."""

    def read_example(record: tf.Tensor) -> tuple[tf.Tensor, ...]:
        encoded, labels, presence = _parse(record, several_labels)
        return images.decode(encoded, image), labels, presence

    return (
        tf.data.Dataset.from_tensor_slices(_list_files(patterns))
        .flat_map(storage.record_dataset)
        .map(read_example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .apply(_batch(batch_size, several_labels, drop_remainder=False))
        .prefetch(tf.data.AUTOTUNE)
    )


def read_records(patterns: list[str]) -> Iterator[bytes]:
    """Yields the records of all files that match."""
    return itertools.chain.from_iterable(map(storage.read_records, _list_files(patterns)))


def pass_length(patterns: list[str], plan_pattern: str | None = None) -> int:
    """Returns how many examples one pass of training takes: as many as the plan says, or else as the files hold.

    Without a plan all files are read, in parallel; nothing is decoded.

    Raises:
      ValueError: no file matches.
    """
    if plan_pattern:
        copies = (plan.copies_of(storage.read_table(file, ["copies"])) for file in _list_files([plan_pattern]))
        return sum(int(file_copies.sum(dtype=np.int64)) for file_copies in copies)

    def count(file: tf.Tensor) -> tf.data.Dataset:
        return storage.record_dataset(file).batch(256).map(lambda x: tf.size(x, tf.int64))

    files = tf.data.Dataset.from_tensor_slices(_list_files(patterns))
    counts = files.interleave(count, num_parallel_calls=tf.data.AUTOTUNE)
    return int(counts.reduce(tf.constant(0, tf.int64), tf.add))


def example_ids(
    patterns: list[str], recipe: Recipe, *, seed: int, plan_pattern: str | None = None, step: int
) -> list[str]:
    """Returns the `image/source_id`s of the batch that `training_batches` gives at `step`, the first one being 0."""
    records = batch_records(patterns, recipe, seed=seed, plan_pattern=plan_pattern, step=step)
    return [examples.source_id_of(tf.train.Example.FromString(record)) for record in records]


def batch_records(
    patterns: list[str], recipe: Recipe, *, seed: int, plan_pattern: str | None = None, step: int
) -> Iterator[bytes]:
    """Yields the records of the batch that `training_batches` gives at `step`, the first one being 0."""
    draws = _order_draws(patterns, seed, plan_pattern, step * recipe.batch_size).take(recipe.batch_size)
    return (record for record, _ in draws.as_numpy_iterator())


def _order_draws(patterns: list[str], seed: int, plan_pattern: str | None, start: int) -> tf.data.Dataset:
    """Returns endless (record, weight) pairs in the order of training, from position `start` on.

    The order of a pass depends only on the seed and the number of the pass, so earlier passes need not be read.
    """
    files = _list_files(patterns)
    plans = _list_files([plan_pattern]) if plan_pattern else [""] * len(files)
    if len(plans) != len(files):
        raise ValueError(f"plan: {len(plans)} files for {len(files)} record files; make the plan from the same source")

    def read_shard(file: tf.Tensor, plan_file: tf.Tensor) -> tf.data.Dataset:
        if plan_pattern:
            return storage.read_repeated_records(file, *_read_plan(plan_file))
        return storage.record_dataset(file).map(lambda record: (record, 1.0))

    shards = tf.data.Dataset.from_tensor_slices((files, plans))
    if next(iter(shards.flat_map(read_shard)), None) is None:  # else iterating would never end
        if plan_pattern:
            raise ValueError(f"plan: {plan_pattern} takes no example of {patterns}; make a plan with at least one")
        raise ValueError(f"examples: {patterns} hold no example; training needs at least one")
    buffer = _shuffle_buffer_size(files[0])

    def read_pass(number: tf.Tensor) -> tf.data.Dataset:
        # Sets the seed of this function's graph alone, so that the global seed does not change the order. Not 0, which
        # TensorFlow refuses beside the tensors below.
        tf.random.set_seed(1)
        seeds = tf.random.stateless_uniform([2], tf.stack([tf.cast(seed, tf.int64), number]), 0, 1 << 31, tf.int64)
        return (
            shards.shuffle(len(files), seed=seeds[0], reshuffle_each_iteration=False)
            .interleave(
                read_shard, cycle_length=min(len(files), 16), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
            )
            .shuffle(buffer, seed=seeds[1], reshuffle_each_iteration=False)
        )

    number, offset = divmod(start, pass_length(patterns, plan_pattern)) if start else (0, 0)
    return tf.data.Dataset.counter(number).flat_map(read_pass).skip(offset)


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


def _read_plan(plan_file: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns copies int32 and weights float32 of a shard. A plan file is read together with its shard."""

    def read(path: bytes) -> tuple[np.ndarray, np.ndarray]:
        table = storage.read_table(path.decode())
        copies, weights = plan.copies_of(table), plan.weights_of(table)
        return copies, np.ones(len(copies), np.float32) if weights is None else weights

    copies, weights = tf.numpy_function(read, [plan_file], [tf.int32, tf.float32])
    return tf.ensure_shape(copies, [None]), tf.ensure_shape(weights, [None])


def _shuffle_buffer_size(file: str) -> int:
    """Returns how many records the shuffle buffer holds: as many as fit, because an example's copies are adjacent."""
    sizes = [len(record) for record in itertools.islice(storage.read_records(file), 64)]
    return int(np.clip(_SHUFFLE_BYTES // np.mean(sizes or [1]), 1024, 1 << 16))


def _list_files(patterns: list[str]) -> list[str]:
    files = sorted(file for pattern in patterns for file in tf.io.gfile.glob(pattern))
    if not files:
        raise ValueError(f"examples: no file matches {patterns}; check the folder and its splits")
    return files
