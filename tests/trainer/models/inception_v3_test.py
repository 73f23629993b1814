import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.loop import variables
from trainer.models import classifier
from trainer.models.backbone import Backbone, ImageConfig
from trainer.recipes import Recipe


class InceptionV3Test(tf.test.TestCase):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.folder = tmp_path

    def test_the_published_width_has_the_published_parameters(self):
        backbone = Backbone(name="inception_v3").build(ImageConfig(size=75))
        self.assertEqual(backbone.output_shape, (None, 2048))
        # What keras.applications.InceptionV3() has, with its head over ImageNet's 1,000 classes.
        self.assertEqual(classifier.build(backbone, 1000).count_params(), 23_851_784)

    def test_width_scales_every_convolution_and_survives_saving(self):
        backbone = Backbone(name="inception_v3", options={"width": 0.25}).build(ImageConfig(size=75, channels=1))
        self.assertEqual(backbone.output_shape, (None, 512))
        # Σ height·width·(in/4)·(out/4) over the kernels (in = 3 for the first) + 3·out/4 for the normalisations.
        self.assertEqual(backbone.count_params(), 1_372_520)

        path = self.folder / "narrow.keras"
        backbone.save(path)
        images = np.random.default_rng(5).integers(0, 256, (2, 75, 75, 1), np.uint8)
        self.assertAllEqual(keras.saving.load_model(path)(images), backbone(images))

    def test_weight_decay_touches_exactly_the_kernels(self):
        model = classifier.build(Backbone(name="inception_v3", options={"width": 0.125}).build(ImageConfig(size=75)), 5)
        decayed = variables.kernels(model)
        self.assertLen(decayed, 94 + 1)  # convolutions, and the head
        self.assertEqual({variable.name for variable in decayed}, {"kernel"})
        left = [variable.name for variable in model.trainable_variables if variable.name != "kernel"]
        self.assertCountEqual(left, ["beta"] * 94 + ["bias"])


@pytest.mark.slow
def test_it_learns_64_images_by_heart(accuracy_by_heart):
    recipe = Recipe(steps=600, batch_size=64, learning_rate=0.03, clip_norm=5.0)
    assert accuracy_by_heart(Backbone(name="inception_v3", options={"width": 0.125}), 75, recipe) > 0.95
