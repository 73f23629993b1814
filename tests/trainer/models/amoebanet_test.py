import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.loop import variables
from trainer.models import amoebanet, classifier
from trainer.models.backbone import Backbone, ImageConfig
from trainer.recipes import Recipe

SMALL = {"normal_cells": 3, "filters": 16}


def backbone(size: int = 32, channels: int = 3, **options) -> keras.Model:
    return Backbone(name="amoebanet_b", options={**SMALL, **options}).build(ImageConfig(size=size, channels=channels))


def trainable(model: keras.Model) -> int:
    return sum(math.prod(variable.shape) for variable in model.trainable_variables)


class AmoebaNetTest(tf.test.TestCase):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.folder = tmp_path

    def setUp(self):
        super().setUp()
        keras.utils.set_random_seed(8)
        self.images = np.random.default_rng(3).integers(0, 256, (6, 32, 32, 3), np.uint8)

    def test_the_published_sizes_have_the_published_parameters(self):
        # Without values for the variables: those of the last would take 2.2 GB.
        self.addCleanup(keras.utils.clear_session)
        for cells, filters, classes, expected in (
            (3, 32, 10, 462_766),
            (6, 32, 10, 813_422),
            (18, 512, 1000, 557_277_864),  # GPipe (Huang et al. 2018) reports 557 million
        ):
            with self.subTest((cells, filters)), keras.StatelessScope(initialize_variables=False):
                base = backbone(299, normal_cells=cells, filters=filters)
                self.assertEqual(trainable(classifier.build(base, classes)), expected)
                self.assertEqual(base.output_shape, (None, 16 * filters))

    def test_feature_maps_halve_and_widen(self):
        model = backbone(299, normal_cells=6)
        shapes = [
            model.get_layer(name).output.shape[1:]
            for name in ("stem", "stem_1", "stem_2", "normal_1", "reduction_1", "normal_3", "reduction_2", "normal_5")
        ]
        expected = [(149, 32), (75, 8), (38, 16), (38, 64), (19, 64), (19, 128), (10, 128), (10, 256)]
        self.assertEqual(shapes, [(size, size, channels) for size, channels in expected])

    def test_the_smallest_image_is_the_smallest_of_which_every_reduction_makes_less(self):
        for size, last in ((19, 2), (18, 1)):
            model = amoebanet.build(ImageConfig(size=size), **SMALL)
            self.assertEqual(model.get_layer("normal_1").output.shape[1], last)  # what the last reduction reads
            self.assertEqual(model.get_layer("normal_2").output.shape[1], 1)
        # It is the network of every larger size, layer by layer.
        names, native = ([layer.name for layer in backbone(size).layers] for size in (19, 299))
        self.assertEqual(names, native)

    def test_pixels_reach_the_first_convolution_within_minus_one_and_one(self):
        scaled = backbone().get_layer("to_unit_range")(tf.constant([0, 51, 255], tf.uint8))
        self.assertAllClose(scaled, [-1.0, -0.6, 1.0], atol=1e-6)

    def test_a_factorized_reduction_loses_no_pixel(self):
        pixels = keras.Input((5, 5, 1))
        model = keras.Model(pixels, amoebanet._factorized_reduction(pixels, 2, "half"))
        for side in ("even", "odd"):
            model.get_layer(f"half_{side}").set_weights([np.ones((1, 1, 1, 1))])
        output = model(np.arange(25.0).reshape(1, 5, 5, 1)) * math.sqrt(1 + 1e-3)  # undoes the fresh normalisation
        self.assertAllClose(output[0, :, :, 0], [[0, 2, 4], [10, 12, 14], [20, 22, 24]])
        self.assertAllClose(output[0, :, :, 1], [[6, 8, 0], [16, 18, 0], [0, 0, 0]])

    def test_every_kernel_starts_differently_and_by_the_seed(self):
        def kernels(seed: int) -> list[np.ndarray]:
            keras.utils.set_random_seed(seed)
            return [kernel.numpy() for kernel in variables.kernels(backbone(auxiliary=True))]

        first, again, other = kernels(1), kernels(1), kernels(2)
        self.assertLen({kernel.tobytes() for kernel in first + other}, 2 * len(first))
        for a, b in zip(first, again, strict=True):
            self.assertAllEqual(a, b)

    def test_depthwise_kernels_start_by_the_inputs_that_one_output_sees(self):
        for name, size in (("normal_2_3b_sep3_first", 3), ("reduction_2_4a_sep5_first", 5)):
            layer = backbone(filters=64).get_layer(name)
            self.assertAllClose(np.std(layer.depthwise_kernel), math.sqrt(2) / size, rtol=0.1)

    def test_what_is_saved_gives_the_same_outputs_and_takes_a_new_head(self):
        source = classifier.build(backbone(drop_path=0.3, auxiliary=True), 5, dropout=0.5)
        source(self.images, training=True)  # moves the moving statistics
        path = self.folder / "model.keras"
        source.save(path)
        loaded = keras.saving.load_model(path, compile=False)
        outputs = source(self.images)
        self.assertEqual(set(outputs), {"logits", "features", "auxiliary_logits"})
        for name, output in loaded(self.images).items():
            self.assertAllEqual(output, outputs[name])

        target = classifier.build(classifier.backbone_of(loaded), 3)
        self.assertAllEqual(target(self.images)["features"], outputs["features"])
        self.assertEqual(target.get_layer("head").kernel.shape, (256, 3))
        self.assertEqual(target.get_layer("auxiliary_head").kernel.shape, (768, 3))
        self.assertEqual(len(target.trainable_variables), len(source.trainable_variables))

    def test_weight_decay_touches_exactly_the_kernels(self):
        model = classifier.build(backbone(auxiliary=True), 5)
        decayed = variables.kernels(model)
        layers = {
            layer.name: layer
            for network in (model, classifier.backbone_of(model))
            for layer in network.layers
            if isinstance(layer, (keras.layers.Conv2D, keras.layers.SeparableConv2D, keras.layers.Dense))
        }
        expected = []
        for name, layer in layers.items():
            separable = isinstance(layer, keras.layers.SeparableConv2D)
            kernels = ("depthwise_kernel", "pointwise_kernel") if separable else ("kernel",)
            expected += [f"{name}/{kernel}" for kernel in kernels]
        self.assertCountEqual([variable.path for variable in decayed], expected)
        # Every cell: 2 depthwise and 2 pointwise kernels an operation; sep3 twice, or sep3 and sep5.
        self.assertLen([path for path in expected if path.endswith("depthwise_kernel")], (3 + 4) * 4)
        left = {variable.name for variable in model.trainable_variables} - {variable.name for variable in decayed}
        self.assertEqual(left, {"gamma", "beta", "bias"})
        self.assertLen([v for v in model.trainable_variables if v.name == "bias"], 2)  # of the two heads

    def test_the_auxiliary_head_reads_the_end_of_the_second_stack(self):
        for size, pooled in ((299, 5), (32, 2)):  # 19 → 5 → 5 of steps of 3, and the 2 that there are
            model = backbone(size, normal_cells=6, auxiliary=True)
            shapes = {name: output.shape for name, output in model.output.items()}
            self.assertEqual(shapes, {"features": (None, 256), "auxiliary": (None, 768)})
            self.assertEqual(model.get_layer("auxiliary_relu").input.shape, model.get_layer("normal_3").output.shape)
            self.assertEqual(model.get_layer("auxiliary_pool").pool_size, (pooled, pooled))
        self.assertEqual(model.get_layer("normal_3").output.shape[1:], (2, 2, 128))

    def test_drop_path_is_on_every_operation_but_identity(self):
        model = backbone(drop_path=0.3)
        added = [
            source._keras_history.operation
            for layer in model.layers
            if isinstance(layer, keras.layers.Add)
            for source in layer.input
        ]
        # Each of the 7 cells has 8 operations, and 2 identities of states: of sums, and of the cell before the last.
        self.assertEqual(added.count(model.get_layer("drop_path")), 7 * 8)
        states = {f"normal_{i}_{state}" for i in range(3) for state in ("previous_norm", 2)}
        states |= {f"{cell}_{i}_{state}" for cell in ("stem", "reduction") for i in (1, 2) for state in (2, 3)}
        self.assertCountEqual([layer.name for layer in added if layer.name != "drop_path"], states)


class DropPathTest(tf.test.TestCase):
    def drop(self, progress: float = 1.0, rate: float = 0.4, count: int = 4000) -> np.ndarray:
        layer = amoebanet.DropPath(rate, seed=5)
        layer.build((None, 2, 2, 3))
        layer.progress.assign(progress)
        return layer(np.full((count, 2, 2, 3), 3.0, np.float32), training=True).numpy()

    def test_an_example_stays_whole_and_scaled_or_goes(self):
        output = self.drop()
        for example in output:
            self.assertLen(np.unique(example), 1)
        self.assertAllClose(np.unique(output), [0.0, 3 / 0.6])

    def test_the_expectation_is_the_input(self):
        # The standard error of the mean over 4,000 examples is 3 · sqrt(0.4 / 0.6 / 4000) = 0.039.
        self.assertAllClose(self.drop().mean(), 3.0, atol=0.12)

    def test_the_rate_rises_with_the_progress(self):
        for progress, rate in ((0.0, 0.0), (0.5, 0.2), (1.0, 0.4)):
            # Standard error at most sqrt(0.4 · 0.6 / 4000) = 0.008.
            self.assertAllClose(np.mean(self.drop(progress)[:, 0, 0, 0] == 0), rate, atol=0.024)

    def test_in_inference_it_does_nothing(self):
        images = np.random.default_rng(3).integers(0, 256, (2, 32, 32, 3), np.uint8)
        without = backbone()
        dropping = backbone(drop_path=0.9)
        dropping.get_layer("drop_path").progress.assign(1.0)
        values = {variable.path: variable for variable in without.trainable_variables}
        for variable in dropping.trainable_variables:
            variable.assign(values.pop(variable.path))
        self.assertEmpty(values)
        self.assertAllEqual(dropping(images, training=False), without(images, training=False))
        self.assertNotAllClose(dropping(images, training=True), without(images, training=True))

    def test_a_rate_that_would_leave_nothing(self):
        with pytest.raises(ValueError, match=r"rate: 1\.0; must be at least 0 and below 1"):
            amoebanet.DropPath(1.0)

    def test_in_a_frozen_backbone_nothing_is_dropped(self):
        frozen = backbone(drop_path=0.9)
        frozen.get_layer("drop_path").progress.assign(1.0)
        frozen.trainable = False
        images = np.random.default_rng(4).integers(0, 256, (2, *frozen.input_shape[1:]))
        self.assertAllEqual(frozen(images, training=True), frozen(images, training=False))


@pytest.mark.slow
def test_it_learns_64_images_by_heart(accuracy_by_heart):
    recipe = Recipe(steps=400, batch_size=64, learning_rate=0.05, clip_norm=5.0)
    assert accuracy_by_heart(Backbone(name="amoebanet_b", options=SMALL), 32, recipe) > 0.95
