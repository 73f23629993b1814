"""Random changes of training images: each a function of its seed alone, so that a resumed training sees the same."""

import functools
from collections.abc import Callable

import keras
import tensorflow as tf

from trainer.recipes import Recipe

_RAND_AUGMENT_OPERATIONS = 2
# What is drawn beside shift and flip has seeds of its own, folded in by these numbers.
CROP, RAND_AUGMENT, MIX = 1, 2, 3


class _Seeds(keras.random.SeedGenerator):
    """Gives Keras what follows from a seed in its hand; Keras's own counts in a variable, which a resumption resets."""

    def __init__(self, seed: tf.Tensor):  # of the class that Keras asks for, without its variable
        self._seed, self._count = seed, 0

    def next(self, ordered: bool = True) -> tf.Tensor:
        del ordered
        self._count += 1
        return tf.cast(tf.random.fold_in(self._seed, self._count), tf.int64)


def make_augmenter(recipe: Recipe) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Returns the function from (image uint8 [size, size, channels], seed int64 [2]) to the image augmented.

    It shifts, flips and applies RandAugment, as far as the recipe says; mixing is for batches.
    """
    randomly_augmented = _rand_augment(recipe.rand_augment) if recipe.rand_augment else None

    def augmented(pixels: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        if recipe.shift:
            margin = [[recipe.shift, recipe.shift], [recipe.shift, recipe.shift], [0, 0]]
            padded = tf.pad(pixels, margin, mode="SYMMETRIC")
            pixels = tf.image.stateless_random_crop(padded, tf.shape(pixels), seed)
        if recipe.flip:
            pixels = tf.image.stateless_random_flip_left_right(pixels, seed + 1)
        if randomly_augmented:
            pixels = randomly_augmented(pixels, tf.random.fold_in(seed, RAND_AUGMENT))
        return pixels

    return augmented


def _rand_augment(strength: float) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Returns RandAugment (Cubuk et al. 2020) as Keras's layer has it: its operations, drawn as it draws them.

    The layer computes all of its operations and keeps one; here only the one that is drawn is computed.
    """
    # A seed of its own would be drawn from Python's generator, which is not ours to advance.
    layer = keras.layers.RandAugment(num_ops=_RAND_AUGMENT_OPERATIONS, factor=strength, seed=0)
    operations = [getattr(layer, name) for name in layer._AUGMENT_LAYERS]

    def applied(operation: keras.Layer, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        transformation = operation.get_random_transformation(images, training=True, seed=_Seeds(seed))
        return operation.transform_images(images, transformation, training=True)

    def randomly_augmented(pixels: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        channels = pixels.shape[-1]
        images = tf.cast(pixels, tf.float32)[None]
        if channels == 1:  # some operations take RGB only, and leave grey what is grey
            images = tf.image.grayscale_to_rgb(images)
        shape = images.shape
        chosen = tf.random.stateless_uniform([_RAND_AUGMENT_OPERATIONS], seed, 0, len(operations), tf.int32)
        for number in range(_RAND_AUGMENT_OPERATIONS):
            own = tf.random.fold_in(seed, number + 1)
            branches = [functools.partial(applied, operation, images, own) for operation in operations]
            images = tf.ensure_shape(tf.switch_case(chosen[number], branches), shape)
        return tf.cast(tf.clip_by_value(tf.round(images[0, ..., :channels]), 0, 255), tf.uint8)

    return randomly_augmented


def mix(
    images: tf.Tensor, labels: tf.Tensor, presence: tf.Tensor, weights: tf.Tensor, recipe: Recipe, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns a batch in which every image is mixed with the next one, the last with the first.

    An image keeps a share λ of Beta(α, α) of itself: of its brightness by MixUp, of its area by CutMix. λ multiplies
    the presence of its labels, 1 - λ that of the other's, and a weight is the mean of both by the same shares.

    Args:
      images: uint8 [batch, size, size, channels].
      labels: int64 [batch, labels].
      presence: float32 [batch, labels].
      weights: float32 [batch].
      recipe: of which `mixup`, `cutmix` or both are not 0; with both, a fair coin is tossed for the batch.
      seed: int64 [2].

    Returns:
      The same, with twice as many labels: first those of the image itself.
    """
    batch = images.shape[0]
    partners = tf.roll(tf.range(batch), -1, 0)
    others = tf.gather(images, partners)
    coin_seed, share_seed, place_seed = (tf.random.fold_in(seed, number) for number in range(3))

    def by_mixup() -> tuple[tf.Tensor, tf.Tensor]:
        kept = _beta(recipe.mixup, batch, share_seed)
        own = kept[:, None, None, None]
        blended = own * tf.cast(images, tf.float32) + (1 - own) * tf.cast(others, tf.float32)
        return tf.cast(tf.round(blended), tf.uint8), kept

    def by_cutmix() -> tuple[tf.Tensor, tf.Tensor]:
        masks = _rectangles(_beta(recipe.cutmix, batch, share_seed), images.shape[1:3], place_seed)
        return tf.where(masks, others, images), 1 - tf.reduce_mean(tf.cast(masks, tf.float32), [1, 2, 3])

    if recipe.mixup and recipe.cutmix:
        result, kept = tf.cond(tf.random.stateless_uniform([], coin_seed) < 0.5, by_mixup, by_cutmix)
    else:
        result, kept = by_mixup() if recipe.mixup else by_cutmix()
    return (
        result,
        tf.concat([labels, tf.gather(labels, partners)], 1),
        tf.concat([kept[:, None] * presence, (1 - kept[:, None]) * tf.gather(presence, partners)], 1),
        kept * weights + (1 - kept) * tf.gather(weights, partners),
    )


def _rectangles(outside: tf.Tensor, shape: tuple[int, int], seed: tf.Tensor) -> tf.Tensor:
    """Returns bool [batch, height, width, 1]: a rectangle of CutMix for each image.

    It has the image's aspect ratio and leaves the share `outside` [batch] of its area; it is centred anywhere, and what
    is beyond the edges is cut off (Yun et al. 2019, appendix A), so that more than that share may be left.
    """
    centres = tf.random.stateless_uniform([outside.shape[0], 2], seed)
    half = tf.sqrt(1 - outside) / 2

    def covered(centre: tf.Tensor, length: int) -> tf.Tensor:  # bool [batch, length]
        places = (tf.range(length, dtype=tf.float32) + 0.5) / length
        return tf.abs(places - centre[:, None]) < half[:, None]

    rows, columns = (covered(centres[:, axis], shape[axis]) for axis in (0, 1))
    return (rows[:, :, None] & columns[:, None, :])[..., None]


def _beta(alpha: float, count: int, seed: tf.Tensor) -> tf.Tensor:
    """Returns float32 [count] of Beta(α, α).

    A Beta is g / (g + g') of two Gamma(α), and a Gamma(α) is a Gamma(α + 1) times U^(1/α). In logarithms it cannot
    underflow, as it does for small α, to 0 / 0.
    """
    gammas = tf.random.stateless_gamma([2, count], seed, alpha + 1)
    # 1 - U is in (0, 1].
    uniforms = 1 - tf.random.stateless_uniform([2, count], tf.random.fold_in(seed, 1))
    logs = tf.math.log(gammas) + tf.math.log(uniforms) / alpha
    return tf.sigmoid(logs[0] - logs[1])
