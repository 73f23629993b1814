"""Classifiers with their published heads."""

import re

import keras
import numpy as np
import pytest

from trainer.models import classifier, published, weights
from trainer.models.backbone import Backbone, ImageConfig
from trainer.models.registry import SPECS


def preprocess(images: np.ndarray, name: str) -> np.ndarray:
    kind = SPECS[name].application.preprocessing
    return images if kind == "inside" else keras.applications.imagenet_utils.preprocess_input(images.copy(), mode=kind)


def images_of(size: int) -> np.ndarray:
    return np.random.default_rng(6).integers(0, 256, (2, size, size, 3)).astype(np.float32)


@pytest.mark.parametrize("ending", [".weights.h5", ".keras", "-layers.h5"])
@pytest.mark.parametrize(
    ("name", "width"),
    [
        ("mobilenet", None),
        pytest.param("mobilenet_v2", None, marks=pytest.mark.slow),
        ("mobilenet_v3_small", 1024),
        pytest.param("vgg16", 4096, marks=pytest.mark.slow),  # half a gigabyte
        pytest.param("convnext_tiny", None, marks=pytest.mark.slow),
        pytest.param("densenet121", None, marks=pytest.mark.slow),
        pytest.param("efficientnet_v2_b0", None, marks=pytest.mark.slow),
        pytest.param("inception_resnet_v2", None, marks=pytest.mark.slow),
        pytest.param("nasnet_mobile", None, marks=pytest.mark.slow),
        pytest.param("resnet50", None, marks=pytest.mark.slow),
        pytest.param("resnet50_v2", None, marks=pytest.mark.slow),
        pytest.param("xception", None, marks=pytest.mark.slow),
    ],
)
def test_logits_are_those_of_keras(tmp_path, jitter, write_layers, name, width, ending):
    application, size = SPECS[name].application, max(64, SPECS[name].min_size)
    network = getattr(keras.applications, application.constructor)(
        weights=None, classes=7, input_shape=(size, size, 3), classifier_activation=None
    )
    jitter(network)
    path = tmp_path / f"saved{ending}"
    if ending == "-layers.h5":
        write_layers(network, path)
    else:
        (network.save if ending == ".keras" else network.save_weights)(path)
    images = images_of(size)
    expected = network(preprocess(images, name)).numpy()
    assert expected.std() > 1e-3

    model = published.load_classifier(Backbone(name=name), ImageConfig(size=size), 7, str(path))
    outputs = model(images)
    np.testing.assert_allclose(outputs["logits"], expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    assert outputs["features"].shape == (2, width or application.width)
    if width is None:
        kernel, bias = model.get_layer("head").get_weights()
        np.testing.assert_allclose(outputs["features"] @ kernel + bias, outputs["logits"], rtol=1e-4, atol=1e-4)
        assert classifier.backbone_of(model).input_shape == (None, size, size, 3)
    else:
        assert "backbone" not in [layer.name for layer in model.layers]
    model.save(tmp_path / "again.keras")
    again = keras.saving.load_model(tmp_path / "again.keras", compile=False)(images)
    np.testing.assert_array_equal(again["logits"], outputs["logits"])


@pytest.mark.parametrize("ending", [".weights.h5", ".keras", ".h5"])
@pytest.mark.parametrize(
    ("backbone", "size"),
    [
        (Backbone(name="compact_cnn"), 16),
        pytest.param(Backbone(name="inception_v3", options={"width": 0.25}), 75, marks=pytest.mark.slow),
        pytest.param(Backbone(name="mobilenet_v3_small"), 32, marks=pytest.mark.slow),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_classifiers_of_this_trainer(tmp_path, jitter, backbone, size, ending):
    image = ImageConfig(size=size)
    source = classifier.build(backbone.build(image), 5)
    jitter(source)
    path = tmp_path / f"saved{ending}"
    (source.save_weights if ending == ".weights.h5" else source.save)(path)
    model = published.load_classifier(backbone, image, 5, str(path))
    images = images_of(size)
    np.testing.assert_array_equal(model(images)["logits"], source(images)["logits"])


def test_files_that_do_not_fit(tmp_path):
    backbone, image = Backbone(name="mobilenet_v2"), ImageConfig(size=32)
    arguments = {"weights": None, "input_shape": (32, 32, 3)}
    keras.applications.MobileNetV2(include_top=False, **arguments).save(tmp_path / "notop.keras")
    keras.applications.MobileNetV2(classes=1000, **arguments).save_weights(tmp_path / "top.weights.h5")
    keras.applications.MobileNet(classes=3, **arguments).save(tmp_path / "other.keras")
    for name, message in (
        ("notop.keras", "has no head, only the network below it; give the file with the head"),
        ("top.weights.h5", "has a head over 1,000 classes, but there are 3 labels; give the labels of this head"),
        ("other.keras", "but mobilenetv2_1.00_32 has 2,257,984 numbers in 260 weights; give a file of this network"),
        ("nowhere.keras", "does not exist; give a .weights.h5"),
    ):
        path = str(tmp_path / name)
        with pytest.raises(ValueError, match=rf"^weights: '{re.escape(path)}' .*{message}"):
            published.load_classifier(backbone, image, 3, path)


def test_the_head_of_vgg_fits_one_size_of_images(tmp_path, jitter):
    network = keras.applications.VGG16(weights=None, classes=3, input_shape=(32, 32, 3))
    network.save_weights(tmp_path / "vgg.weights.h5")
    path = str(tmp_path / "vgg.weights.h5")
    with pytest.raises(ValueError, match="give a file of this network, of the same options and size of the images"):
        published.load_classifier(Backbone(name="vgg16"), ImageConfig(size=64), 3, path)
    backbone = Backbone(name="vgg16").build(ImageConfig(size=64))  # which has no head
    weights.load_backbone_weights(backbone, path)
    np.testing.assert_array_equal(backbone.get_weights()[0], network.get_weights()[0])
