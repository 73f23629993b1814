"""From Examples to batches of uint8 images and their labels: what is read, in which order, and what of it by whom."""

import itertools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from components import storage
from components.artifacts import examples, plan
from trainer.data import augmentation, images
from trainer.models.backbone import ImageConfig
from trainer.recipes import Recipe

_SHUFFLE_BYTES = 128 << 20
_LABEL_MULTIPLE = 8  # where there are several, so that few shapes occur: XLA compiles anew for each
_SOURCE_ID = {examples.SOURCE_ID: tf.io.FixedLenFeature([], tf.string)}


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
    presence: float32 [batch, labels], how present each label is: 1, 0 where there is none (its index is 0 then), and in
      between where images are mixed. Mixing doubles the number of labels.
    weights: float32 [batch], multiplies the loss of an example; without a plan it is 1.

    An example and its augmentation are functions of the seed and its position in the whole training, so that all shards
    together give in each step what a single one gives. Only the partner that an image is mixed with is another one: it
    is of the same batch.

    Args:
      patterns: file patterns of gzip TFRecords.
      plan_pattern: pattern of the files of a ResamplePlan, one a record file in the same order: the examples are taken
        as often as it says, straight from the source's shards.
      start_step: how many steps to leave out: what follows is what would have followed them. Costs at most a pass over
        the data, and without a plan another one that counts it; nothing is decoded.
      several_labels: whether an example may have more or fewer than one. If so, there are as many in a batch as its
        longest list has, rounded up to a multiple of 8; if not, one.
      shards, shard: of `shards` input pipelines this is number `shard`, from 0 on: of each step's `recipe.batch_size`
        examples it gives every `shards`-th one.
      batch_size: of this pipeline's batches; None: a step's examples of this shard are one batch.

    Raises:
      ValueError: no file matches, there is no example in them, the plan is of other shards or takes none, or the batch
        sizes do not divide.
      tf.errors.InvalidArgumentError: while iterating: an image cannot be decoded, or an example has several labels.
    """
    batch_size = _batch_size(recipe.batch_size, shards, shard, batch_size)
    start = start_step * recipe.batch_size
    augmented = augmentation.make_augmenter(recipe)

    def seed_at(position: tf.Tensor) -> tf.Tensor:
        return tf.stack([tf.cast(seed, tf.int64), position])

    def example(drawn: tuple[tf.Tensor, tf.Tensor], position: tf.Tensor) -> tuple[tf.Tensor, ...]:
        record, weight = drawn
        own_seed = seed_at(position)
        encoded, labels, presence = _parse(record, several_labels)
        if recipe.crop is None:
            pixels = images.decode(encoded, image)
        else:
            crop_seed = tf.random.fold_in(own_seed, augmentation.CROP)
            pixels = images.decode_random_crop(encoded, image, recipe.crop, crop_seed)
        return augmented(pixels, own_seed), labels, presence, weight

    def mixed(batch: tuple[tf.Tensor, ...], position: tf.Tensor) -> tuple[tf.Tensor, ...]:
        pixels, labels, presence, weights = batch
        return augmentation.mix(
            pixels, labels, presence, weights, recipe, tf.random.fold_in(seed_at(position), augmentation.MIX)
        )

    # A step has a whole number of turns around the shards: what is counted from its start is counted from 0.
    drawn = tf.data.Dataset.zip((_order_draws(patterns, seed, plan_pattern, start), tf.data.Dataset.counter(start)))
    batches = (
        drawn.shard(shards, shard)
        .map(example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .apply(_batch(batch_size, several_labels, drop_remainder=True))
    )
    if recipe.mixup or recipe.cutmix:
        firsts = tf.data.Dataset.counter(start + shard, shards * batch_size)
        batches = tf.data.Dataset.zip((batches, firsts)).map(
            mixed, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )
    return batches.prefetch(tf.data.AUTOTUNE)


def evaluation_batches(
    patterns: list[str], image: ImageConfig, batch_size: int, *, several_labels: bool = False
) -> tf.data.Dataset:
    """Returns all examples once: (images, labels, presence) as in `training_batches`; the last batch may be smaller."""

    def example(record: tf.Tensor) -> tuple[tf.Tensor, ...]:
        encoded, labels, presence = _parse(record, several_labels)
        return images.decode(encoded, image), labels, presence

    return (
        tf.data.TFRecordDataset(_files(patterns), compression_type="GZIP")
        .map(example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .apply(_batch(batch_size, several_labels, drop_remainder=False))
        .prefetch(tf.data.AUTOTUNE)
    )


def pass_length(patterns: list[str], plan_pattern: str | None = None) -> int:
    """Returns how many examples a pass of training takes: what the plan says, or else what the files hold.

    Without a plan all files are read, in parallel; nothing is decoded.

    Raises:
      ValueError: no file matches.
    """
    if plan_pattern:
        copies = (plan.copies_of(storage.read_table(file, ["copies"])) for file in _files([plan_pattern]))
        return sum(int(of_file.sum(dtype=np.int64)) for of_file in copies)

    def sizes(file: tf.Tensor) -> tf.data.Dataset:
        return tf.data.TFRecordDataset(file, compression_type="GZIP").batch(256).map(lambda x: tf.size(x, tf.int64))

    files = tf.data.Dataset.from_tensor_slices(_files(patterns))
    counted = files.interleave(sizes, num_parallel_calls=tf.data.AUTOTUNE)
    return int(counted.reduce(tf.constant(0, tf.int64), tf.add))


def example_ids(
    patterns: list[str], recipe: Recipe, *, seed: int, plan_pattern: str | None = None, step: int
) -> list[str]:
    """Returns the `image/source_id`s of the batch that `training_batches` gives at `step`, the first one being 0."""

    def source_id(record: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
        del weight
        return tf.io.parse_single_example(record, _SOURCE_ID)[examples.SOURCE_ID]

    drawn = _order_draws(patterns, seed, plan_pattern, step * recipe.batch_size).take(recipe.batch_size)
    return [value.decode() for value in drawn.map(source_id).as_numpy_iterator()]


def _order_draws(patterns: list[str], seed: int, plan_pattern: str | None, start: int) -> tf.data.Dataset:
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
            return storage.read_repeated_records(file, *_read_plan(plan_file))
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

    number, offset = divmod(start, pass_length(patterns, plan_pattern)) if start else (0, 0)
    return tf.data.Dataset.counter(number).flat_map(one_pass).skip(offset)


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
    # Both pad by 0. What is padded to the longest of multiples is padded to a multiple.
    name = "padded_batch" if several_labels else "batch"
    return lambda dataset: getattr(dataset, name)(batch_size, drop_remainder=drop_remainder)


def _batch_size(of_step: int, shards: int, shard: int, batch_size: int | None) -> int:
    """Returns the size of a shard's batches, which is `batch_size` unless that is None."""
    if not 0 <= shard < shards:
        raise ValueError(f"shard: {shard} of {shards} shards; it must be 0 to {shards - 1}")
    if of_step % shards:
        raise ValueError(
            f"batch_size: {of_step} cannot be dealt to {shards} replicas in equal parts; "
            f"take {-(-of_step // shards) * shards}, or another number of replicas"
        )
    of_shard = of_step // shards
    if batch_size is not None and (batch_size < 1 or of_shard % batch_size):
        raise ValueError(
            f"batch_size: {of_step} over {shards} shards is {of_shard} for each, which batches of {batch_size} do not "
            f"divide; take a recipe.batch_size that the number of replicas divides"
        )
    return of_shard if batch_size is None else batch_size


def _read_plan(plan_file: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
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


def _files(patterns: list[str]) -> list[str]:
    files = sorted(file for pattern in patterns for file in tf.io.gfile.glob(pattern))
    if not files:
        raise ValueError(f"examples: no file matches {patterns}")
    return files
