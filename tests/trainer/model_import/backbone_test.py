"""A published backbone: what a training starts from."""

import keras
import numpy as np
import tensorflow as tf
from tfx.types import standard_artifacts

from trainer.base_model import Pretrained
from trainer.model_import import executor
from trainer.model_import.component import ModelImporter
from trainer.models.backbone import Backbone, ImageConfig

IMAGE = ImageConfig(size=16, channels=1)


class BackboneTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        keras.utils.set_random_seed(3)
        self.published = Backbone(name="compact_cnn").build(IMAGE)
        self.weights = f"{self.get_temp_dir()}/published.weights.h5"
        self.published.save_weights(self.weights)

    def imported(self, **changes) -> str:
        """Returns the folder of the model."""
        settings = {"backbone": {"name": "compact_cnn"}, "image": {"size": 16, "channels": 1}, "weights": self.weights}
        node = ModelImporter(kind="backbone", settings={**settings, **changes}, fingerprint="0")
        model = standard_artifacts.Model()
        model.uri = f"{self.get_temp_dir()}/imported"
        executor.Executor().Do({}, {"model": [model]}, node.exec_properties)
        return model.uri

    def test_a_training_can_start_from_it(self):
        base = Pretrained(self.imported())
        for found, expected in zip(base.backbone_for(IMAGE).get_weights(), self.published.get_weights(), strict=True):
            self.assertAllEqual(found, expected)
        keras.utils.set_random_seed(4)
        other = Backbone(name="compact_cnn").build(IMAGE)
        base.copy_backbone(other, Backbone(name="compact_cnn"))
        pixels = np.random.default_rng(1).integers(0, 256, (3, 16, 16, 1), np.uint8)
        self.assertAllEqual(other(pixels), self.published(pixels))

    def test_weights_that_are_no_numbers(self):
        self.published.set_weights([np.full_like(values, np.nan) for values in self.published.get_weights()])
        self.published.save_weights(self.weights)
        with self.assertRaisesRegex(ValueError, r"^model: '.*published\.weights\.h5' gives nan for images of noise"):
            self.imported()

    def test_what_it_is_decides_the_cache_key(self):
        settings = {"backbone": {"name": "compact_cnn"}, "image": {"size": 16}, "weights": self.weights}

        def key(kind: str = "backbone", fingerprint: str = "0", **changes) -> tuple[str, ...]:
            node = ModelImporter(kind=kind, settings={**settings, **changes}, fingerprint=fingerprint)
            return tuple(sorted(f"{name}={value}" for name, value in node.exec_properties.items()))

        self.assertEqual(key(), key())
        self.assertLen({key(), key(fingerprint="1"), key(image={"size": 17})}, 3)

    def test_wrong_settings(self):
        with self.assertRaisesRegex(ValueError, r"^kind: 'head'; choose 'classifier' or 'backbone'"):
            ModelImporter(kind="head", settings={}, fingerprint="0")
        with self.assertRaisesRegex(ValueError, "unknown key 'wieghts'.*did you mean 'weights'"):
            self.imported(wieghts="a")
