import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.models import classifier
from trainer.models.backbone import Backbone, ImageConfig


def backbone() -> keras.Model:
    return Backbone(name="compact_cnn").build(ImageConfig(size=16, channels=1))


class ClassifierTest(tf.test.TestCase):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.folder = tmp_path

    def setUp(self):
        super().setUp()
        keras.utils.set_random_seed(8)
        self.images = np.random.default_rng(3).integers(0, 256, (2, 16, 16, 1), np.uint8)

    def test_logits_are_a_dense_layer_on_the_features_of_the_backbone(self):
        base = backbone()
        model = classifier.build(base, 5)
        outputs = model(self.images)
        self.assertEqual(set(outputs), {"logits", "features"})
        self.assertAllEqual(outputs["features"], base(self.images))
        kernel, bias = model.get_layer("head").get_weights()
        self.assertEqual((kernel.shape, bias.shape), ((128, 5), (5,)))
        self.assertAllClose(outputs["logits"], outputs["features"] @ kernel + bias)

    def test_sigmoids_begin_with_odds_of_one_to_the_number_of_labels(self):
        for activation, bias in (("softmax", 0.0), ("sigmoid", -np.log(5))):
            head = classifier.build(backbone(), 5, activation=activation).get_layer("head")
            self.assertAllClose(head.bias, [bias] * 5, rtol=1e-6)

    def test_dropout_is_before_the_head_and_in_training_only(self):
        model = classifier.build(backbone(), 5, dropout=0.5, seed=4)
        kernel, bias = model.get_layer("head").get_weights()
        serving = model(self.images, training=False)
        self.assertAllClose(serving["logits"], serving["features"] @ kernel + bias)
        training = model(self.images, training=True)
        self.assertGreater(np.abs(training["logits"] - (training["features"] @ kernel + bias)).max(), 1e-3)

    def test_logits_are_float32_whatever_the_precision_of_the_rest(self):
        self.addCleanup(keras.config.set_dtype_policy, keras.config.dtype_policy())
        keras.config.set_dtype_policy("mixed_bfloat16")
        outputs = classifier.build(backbone(), 5)(self.images)
        self.assertEqual((outputs["features"].dtype, outputs["logits"].dtype), (tf.bfloat16, tf.float32))

    def test_a_fresh_head_keeps_the_backbone_that_was_saved(self):
        source = classifier.build(backbone(), 5, dropout=0.5)
        source(np.repeat(self.images, 3, axis=0), training=True)  # moves the moving statistics, which must survive too
        path = self.folder / "model.keras"
        source.save(path)
        loaded = keras.saving.load_model(path, compile=False)
        self.assertAllEqual(loaded(self.images)["logits"], source(self.images)["logits"])

        target = classifier.build(classifier.backbone_of(loaded), 3)
        self.assertAllEqual(target(self.images)["features"], source(self.images)["features"])
        self.assertEqual(target.get_layer("head").kernel.shape, (128, 3))
        self.assertEqual(len(target.trainable_variables), len(source.trainable_variables))

    def test_a_model_without_a_backbone(self):
        inputs = keras.Input((4,))
        other = keras.Model(inputs, keras.layers.Dense(2)(inputs), name="stranger")
        with pytest.raises(ValueError, match="'stranger' has no layer named 'backbone'"):
            classifier.backbone_of(other)
