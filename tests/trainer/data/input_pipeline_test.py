import collections
import functools
import itertools
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from trainer.data import input_pipeline
from trainer.data.draws import open_draws
from trainer.models.backbone import ImageConfig
from trainer.recipes import Recipe


def png(pixels: np.ndarray) -> bytes:
    return tf.io.encode_png(pixels.astype(np.uint8)).numpy()


def recipe(**changes) -> Recipe:
    return Recipe(**{"steps": 1, "batch_size": 5, "learning_rate": 0.1, **changes})


class TrainingBatchesTest(tf.test.TestCase):
    image = ImageConfig(size=16, channels=1)

    @pytest.fixture(autouse=True)
    def _examples(self, write_split, tmp_path):
        self.write_split = functools.partial(write_split, str(tmp_path))

    def plain(self, count: int, shards: int = 1) -> list[str]:
        """Writes images of one grey level each, by which they are known, whose labels are known from it."""
        images = [png(np.full((16, 16, 1), level)) for level in range(count)]
        return [self.write_split(images, [level * 7 % 10 for level in range(count)], shards=shards)]

    def batches(self, patterns, count: int, seed: int = 3, **changes):
        dataset = input_pipeline.training_batches(open_draws(patterns), self.image, recipe(**changes), seed=seed)
        return [(images.numpy(), labels[:, 0].numpy()) for images, labels, _, _ in dataset.take(count)]

    def levels(self, *args, **kwargs) -> list[list[int]]:
        return [images[:, 0, 0, 0].tolist() for images, _ in self.batches(*args, **kwargs)]

    def test_shapes_and_types(self):
        dataset = input_pipeline.training_batches(
            open_draws(self.plain(5)), self.image, recipe(shift=2, flip=True), seed=1
        )
        self.assertEqual(
            dataset.element_spec,
            (
                tf.TensorSpec([5, 16, 16, 1], tf.uint8),
                tf.TensorSpec([5, 1], tf.int64),
                tf.TensorSpec([5, 1], tf.float32),
                tf.TensorSpec([5], tf.float32),
            ),
        )

    def test_every_epoch_holds_every_example_once_in_another_order(self):
        batches = self.levels(self.plain(10, shards=3), 8)
        epochs = [[*first, *second] for first, second in zip(batches[::2], batches[1::2], strict=True)]
        for epoch in epochs:
            self.assertEqual(sorted(epoch), list(range(10)))
        self.assertLen({tuple(epoch) for epoch in epochs}, 4)
        self.assertNotIn(list(range(10)), epochs)

    def test_labels_stay_with_their_images(self):
        for images, labels in self.batches(self.plain(10, shards=2), 6, shift=1, flip=True):
            self.assertAllEqual(labels, images[:, 8, 8, 0].astype(int) * 7 % 10)

    def test_batches_never_end_even_where_a_batch_is_larger_than_the_data(self):
        counts = collections.Counter(itertools.chain(*self.levels(self.plain(3), 6, batch_size=7)))
        self.assertEqual(counts, {0: 14, 1: 14, 2: 14})

    def test_the_same_seed_gives_the_same_batches_and_another_seed_others(self):
        images = [png(np.random.default_rng(i).integers(0, 256, (16, 16, 1))) for i in range(10)]
        patterns = [self.write_split(images, list(range(10)), shards=3)]
        first, again, other = (self.batches(patterns, 6, seed=seed, shift=2, flip=True) for seed in (3, 3, 4))
        for (images_a, labels_a), (images_b, labels_b) in zip(first, again, strict=True):
            self.assertAllEqual(labels_a, labels_b)
            self.assertAllEqual(images_a, images_b)
        self.assertNotAllEqual([labels for _, labels in first], [labels for _, labels in other])

    def test_the_global_seed_does_not_count(self):
        patterns = self.plain(10, shards=3)
        orders = set()
        for seed in (0, 1):
            tf.random.set_seed(seed)
            orders.add(str(self.levels(patterns, 4)))
            drawn = tf.random.uniform([])
            tf.random.set_seed(seed)
            self.assertEqual(tf.random.uniform([]), drawn)  # nor is it changed
        self.assertLen(orders, 1)

    def test_another_seed_augments_differently_too(self):
        # All examples are the same image here: only the augmentation can differ.
        patterns = [self.write_split([png(np.arange(256).reshape(16, 16, 1))] * 5, [0] * 5)]
        self.assertNotAllEqual(
            self.batches(patterns, 1, seed=3, shift=2)[0][0], self.batches(patterns, 1, seed=4, shift=2)[0][0]
        )

    def test_shift_moves_by_at_most_so_many_pixels_in_each_direction(self):
        # Each pixel tells where it was.
        original = np.arange(256, dtype=np.uint8).reshape(16, 16)
        padded = np.pad(original, 2, mode="symmetric")
        moves = set()
        for images, _ in self.batches([self.write_split([png(original[..., None])], [0])], 60, shift=2):
            for image in images[..., 0]:
                down, right = (int(index) for index in np.divmod(image[8, 8], 16))
                moves.add((down - 8, right - 8))
                self.assertAllEqual(image, padded[down - 6 : down + 10, right - 6 : right + 10])
        self.assertEqual(moves, set(itertools.product(range(-2, 3), repeat=2)))

    def test_flip_mirrors_half_of_the_images_left_to_right(self):
        original = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
        dataset = self.batches([self.write_split([png(original)], [0])], 4, batch_size=100, flip=True)
        mirrored = 0
        for image in np.concatenate([images for images, _ in dataset]):
            is_mirrored = image[0, 0, 0] == 15
            mirrored += is_mirrored
            self.assertAllEqual(image, original[:, ::-1] if is_mirrored else original)
        self.assertBetween(int(mirrored), 160, 240)  # four standard deviations of 400 coins

    def test_flip_and_shift_are_independent(self):
        original = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
        dataset = self.batches([self.write_split([png(original)], [0])], 8, batch_size=100, shift=2, flip=True)
        seen = set()
        for image in np.concatenate([images for images, _ in dataset])[..., 0].astype(int):
            mirrored = image[8, 8] < image[8, 7]
            down, right = np.divmod((image[:, ::-1] if mirrored else image)[8, 8], 16) - np.array([8, 8])
            seen.add((bool(mirrored), int(down), int(right)))
        self.assertEqual(seen, set(itertools.product((False, True), range(-2, 3), range(-2, 3))))

    def test_without_augmentation_images_are_as_they_were(self):
        original = np.random.default_rng(2).integers(0, 256, (16, 16, 1))
        for images, _ in self.batches([self.write_split([png(original)], [0])], 4):
            self.assertAllEqual(images, np.broadcast_to(original, (5, 16, 16, 1)))

    def test_a_random_crop_is_seen_of_every_image(self):
        # Columns tell where they were. Without the crop the image is not touched.
        original = np.tile(np.arange(16) * 10, (16, 1))[..., None]
        widths = [
            int(image[0, -1, 0]) - int(image[0, 0, 0])
            for images, _ in self.batches([self.write_split([png(original)], [0])], 8, crop=0.1)
            for image in images
        ]
        self.assertLess(min(widths), 80)
        self.assertGreater(max(widths), 120)
        self.assertGreater(len(set(widths)), 10)

    def test_what_is_added_leaves_the_rest_of_the_augmentation_as_it_was(self):
        original = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
        patterns = [self.write_split([png(original)], [0])]
        alone = self.batches(patterns, 4, shift=2, flip=True)
        # Of a square, all is the square.
        cropped = self.batches(patterns, 4, shift=2, flip=True, crop=1.0)
        self.assertAllEqual([images for images, _ in alone], [images for images, _ in cropped])

    def test_the_central_crop_of_the_image_is_that_of_training_too(self):
        original = np.random.default_rng(2).integers(0, 256, (32, 32, 1))
        patterns = [self.write_split([png(original)], [0])]
        image = ImageConfig(size=16, channels=1, central_crop=0.5)
        ((images, *_),) = input_pipeline.training_batches(open_draws(patterns), image, recipe(), seed=1).take(1)
        self.assertAllEqual(images[0], original[8:24, 8:24])

    def test_from_any_step_on_the_batches_are_those_of_the_uninterrupted_run(self):
        # 23 examples: passes end inside of batches, and step 23 begins one.
        images = [png(np.random.default_rng(i).integers(0, 256, (16, 16, 1))) for i in range(23)]
        patterns = [self.write_split(images, [i % 10 for i in range(23)], shards=4)]
        settings = {"image": self.image, "recipe": recipe(shift=2, flip=True), "seed": 3}
        drawn = open_draws(patterns)
        everything = list(input_pipeline.training_batches(drawn, **settings).take(27).as_numpy_iterator())
        for start in (1, 4, 5, 9, 23, 25):
            batches = input_pipeline.training_batches(drawn, **settings, start_step=start)
            for ours, expected in zip(batches.take(2).as_numpy_iterator(), everything[start:], strict=False):
                for a, b in zip(ours, expected, strict=True):
                    self.assertAllEqual(a, b)

    def test_the_ids_of_a_batch_are_those_of_its_examples(self):
        patterns = self.plain(13, shards=3)
        for step, levels in enumerate(self.levels(patterns, 6)):
            ids = input_pipeline.example_ids(open_draws(patterns), recipe(), seed=3, step=step)
            self.assertEqual(ids, [f"train-{level}" for level in levels])

    def test_no_example_at_all(self):
        patterns = [self.write_split([], [], shards=2)]
        with pytest.raises(ValueError, match=r"examples: \[.*Split-train.*\] hold no example"):
            self.batches(patterns, 1)

    def test_several_patterns_are_one_set(self):
        images = [png(np.full((16, 16, 1), level)) for level in range(5)]
        patterns = [
            self.write_split(images[:2], [0, 1], split="some"),
            self.write_split(images[2:], [2, 3, 4], split="more"),
        ]
        self.assertCountEqual(self.levels(patterns, 1)[0], range(5))


class EvaluationBatchesTest(tf.test.TestCase):
    @pytest.fixture(autouse=True)
    def _examples(self, write_split, tmp_path):
        self.write_split = functools.partial(write_split, str(tmp_path))

    def test_all_examples_once_shard_by_shard_and_the_rest_in_the_last_batch(self):
        images = [png(np.full((8, 8, 1), 10 * level)) for level in range(7)]
        pattern = self.write_split(images, [6, 5, 4, 3, 2, 1, 0], shards=2)
        batches = list(
            input_pipeline.evaluation_batches([pattern], ImageConfig(size=8, channels=1), 3).as_numpy_iterator()
        )
        self.assertEqual([len(labels) for _, labels, _ in batches], [3, 3, 1])
        labels = np.concatenate([labels for _, labels, _ in batches])
        self.assertAllEqual(np.concatenate([presence for _, _, presence in batches]), np.ones([7, 1]))
        self.assertAllEqual(labels[:, 0], [6, 4, 2, 0, 5, 3, 1])
        levels = np.concatenate([pixels for pixels, _, _ in batches])[:, 3, 5, 0]
        self.assertAllEqual(levels, 10 * (6 - labels[:, 0]))
        image = ImageConfig(size=8, channels=1)
        first = list(input_pipeline.evaluation_batches([pattern], image, 3, most_examples=4).as_numpy_iterator())
        self.assertAllEqual(np.concatenate([own for _, own, _ in first]), labels[:4])

    def test_the_ids_beside_the_examples(self):
        images = [png(np.full((8, 8, 1), 10 * level)) for level in range(5)]
        image = ImageConfig(size=8, channels=1)
        for several_labels in (False, True):
            pattern = self.write_split(images, [4, 3, 2, 1, 0], shards=2, split=f"eval{several_labels:d}")
            batches = list(
                input_pipeline.evaluation_batches([pattern], image, 2, several_labels=several_labels, with_ids=True)
            )
            ids = np.concatenate([batch[3].numpy() for batch in batches])
            self.assertAllEqual(ids, [f"eval{several_labels:d}-{level}".encode() for level in (0, 2, 4, 1, 3)])
            self.assertAllEqual(np.concatenate([batch[1][:, 0] for batch in batches]), [4, 2, 0, 3, 1])


@pytest.mark.parametrize(
    ("least", "most", "windows"),
    [
        (4, 4, [(0, 4), (4, 8), (8, 12)]),
        (4, 17, [(0, 4), (4, 12), (12, 29), (29, 46)]),
        (1, 1, [(0, 1), (1, 2), (2, 3)]),
        (5, 9, [(0, 9), (9, 18)]),
    ],
    ids=["equal", "doubling", "single", "no double"],
)
def test_windows_follow_each_other(least, most, windows):
    assert [input_pipeline._window(number, least, most) for number in range(len(windows))] == windows


@pytest.mark.parametrize("batches", ["training", "evaluation"])
def test_no_file_matches(tmp_path: pathlib.Path, batches: str):
    pattern = str(tmp_path / "Split-train" / "*")
    with pytest.raises(ValueError, match=r"examples: no file matches .*Split-train"):
        if batches == "training":
            input_pipeline.training_batches(open_draws([pattern]), ImageConfig(size=8), recipe(), seed=1)
        else:
            input_pipeline.evaluation_batches([pattern], ImageConfig(size=8), 5)
