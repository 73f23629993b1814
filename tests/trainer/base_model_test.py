"""The model that a training starts from."""

import keras
import numpy as np
import pytest

from trainer import serving
from trainer.base_model import Pretrained
from trainer.models import classifier
from trainer.models.backbone import Backbone, ImageConfig

NAMES = ("a", "b", "c")
IMAGE = ImageConfig(size=16, channels=1)
BACKBONE = Backbone(name="compact_cnn")
AUXILIARY = Backbone(name="amoebanet_b", options={"normal_cells": 3, "filters": 16, "auxiliary": True})


def with_random_weights(model: keras.Model) -> keras.Model:
    random = np.random.default_rng(3)
    model.set_weights([random.normal(size=values.shape) for values in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> tuple[str, keras.Model]:
    """The folder of a model of three labels, and the model."""
    folder = tmp_path_factory.mktemp("model")
    model = with_random_weights(classifier.build(BACKBONE.build(IMAGE), len(NAMES)))
    serving.ServingModule(model, IMAGE, NAMES).export(
        saved_model=str(folder / "Format-Serving"), keras_file=str(folder / serving.KERAS_FILE)
    )
    return str(folder), model


def test_all_weights_are_copied_and_those_of_the_heads_label_by_label(written):
    folder, base = written
    backbone = BACKBONE.build(IMAGE)
    model = classifier.build(backbone, len(NAMES), dropout=0.5)
    Pretrained(folder).copy_backbone(backbone, BACKBONE)
    Pretrained(folder).copy_heads(model, ("c", "a", "b"))
    for own, expected in zip(backbone.get_weights(), classifier.backbone_of(base).get_weights(), strict=True):
        np.testing.assert_array_equal(own, expected)
    kernel, bias = base.get_layer("head").get_weights()
    np.testing.assert_array_equal(model.get_layer("head").get_weights()[0], kernel[:, [2, 0, 1]])
    np.testing.assert_array_equal(model.get_layer("head").get_weights()[1], bias[[2, 0, 1]])


def test_an_auxiliary_head_of_a_model_that_does_not_tell_its_labels(tmp_path):
    model = with_random_weights(classifier.build(AUXILIARY.build(ImageConfig(size=32, channels=1)), 2))
    (tmp_path / "Format-Keras").mkdir()
    model.save(tmp_path / serving.KERAS_FILE)
    again = classifier.build(AUXILIARY.build(ImageConfig(size=32, channels=1)), 2)
    Pretrained(str(tmp_path)).copy_heads(again, ("x", "y"))
    for name in ("head", "auxiliary_head"):
        for own, expected in zip(again.get_layer(name).get_weights(), model.get_layer(name).get_weights(), strict=True):
            np.testing.assert_array_equal(own, expected)


def test_the_backbone_itself(written):
    folder, base = written
    backbone = Pretrained(folder).backbone_for(IMAGE)
    for own, expected in zip(backbone.get_weights(), classifier.backbone_of(base).get_weights(), strict=True):
        np.testing.assert_array_equal(own, expected)
    with pytest.raises(ValueError, match=r"image: \(24, 24, 1\) .* but the base model takes \(16, 16, 1\); set image"):
        Pretrained(folder).backbone_for(ImageConfig(size=24, channels=1))


def test_another_backbone(written):
    other = BACKBONE.build(ImageConfig(size=16, channels=3))
    before = other.get_weights()
    with pytest.raises(ValueError, match=r"backbone: compact_cnn \{\} has 144,288 numbers .* has 144,000 numbers"):
        Pretrained(written[0]).copy_backbone(other, BACKBONE)
    for own, expected in zip(other.get_weights(), before, strict=True):
        np.testing.assert_array_equal(own, expected)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ("a", "b"),
            "base_model: has 3 classes, but the vocabulary 2 labels; give a model that was trained on the same",
        ),
        (("a", "b", "x"), r"base_model: its labels are not .* lacks 1 \(\['x'\]\) and has 1 others \(\['c'\]\)"),
    ],
)
def test_other_labels(written, names, message):
    with pytest.raises(ValueError, match=message):
        Pretrained(written[0]).copy_heads(classifier.build(BACKBONE.build(IMAGE), len(names)), names)
