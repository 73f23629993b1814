"""The networks of keras.applications: as it builds them, with their own preprocessing."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.models import applications, weights
from trainer.models.backbone import Backbone, ImageConfig
from trainer.models.registry import SPECS

# Of keras.applications with `include_top=False`: the parameters, of Keras 3.12 and of 3.15.
PARAMETERS = {
    "inception_v3": 21_802_784,
    "convnext_tiny": 27_820_128,
    "convnext_small": 49_454_688,
    "convnext_base": 87_566_464,
    "convnext_large": 196_230_336,
    "convnext_xlarge": 348_147_968,
    "densenet121": 7_037_504,
    "densenet169": 12_642_880,
    "densenet201": 18_321_984,
    "efficientnet_b0": 4_049_571,
    "efficientnet_b1": 6_575_239,
    "efficientnet_b2": 7_768_569,
    "efficientnet_b3": 10_783_535,
    "efficientnet_b4": 17_673_823,
    "efficientnet_b5": 28_513_527,
    "efficientnet_b6": 40_960_143,
    "efficientnet_b7": 64_097_687,
    "efficientnet_v2_b0": 5_919_312,
    "efficientnet_v2_b1": 6_931_124,
    "efficientnet_v2_b2": 8_769_374,
    "efficientnet_v2_b3": 12_930_622,
    "efficientnet_v2_s": 20_331_360,
    "efficientnet_v2_m": 53_150_388,
    "efficientnet_v2_l": 117_746_848,
    "inception_resnet_v2": 54_336_736,
    "mobilenet": 3_228_864,
    "mobilenet_v2": 2_257_984,
    "mobilenet_v3_small": 939_120,
    "mobilenet_v3_large": 2_996_352,
    "nasnet_mobile": 4_269_716,
    "nasnet_large": 84_916_818,
    "resnet50": 23_587_712,
    "resnet101": 42_658_176,
    "resnet152": 58_370_944,
    "resnet50_v2": 23_564_800,
    "resnet101_v2": 42_626_560,
    "resnet152_v2": 58_331_648,
    "vgg16": 14_714_688,
    "vgg19": 20_024_384,
    "xception": 20_861_480,
}
# Of each family the smallest; the others take minutes together.
FAST = ("convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_b0", "inception_v3", "mobilenet")
FAST = (*FAST, "mobilenet_v2", "mobilenet_v3_small", "resnet50", "resnet50_v2", "vgg16", "xception")
MODULES = {  # of keras.applications, whose `preprocess_input` belongs to the networks
    "convnext_tiny": "convnext",
    "densenet121": "densenet",
    "efficientnet_b0": "efficientnet",
    "efficientnet_v2_b0": "efficientnet_v2",
    "inception_resnet_v2": "inception_resnet_v2",
    "inception_v3": "inception_v3",
    "mobilenet": "mobilenet",
    "mobilenet_v2": "mobilenet_v2",
    "mobilenet_v3_small": "mobilenet_v3",
    "nasnet_mobile": "nasnet",
    "resnet50": "resnet",
    "resnet50_v2": "resnet_v2",
    "vgg16": "vgg16",
    "vgg19": "vgg19",
    "xception": "xception",
}


def test_every_network_of_keras_applications_has_a_line():
    published = {name for name in dir(keras.applications) if name[0].isupper()}
    assert {spec.application.constructor for spec in SPECS.values() if spec.application} == published
    assert PARAMETERS.keys() == {name for name, spec in SPECS.items() if spec.application}


@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in PARAMETERS]
)
def test_parameters_and_features_are_those_of_keras(name):
    spec = SPECS[name]
    backbone = Backbone(name=name).build(ImageConfig(size=spec.min_size))
    assert backbone.name == "backbone"  # by which fine-tuning finds it
    assert backbone.output_shape == (None, spec.application.width)
    # The normalisation of the first EfficientNets has constants here: mean, variance and a count.
    constants = 7 if name.startswith("efficientnet_b") else 0
    assert backbone.count_params() == PARAMETERS[name] - constants
    keras.backend.clear_session()


@pytest.mark.parametrize("name", MODULES)
def test_preprocessing_is_that_of_keras(name):
    images = np.random.default_rng(4).integers(0, 256, (2, 7, 5, 3)).astype(np.float32)
    expected = getattr(keras.applications, MODULES[name]).preprocess_input(images.copy())
    kind = SPECS[name].application.preprocessing
    assert (kind == "inside") == np.array_equal(images, expected)
    x = keras.Input((7, 5, 3))
    preprocess = keras.Model(x, keras.layers.Identity()(applications.preprocess(x, kind)))
    np.testing.assert_allclose(preprocess(images), expected, rtol=1e-5, atol=1e-5)


def test_all_of_a_family_have_the_same_preprocessing():
    families = ("convnext", "densenet", "efficientnet", "mobilenet_v3", "nasnet", "vgg")
    for family in families:
        assert len({spec.application.preprocessing for name, spec in SPECS.items() if name.startswith(family)}) == 1
    kinds = {name: spec.application.preprocessing for name, spec in SPECS.items() if name.startswith("resnet")}
    assert {kind for name, kind in kinds.items() if name.endswith("_v2")} == {"tf"}
    assert {kind for name, kind in kinds.items() if not name.endswith("_v2")} == {"caffe"}


def is_normalization(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.Normalization)


class EfficientNetTest(tf.test.TestCase):
    def test_images_are_normalised_as_for_the_published_weights(self):
        """Keras adds a layer for `weights='imagenet'` alone, since the published variances are no squares."""
        keras.utils.set_random_seed(3)
        network = keras.applications.EfficientNetB0(
            include_top=False, weights=None, pooling="avg", input_shape=(32, 32, 3)
        )
        values = network.get_weights()
        values[:3] = [np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225]), np.array(0)]
        correct = keras.layers.Rescaling([1 / np.sqrt(deviation) for deviation in (0.229, 0.224, 0.225)])
        published = keras.models.clone_model(
            network,
            call_function=lambda layer, *args, **kwargs: (
                correct(layer(*args, **kwargs)) if is_normalization(layer) else layer(*args, **kwargs)
            ),
        )
        for model in (network, published):
            model.set_weights(values)
            next(filter(is_normalization, model.layers)).finalize_state()

        backbone = Backbone(name="efficientnet_b0").build(ImageConfig(size=32))
        weights.network_of(backbone).set_weights(values[3:])
        images = np.random.default_rng(1).integers(0, 256, (2, 32, 32, 3)).astype(np.float32)
        expected = published(images)
        self.assertAllClose(backbone(images), expected, rtol=1e-4, atol=1e-7)
        self.assertNotAllClose(network(images), expected, rtol=1e-2, atol=1e-7)


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet50", "inception_v3"])
def test_grey_images_are_repeated(name):
    size = SPECS[name].min_size
    grey, colour = (Backbone(name=name).build(ImageConfig(size=size, channels=channels)) for channels in (1, 3))
    assert [values.shape for values in grey.weights] == [values.shape for values in colour.weights]
    grey.set_weights(colour.get_weights())
    images = np.random.default_rng(2).integers(0, 256, (2, size, size, 1)).astype(np.float32)
    np.testing.assert_allclose(grey(images), colour(np.repeat(images, 3, axis=-1)), rtol=1e-6)
