import numpy as np
import tensorflow as tf

from trainer.models import classifier
from trainer.models.backbone import Backbone, ImageConfig


class CompactCnnTest(tf.test.TestCase):
    def test_parameters(self):
        # Convolutions: 9·(1·16 + 16·32 + 32·32 + 32·64 + 64·64 + 64·128) = 142,992; three vectors for the 336 channels
        # that are normalised, two of them moving statistics.
        grey = Backbone(name="compact_cnn").build(ImageConfig(size=32, channels=1))
        self.assertEqual(grey.count_params(), 142_992 + 3 * 336)
        self.assertEqual(sum(int(np.prod(variable.shape)) for variable in grey.trainable_variables), 142_992 + 336)
        self.assertEqual(classifier.build(grey, 770).count_params(), 144_000 + 129 * 770)

        rgb = Backbone(name="compact_cnn").build(ImageConfig(size=16, channels=3))
        self.assertEqual(rgb.count_params(), 144_000 + 2 * 9 * 16)

    def test_pixels_reach_the_first_convolution_within_minus_one_and_one(self):
        backbone = Backbone(name="compact_cnn").build(ImageConfig(size=16, channels=1))
        scaled = backbone.get_layer("to_unit_range")(tf.constant([0, 51, 255], tf.uint8))
        self.assertAllClose(scaled, [-1.0, -0.6, 1.0], atol=1e-6)
