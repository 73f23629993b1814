"""What is in a batch where examples have several labels, and whose batch it is where there are several shards."""

import collections

import numpy as np
import pytest
import tensorflow as tf

from components import storage
from components.example_gen import testing
from trainer.data import input_pipeline
from trainer.data.draws import open_draws
from trainer.models.backbone import ImageConfig
from trainer.recipes import Recipe


def png(pixels: np.ndarray) -> bytes:
    return tf.io.encode_png(pixels.astype(np.uint8)).numpy()


def recipe(**changes) -> Recipe:
    return Recipe(**{"steps": 1, "batch_size": 5, "learning_rate": 0.1, **changes})


class LabelsTest(tf.test.TestCase):
    image = ImageConfig(size=16, channels=1)

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.folder = tmp_path

    def several(self, labels: list[tuple[int, ...]]) -> list[str]:
        """Writes images of grey level 10 i with the labels `labels[i]`, of which there may be none."""
        names = tuple(f"label-{i}" for i in range(30))
        records = []
        for i, of_image in enumerate(labels):
            image = png(np.full((16, 16, 1), 10 * i))
            item = testing.make_record(image, of_image or (0,), f"id-{i}", split="train", names=names)
            record = tf.train.Example.FromString(item.record)
            if not of_image:
                record.features.feature["image/class/label"].Clear()
            records.append(record.SerializeToString())
        path = self.folder / "Split-train" / storage.shard_name("data_tfrecord", 0, 1)
        storage.write_records(str(path), records)
        return [str(path)]

    def test_lists_are_padded_to_the_multiple_of_eight_that_holds_the_longest(self):
        for longest, width in ((1, 8), (8, 8), (9, 16), (17, 24)):
            with self.subTest(longest=longest):
                lists = [(5, 3), tuple(range(longest)), (7,), ()]
                patterns = self.several(lists)
                settings = recipe(batch_size=4)
                (training,) = input_pipeline.training_batches(
                    open_draws(patterns), self.image, settings, seed=1, several_labels=True
                ).take(1)
                (evaluation,) = input_pipeline.evaluation_batches(patterns, self.image, 4, several_labels=True)
                for images, labels, presence in (training[:3], evaluation):
                    self.assertEqual((labels.dtype, presence.dtype), (tf.int64, tf.float32))
                    for level, of_image, present in zip(images[:, 0, 0, 0].numpy(), labels, presence, strict=True):
                        expected = lists[level // 10]
                        self.assertAllEqual(of_image, [*expected, *[0] * (width - len(expected))])
                        self.assertAllEqual(present, [1.0] * len(expected) + [0.0] * (width - len(expected)))

    def test_several_labels_where_one_is_expected(self):
        patterns = self.several([(5, 3)])
        batches = input_pipeline.training_batches(open_draws(patterns), self.image, recipe(batch_size=1), seed=1)
        with pytest.raises(tf.errors.InvalidArgumentError, match="image/class/label"):
            next(iter(batches))

    def test_mixing_keeps_the_labels_of_both(self):
        lists = [(5, 3), (1,), (7, 8, 9), (2,)]
        batches = input_pipeline.training_batches(
            open_draws(self.several(lists)), self.image, recipe(batch_size=4, mixup=0.5), seed=1, several_labels=True
        )
        for _, labels, presence, _ in batches.take(5):
            self.assertEqual(labels.shape, (4, 16))
            for of_image, present in zip(labels.numpy(), presence.numpy(), strict=True):
                own, other = ({*of_image[half][present[half] > 0]} for half in (slice(8), slice(8, None)))
                self.assertIn(own, [set(labels) for labels in lists])
                self.assertIn(other, [set(labels) for labels in lists])
                self.assertAllClose(sum(present[:8]) / len(own) + sum(present[8:]) / len(other), 1)


class ShardsTest(tf.test.TestCase):
    """23 examples in steps of 12: passes end inside of steps."""

    image = ImageConfig(size=16, channels=1)
    augmentation = {"crop": 0.3, "shift": 2, "flip": True}

    @pytest.fixture(autouse=True)
    def _examples(self, write_split, tmp_path):
        images = [png(np.random.default_rng(i).integers(0, 256, (18, 19, 1))) for i in range(23)]
        self.patterns = [write_split(str(tmp_path), images, [i % 10 for i in range(23)], shards=4)]

    def batches(self, count: int, recipe_changes=None, **settings) -> list[tuple[np.ndarray, ...]]:
        own = recipe(batch_size=12, **(self.augmentation if recipe_changes is None else recipe_changes))
        dataset = input_pipeline.training_batches(open_draws(self.patterns), self.image, own, seed=3, **settings)
        return list(dataset.take(count).as_numpy_iterator())

    def rows(self, batches: list[tuple[np.ndarray, ...]]) -> collections.Counter:
        return collections.Counter(
            tuple(value.tobytes() for value in row) for batch in batches for row in zip(*batch, strict=True)
        )

    def test_all_shards_together_give_the_steps_of_a_single_one(self):
        steps = [self.rows([batch]) for batch in self.batches(6)]
        self.assertLen(set(map(str, steps)), 6)
        for shards, batch_size, start in ((2, None, 0), (3, None, 4), (2, 3, 4), (1, 4, 4)):
            with self.subTest(shards=shards, batch_size=batch_size, start=start):
                a_step = 1 if batch_size is None else 12 // shards // batch_size
                of_shards = [
                    self.batches(2 * a_step, shards=shards, shard=i, batch_size=batch_size, start_step=start)
                    for i in range(shards)
                ]
                for step in range(2):
                    parts = [batches[step * a_step : (step + 1) * a_step] for batches in of_shards]
                    together = sum((self.rows(part) for part in parts), collections.Counter())
                    self.assertEqual(together, steps[start + step])

    def test_a_shard_takes_each_so_manieth_position(self):
        ((images, labels, *_),) = self.batches(1, {})
        for shard in range(3):
            ((own_images, own_labels, *_),) = self.batches(1, {}, shards=3, shard=shard)
            self.assertAllEqual(own_labels, labels[shard::3])
            self.assertAllEqual(own_images, images[shard::3])

    def test_all_that_is_random_is_the_same_in_a_shard_and_after_a_resumption(self):
        changes = {**self.augmentation, "rand_augment": 0.4}
        ((images, *_),) = self.batches(5, changes)[4:]
        ((of_shard, *_),) = self.batches(1, changes, shards=2, shard=1, start_step=4)
        self.assertAllEqual(of_shard, images[1::2])
        ((plain, *_),) = self.batches(5)[4:]
        self.assertNotAllEqual(plain, images)

    def test_mixed_batches_are_the_same_after_a_resumption(self):
        both = {"mixup": 0.4, "cutmix": 1.0}
        for mixing, dealt in (
            ({"mixup": 0.4}, {}),
            (both, {"shards": 2, "shard": 1}),
            (both, {"shards": 2, "batch_size": 3}),
        ):
            with self.subTest(**mixing, **dealt):
                a_step = 2 if "batch_size" in dealt else 1
                changes = {**self.augmentation, **mixing}
                everything = self.batches(4 * a_step, changes, **dealt)
                self.assertEqual(everything[0][1].shape[1], 2)
                resumed = self.batches(2 * a_step, changes, **dealt, start_step=2)
                for ours, expected in zip(resumed, everything[2 * a_step :], strict=True):
                    for a, b in zip(ours, expected, strict=True):
                        self.assertAllEqual(a, b)

    def test_batches_are_mixed_by_different_shares(self):
        shares = [
            share
            for shard in range(2)
            for _, _, presence, _ in self.batches(3, {"mixup": 1.0}, shards=2, shard=shard)
            for share in presence[:, 0].tolist()
        ]
        self.assertLen(set(shares), 36)

    def test_what_does_not_divide_is_refused(self):
        for settings, message in (
            ({"shards": 5}, r"batch_size: 12 cannot be split into 5 equal parts, one a replica; take 15"),
            (
                {"shards": 2, "batch_size": 4},
                r"batch_size: 12 over 2 shards is 6 for each, which is not a multiple of 4",
            ),
            ({"shards": 2, "batch_size": 0}, r"not a multiple of 0"),
            ({"shards": 2, "shard": 2}, r"shard: 2 of 2 shards; it must be 0 to 1"),
            ({"shards": 2, "shard": -1}, r"shard: -1 of 2"),
        ):
            with self.subTest(**settings), pytest.raises(ValueError, match=message):
                self.batches(1, **settings)
