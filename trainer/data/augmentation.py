"""Augmentation. Each operation depends on its seed alone, so a resumed training sees the same images."""

import functools
from collections.abc import Callable

import keras
import tensorflow as tf

from trainer.recipes import Recipe

_RAND_AUGMENT_OPERATIONS = 2
# Folded into an example's seed, so that each operation draws independently of the others.
CROP, RAND_AUGMENT, MIX = 1, 2, 3


class _Seeds(keras.random.SeedGenerator):
    """Derives all its seeds from one tensor. Keras's generator counts in a variable, which resuming would reset."""

    def __init__(self, seed: tf.Tensor):  # does not call super().__init__, which makes the variable
        self._seed, self._draws = seed, 0

    def next(self, ordered: bool = True) -> tf.Tensor:
        del ordered
        self._draws += 1
        return tf.cast(tf.random.fold_in(self._seed, self._draws), tf.int64)


def make_augmenter(recipe: Recipe) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Returns the function that augments an image: (uint8 [size, size, channels], seed int64 [2]) → the same type.

    It shifts, flips and applies RandAugment, as the recipe says. `mix` works on batches.
    """
    rand_augment = _make_rand_augment(recipe.rand_augment) if recipe.rand_augment else None

    def augment(pixels: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        if recipe.shift:
            margin = [[recipe.shift, recipe.shift], [recipe.shift, recipe.shift], [0, 0]]
            padded = tf.pad(pixels, margin, mode="SYMMETRIC")
            pixels = tf.image.stateless_random_crop(padded, tf.shape(pixels), seed)
        if recipe.flip:
            pixels = tf.image.stateless_random_flip_left_right(pixels, seed + 1)
        if rand_augment:
            pixels = rand_augment(pixels, tf.random.fold_in(seed, RAND_AUGMENT))
        return pixels

    return augment


def _make_rand_augment(strength: float) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Returns RandAugment (Cubuk et al. 2020) with the operations and the magnitudes of Keras's layer.

    The layer computes all operations and keeps one. This function computes only the one that is drawn.
    """
    # Without a seed, Keras would draw one from Python's global generator and advance it.
    layer = keras.layers.RandAugment(num_ops=_RAND_AUGMENT_OPERATIONS, factor=strength, seed=0)
    operations = [getattr(layer, name) for name in layer._AUGMENT_LAYERS]

    def apply(operation: keras.Layer, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        transformation = operation.get_random_transformation(images, training=True, seed=_Seeds(seed))
        return operation.transform_images(images, transformation, training=True)

    def rand_augment(pixels: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        channels = pixels.shape[-1]
        images = tf.cast(pixels, tf.float32)[None]
        if channels == 1:  # some operations take RGB only; all of them keep grey grey
            images = tf.image.grayscale_to_rgb(images)
        shape = images.shape
        chosen = tf.random.stateless_uniform([_RAND_AUGMENT_OPERATIONS], seed, 0, len(operations), tf.int32)
        for number in range(_RAND_AUGMENT_OPERATIONS):
            operation_seed = tf.random.fold_in(seed, number + 1)
            branches = [functools.partial(apply, operation, images, operation_seed) for operation in operations]
            images = tf.ensure_shape(tf.switch_case(chosen[number], branches), shape)
        return tf.cast(tf.clip_by_value(tf.round(images[0, ..., :channels]), 0, 255), tf.uint8)

    return rand_augment


def mix(
    images: tf.Tensor, labels: tf.Tensor, presence: tf.Tensor, weights: tf.Tensor, recipe: Recipe, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Mixes every image of a batch with the next one, and the last with the first.

    An image keeps a share λ ~ Beta(α, α) of itself: MixUp blends the pixels by λ, CutMix keeps λ of the area. The
    presence of the image's labels is multiplied by λ, that of its partner's by 1 - λ; weights are averaged likewise.

    Args:
      images: uint8 [batch, size, size, channels].
      labels: int64 [batch, labels].
      presence: float32 [batch, labels].
      weights: float32 [batch].
      recipe: `mixup` or `cutmix` is above 0. If both are, a fair coin chooses one for the batch.
      seed: int64 [2].

    Returns:
      The batch, with twice as many labels: those of the image first, then those of its partner.
    """
    batch = images.shape[0]
    partners = tf.roll(tf.range(batch), -1, 0)
    others = tf.gather(images, partners)
    coin_seed, share_seed, place_seed = (tf.random.fold_in(seed, number) for number in range(3))

    def mix_up() -> tuple[tf.Tensor, tf.Tensor]:
        shares = _beta(recipe.mixup, batch, share_seed)
        factors = shares[:, None, None, None]
        blended = factors * tf.cast(images, tf.float32) + (1 - factors) * tf.cast(others, tf.float32)
        return tf.cast(tf.round(blended), tf.uint8), shares

    def cut_mix() -> tuple[tf.Tensor, tf.Tensor]:
        masks = _rectangles(_beta(recipe.cutmix, batch, share_seed), images.shape[1:3], place_seed)
        return tf.where(masks, others, images), 1 - tf.reduce_mean(tf.cast(masks, tf.float32), [1, 2, 3])

    if recipe.mixup and recipe.cutmix:
        mixed, shares = tf.cond(tf.random.stateless_uniform([], coin_seed) < 0.5, mix_up, cut_mix)
    else:
        mixed, shares = mix_up() if recipe.mixup else cut_mix()
    return (
        mixed,
        tf.concat([labels, tf.gather(labels, partners)], 1),
        tf.concat([shares[:, None] * presence, (1 - shares[:, None]) * tf.gather(presence, partners)], 1),
        shares * weights + (1 - shares) * tf.gather(weights, partners),
    )


def _rectangles(outside: tf.Tensor, shape: tuple[int, int], seed: tf.Tensor) -> tf.Tensor:
    """Returns a CutMix mask for each image, bool [batch, height, width, 1]: true inside a random rectangle.

    The rectangle has the image's aspect ratio and covers 1 - `outside` [batch] of its area. Its centre is uniform over
    the image, and the part beyond the edges is cut off (Yun et al. 2019, appendix A), so it may cover less.
    """
    centres = tf.random.stateless_uniform([outside.shape[0], 2], seed)
    half = tf.sqrt(1 - outside) / 2

    def cover(centre: tf.Tensor, length: int) -> tf.Tensor:  # bool [batch, length]
        places = (tf.range(length, dtype=tf.float32) + 0.5) / length
        return tf.abs(places - centre[:, None]) < half[:, None]

    rows, columns = (cover(centres[:, axis], shape[axis]) for axis in (0, 1))
    return (rows[:, :, None] & columns[:, None, :])[..., None]


def _beta(alpha: float, count: int, seed: tf.Tensor) -> tf.Tensor:
    """Returns `count` samples of Beta(α, α), float32 [count].

    A Beta is g / (g + g') of two Gamma(α), and a Gamma(α) is a Gamma(α + 1) times U^(1/α). The logarithms prevent an
    underflow to 0 / 0 at a small α.
    """
    gammas = tf.random.stateless_gamma([2, count], seed, alpha + 1)
    # 1 - U is in (0, 1].
    uniforms = 1 - tf.random.stateless_uniform([2, count], tf.random.fold_in(seed, 1))
    logs = tf.math.log(gammas) + tf.math.log(uniforms) / alpha
    return tf.sigmoid(logs[0] - logs[1])
