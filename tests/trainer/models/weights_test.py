"""Weights from files: every format gives the weights that were saved, and another network's are refused as a whole."""

import pathlib
import re

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.models import classifier, weights
from trainer.models.backbone import Backbone, ImageConfig

IMAGE = ImageConfig(size=32)


def slow(value):
    return pytest.param(value, marks=pytest.mark.slow)


FORMATS = (".weights.h5", ".keras", ".h5", "-layers.h5")
# The others are an archive of the first, and the last in a group.
TWO_FORMATS = [ending if ending[0] == "-" or "weights" in ending else slow(ending) for ending in FORMATS]


def build(name: str = "mobilenet", **changes) -> keras.Model:
    return Backbone(name=name).build(IMAGE.model_copy(update=changes))


def with_head(name: str, classes: int = 5) -> keras.Model:
    """Returns the network of keras.applications with its published head."""
    return getattr(keras.applications, name)(weights=None, classes=classes, input_shape=(32, 32, 3))


def assert_equal(model: keras.Model, expected: list[np.ndarray]) -> None:
    for found, values in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(found, values)


@pytest.fixture
def save(tmp_path, jitter, write_layers):
    """Saves a model, whose weights it changes before, in one of the formats; returns the path."""

    def save(model: keras.Model, ending: str) -> str:
        jitter(model)
        path = tmp_path / f"saved{ending}"
        if ending == ".weights.h5":
            model.save_weights(path)
        elif ending == "-layers.h5":
            write_layers(model, path)
        else:
            model.save(path)
        return str(path)

    return save


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("what", ["network", "published head", "backbone", "classifier"])
def test_every_format_of_every_model_around_the_network(save, what, ending):
    backbone = build()
    model = {
        "network": lambda: weights.network_of(backbone),
        "published head": lambda: with_head("MobileNet"),
        "backbone": lambda: backbone,
        "classifier": lambda: classifier.build(backbone, 7, dropout=0.5),
    }[what]()
    path = save(model, ending)
    expected = model.get_weights()[:-2] if what in ("published head", "classifier") else model.get_weights()
    other = build(channels=1)  # whose input is another one, and whose weights are the same
    weights.load_backbone_weights(other, path)
    assert_equal(other, expected)


@pytest.mark.parametrize(
    ("name", "constructor", "head"),
    [("mobilenet_v2", "MobileNetV2", 2), ("mobilenet_v3_small", "MobileNetV3Small", 4), ("vgg16", "VGG16", 6)],
)
def test_heads_of_other_kinds_are_left_out(save, name, constructor, head):
    for ending in (".weights.h5", "-layers.h5"):
        model = with_head(constructor)
        path = save(model, ending)
        backbone = build(name)
        weights.load_backbone_weights(backbone, path)
        assert_equal(backbone, model.get_weights()[:-head])


@pytest.mark.parametrize("name", ["compact_cnn", "amoebanet_b"])
def test_networks_that_are_all_in_one(save, name):
    options = {"amoebanet_b": {"normal_cells": 3, "filters": 16, "auxiliary": True, "drop_path": 0.1}}.get(name, {})
    backbone = Backbone(name=name, options=options)
    model = classifier.build(backbone.build(IMAGE), 4)
    path = save(model, ".keras")
    other = backbone.build(IMAGE)
    weights.load_backbone_weights(other, path)
    assert_equal(other, classifier.backbone_of(model).get_weights())


def test_a_trained_classifier_with_its_optimiser(tmp_path):
    model = classifier.build(Backbone(name="compact_cnn").build(IMAGE), 4)
    model.compile("adam", {"logits": keras.losses.SparseCategoricalCrossentropy(from_logits=True)})
    model.fit(np.ones((2, 32, 32, 3)), {"logits": np.array([0, 1])}, verbose=0)
    model.save(tmp_path / "trained.keras")
    other = Backbone(name="compact_cnn").build(IMAGE)
    weights.load_backbone_weights(other, str(tmp_path / "trained.keras"))
    assert_equal(other, classifier.backbone_of(model).get_weights())


def test_a_network_inside_another_model(save):
    images = keras.Input((32, 32, 3))
    network = weights.network_of(build())
    x = keras.layers.Dense(9, "relu")(keras.layers.BatchNormalization()(network(images)))
    path = save(keras.Model(images, keras.layers.Dense(3)(x)), ".keras")
    other = build()
    weights.load_backbone_weights(other, path)
    assert_equal(other, network.get_weights())


def published_efficientnet(variance: tuple[float, ...]) -> keras.Model:
    network = keras.applications.EfficientNetB0(weights=None, classes=3, input_shape=(32, 32, 3))
    row = next(layer for layer in network.layers if isinstance(layer, keras.layers.Normalization))
    row.set_weights([np.array([0.485, 0.456, 0.406]), np.array(variance), np.array(0)])
    return network


@pytest.mark.parametrize("ending", TWO_FORMATS)
def test_the_normalisation_of_efficientnet_has_to_be_the_published_one(tmp_path, write_layers, ending):
    def write(variance: tuple[float, ...]) -> tuple[str, list[np.ndarray]]:
        network, path = published_efficientnet(variance), tmp_path / f"efficientnet{ending}"
        if ending == "-layers.h5":
            write_layers(network, path)
        else:
            (network.save_weights if ending == ".weights.h5" else network.save)(path)
        return str(path), network.get_weights()[3:-2]

    backbone = build("efficientnet_b0")
    path, expected = write((0.229, 0.224, 0.225))
    weights.load_backbone_weights(backbone, path)
    assert_equal(backbone, expected)
    path, _ = write((1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match=r"were trained on images normalised by .* variance of \[1.0, 1.0, 1.0\]"):
        weights.load_backbone_weights(backbone, path)


@pytest.mark.parametrize("ending", TWO_FORMATS)
@pytest.mark.parametrize("constructor", ["MobileNetV3Small", slow("ResNet50")])
def test_another_network_is_refused_in_one_line(save, constructor, ending):
    path = save(with_head(constructor), ending)
    with pytest.raises(
        ValueError, match=rf"^weights: '{re.escape(path)}' has [\d,]+ numbers in \d+ weights, but"
    ) as error:
        weights.load_backbone_weights(build(), path)
    assert "mobilenet_1.00_32 has 3,228,864 numbers in 135 weights; give a file of this network" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("ending", TWO_FORMATS)
def test_a_network_that_begins_alike_is_refused(save, ending):
    path = save(with_head("VGG19"), ending)
    with pytest.raises(ValueError, match="but vgg16 has 14,714,688 numbers in 26 weights"):
        weights.load_backbone_weights(build("vgg16"), path)


def test_a_file_with_parts_missing_is_refused(save):
    path = save(build(), ".weights.h5")
    with h5py.File(path, "a") as file:
        del file["layers/functional/layers/conv2d/vars/0"]
    with pytest.raises(ValueError, match="has 3,228,000 numbers in 134 weights"):
        weights.load_backbone_weights(build(), path)


def test_the_same_shapes_in_other_places_are_refused(save):
    path = save(weights.network_of(build()), ".weights.h5")
    with h5py.File(path, "a") as file:
        file.move("layers/conv2d_1", "layers/elsewhere")
    with pytest.raises(ValueError, match="give a file of this network"):
        weights.load_backbone_weights(build(), path)


def test_what_is_no_file_of_weights(tmp_path):
    backbone = build()
    (tmp_path / "folder").mkdir()
    (tmp_path / "pointer.h5").write_text("version https://git-lfs.github.com/spec/v1\n")
    for name, message in (
        ("missing.h5", "does not exist; give a .weights.h5, .keras or .h5 file"),
        ("folder", "is a folder without model.weights.h5; give"),
        ("pointer.h5", "is not a file of weights; give"),
    ):
        path = str(tmp_path / name)
        with pytest.raises(ValueError, match=rf"^weights: '{re.escape(path)}' {message}"):
            weights.load_backbone_weights(backbone, path)


def test_files_elsewhere(save):
    backbone = build()
    local = pathlib.Path(save(backbone, ".keras"))
    tf.io.gfile.copy(str(local), "ram://weights/saved.keras", overwrite=True)
    other = build()
    weights.load_backbone_weights(other, "ram://weights/saved.keras")
    assert_equal(other, backbone.get_weights())
