"""RandAugment and the mixing of batches."""

import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.data import augmentation
from trainer.recipes import Recipe


def recipe(**changes) -> Recipe:
    return Recipe(**{"steps": 1, "batch_size": 4, "learning_rate": 0.1, **changes})


def pictures(count: int, channels: int = 3, size: int = 24) -> np.ndarray:
    """Smooth images, uint8."""
    small = np.random.default_rng(2).integers(0, 256, (count, 5, 4, channels))
    return tf.image.resize(small, (size, size)).numpy().astype(np.uint8)


class RandAugmentTest(tf.test.TestCase):
    def results(self, pixels: np.ndarray, seeds, strength: float = 0.5) -> np.ndarray:
        augmented = augmentation.make_augmenter(recipe(rand_augment=strength))
        dataset = tf.data.Dataset.from_tensor_slices(np.array(list(seeds), np.int64))
        return np.stack(list(dataset.map(lambda seed: augmented(pixels, seed)).as_numpy_iterator()))

    def test_the_seed_decides_and_nothing_else(self):
        (pixels,) = pictures(1)
        seeds = [(3, position) for position in range(20)]
        results = self.results(pixels, seeds)
        self.assertDTypeEqual(results, np.uint8)
        self.assertEqual(results.shape, (20, 24, 24, 3))
        self.assertAllEqual(self.results(pixels, seeds[::-1])[::-1], results)
        self.assertNotAllEqual(self.results(pixels, [(4, position) for position in range(20)]), results)
        self.assertGreater(len({result.tobytes() for result in results}), 15)

    def test_no_generator_of_others_advances(self):
        random.seed(1)
        tf.random.set_seed(1)
        expected = random.random(), float(tf.random.uniform([]))
        random.seed(1)
        tf.random.set_seed(1)
        self.results(pictures(1)[0], [(1, 2)])
        self.assertEqual((random.random(), float(tf.random.uniform([]))), expected)

    def test_a_result_is_that_of_the_layer_for_what_was_drawn(self):
        # Keras computes every operation and keeps those that were drawn.
        (pixels,) = pictures(1)
        layer = keras.layers.RandAugment(num_ops=1, factor=0.5, seed=0)
        for position in range(6):
            seed = tf.constant([9, position], tf.int64)
            (result,) = self.results(pixels, [(9, position)])
            own = tf.random.fold_in(seed, augmentation.RAND_AUGMENT)
            chosen = tf.random.stateless_uniform([2], own, 0, 11, tf.int32)
            images = tf.cast(pixels, tf.float32)[None]
            for number in range(2):
                transforms = {
                    name: getattr(layer, name).get_random_transformation(
                        images, seed=augmentation._Seeds(tf.random.fold_in(own, number + 1))
                    )
                    for name in layer._AUGMENT_LAYERS
                }
                drawn = {"layer_idxes": chosen[number : number + 1], "transforms": transforms}
                images = layer.transform_images(images, drawn)
            self.assertAllClose(tf.cast(result, tf.float32), images[0], atol=1)

    def test_grey_is_what_one_channel_of_grey_rgb_becomes(self):
        (grey,) = pictures(1, channels=1)
        seeds = [(5, position) for position in range(30)]
        rgb = self.results(np.repeat(grey, 3, -1), seeds)
        self.assertAllEqual(self.results(grey, seeds), rgb[..., :1])
        self.assertAllClose(rgb[..., 2].astype(float), rgb[..., 0].astype(float), atol=1)


class MixedTest(tf.test.TestCase):
    labels = np.array([[1, 2], [3, 0], [4, 5], [6, 0]])
    presence = np.array([[1, 1], [1, 0], [1, 1], [1, 0]], np.float32)
    weights = np.array([1, 0.5, 2, 3], np.float32)

    def mixed(self, images: np.ndarray, seed=(1, 2), **changes):
        batch = (tf.constant(value) for value in (images, self.labels, self.presence, self.weights))
        outputs = augmentation.mix(*batch, recipe(**changes), tf.constant(seed, tf.int64))
        return [output.numpy() for output in outputs]

    def kept(self, presence: np.ndarray) -> np.ndarray:
        """Returns the share [batch] that an image keeps, which the presence of its first label tells."""
        return presence[:, 0]

    def test_labels_presence_and_weights(self):
        for changes in ({"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.4, "cutmix": 1.0}):
            _, labels, presence, weights = self.mixed(pictures(4), **changes)
            kept = self.kept(presence)[:, None]
            self.assertAllInRange(kept, 0, 1)
            self.assertGreater(len(np.unique(kept)), 2)  # each image has a share of its own
            self.assertDTypeEqual(labels, np.int64)
            self.assertAllEqual(labels, np.concatenate([self.labels, np.roll(self.labels, -1, 0)], 1))
            parts = [kept * self.presence, (1 - kept) * np.roll(self.presence, -1, 0)]
            self.assertAllClose(presence, np.concatenate(parts, 1))
            self.assertAllClose(weights, kept[:, 0] * self.weights + (1 - kept[:, 0]) * np.roll(self.weights, -1))

    def test_mixup_blends_each_image_with_the_next(self):
        originals = pictures(4)
        images, _, presence, _ = self.mixed(originals, mixup=0.4)
        kept = self.kept(presence)[:, None, None, None]
        self.assertDTypeEqual(images, np.uint8)
        expected = kept * originals + (1 - kept) * np.roll(originals, -1, 0)
        self.assertAllClose(images.astype(float), expected, atol=0.501)

    def test_cutmix_takes_a_rectangle_of_the_next_image(self):
        originals = np.arange(4, dtype=np.uint8)[:, None, None, None] * np.ones((1, 20, 20, 1), np.uint8)
        cut = 0
        for position in range(30):
            images, _, presence, _ = self.mixed(originals, seed=(3, position), cutmix=1.0)
            for i, (image, kept) in enumerate(zip(images[..., 0], self.kept(presence), strict=True)):
                pasted = image == (i + 1) % 4
                self.assertAllEqual(image[~pasted], np.full((~pasted).sum(), i))
                self.assertAllClose(kept, 1 - pasted.mean())
                rows, columns = pasted.any(1), pasted.any(0)
                self.assertAllEqual(pasted, rows[:, None] & columns)
                for side in (rows, columns):
                    self.assertLessEqual(np.count_nonzero(np.diff(side.astype(int))), 2)
                cut += pasted.any() and not pasted.all()
        self.assertGreater(cut, 100)

    def test_with_both_a_batch_takes_one_by_a_fair_coin(self):
        originals = np.array([0, 200, 0, 200], np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 1), np.uint8)
        blended = 0
        both = tf.function(
            lambda position: augmentation.mix(
                *(tf.constant(value) for value in (originals, self.labels, self.presence, self.weights)),
                recipe(mixup=1.0, cutmix=1.0),
                tf.stack([tf.constant(1, tf.int64), position]),
            )[0]
        )
        for position in range(200):
            images = both(tf.constant(position, tf.int64)).numpy()
            blended += not np.isin(images, [0, 200]).all()
        self.assertBetween(blended, 72, 128)  # four standard deviations

    def test_the_seed_decides(self):
        for changes in ({"mixup": 0.4}, {"cutmix": 1.0}):
            first, again = self.mixed(pictures(4), **changes), self.mixed(pictures(4), **changes)
            for a, b in zip(first, again, strict=True):
                self.assertAllEqual(a, b)
            self.assertNotAllEqual(first[0], self.mixed(pictures(4), seed=(1, 3), **changes)[0])

    def test_an_image_alone_stays_as_it_is(self):
        for changes in ({"mixup": 0.4}, {"cutmix": 1.0}):
            batch = (tf.constant(value[:1]) for value in (pictures(1), self.labels, self.presence, self.weights))
            images, _, presence, weights = augmentation.mix(*batch, recipe(**changes), tf.constant([1, 2], tf.int64))
            self.assertAllEqual(images, pictures(1))
            self.assertAllClose(tf.reduce_sum(presence), 2)
            self.assertAllClose(weights, [1])


@pytest.mark.parametrize("alpha", [0.001, 0.2, 1.0, 8.0])
def test_shares_follow_the_beta_distribution(alpha):
    shares = augmentation._beta(alpha, 40_000, tf.constant([1, 2], tf.int64)).numpy()
    assert np.isfinite(shares).all()
    variance = 1 / (4 * (2 * alpha + 1))
    assert shares.mean() == pytest.approx(0.5, abs=4 * (variance / 40_000) ** 0.5)
    assert shares.var() == pytest.approx(variance, rel=0.03)
