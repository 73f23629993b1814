"""A classifier says the same whichever way it comes in."""

import os
import pathlib
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from components import storage
from components.artifacts import model_labels
from trainer import serving
from trainer.base_model import Pretrained
from trainer.model_import.component import ModelImporter

NAMES = ("owl", "crow", "wren", "tit, great", "jay")
FORMS = ["weights", "own SavedModel", "SavedModel", "object", "own keras", "keras"]
OF_KERAS = ["weights", "own keras"]
PLAIN = ["SavedModel", "object"]


def check_form(forms, folder: str, form: str) -> None:
    """Checks that the model in `folder` says what the network itself says."""
    served = os.path.join(folder, "Format-Serving")
    assert model_labels.read(served) == NAMES
    assert model_labels.read_map(served) == ()
    signatures = tf.saved_model.load(served).signatures
    found = signatures["features"](pixels=forms.pixels)
    expected = {name: values.numpy() for name, values in forms.model(forms.pixels, training=False).items()}
    assert (np.ptp(expected["logits"], axis=0) > 1e-2).all()  # else mixed-up images would not be seen
    logits = found["logits"].numpy()
    if form == "keras":  # a softmax forgets what all logits of an image share
        logits += (expected["logits"] - logits).mean(axis=1, keepdims=True)
    np.testing.assert_allclose(logits, expected["logits"], rtol=1e-5, atol=1e-5)
    assert ("features" in found) == (form not in PLAIN)
    if "features" in found:
        np.testing.assert_allclose(found["features"], expected["features"], rtol=1e-5, atol=1e-5)
    encoded = [tf.io.encode_png(pixels).numpy() for pixels in forms.pixels]
    answers = signatures["image_bytes"](image_bytes=tf.constant(encoded))
    probabilities = tf.nn.softmax(expected["logits"]).numpy()
    np.testing.assert_allclose(answers["probabilities"], probabilities, atol=1e-5)
    assert answers["top_labels"].numpy()[0, 0].decode() == NAMES[probabilities[0].argmax()]
    assert pathlib.Path(folder, serving.KERAS_FILE).exists() == (form in OF_KERAS)


@pytest.mark.parametrize("form", FORMS)
def test_the_same_logits(forms, import_model, form):
    check_form(forms, import_model(forms.settings(form)), form)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_the_same_logits_of_inception(make_forms, import_model, form):
    forms = make_forms("inception_v3")
    check_form(forms, import_model(forms.settings(form)), form)


@pytest.mark.parametrize("form", OF_KERAS)
def test_a_training_can_start_from_a_network_of_keras(forms, import_model, form):
    base = Pretrained(import_model(forms.settings(form)))
    backbone, other = base.backbone_for(forms.image), forms.backbone.build(forms.image)
    assert len(backbone.trainable_weights) == len(other.trainable_weights) > 0
    base.copy_backbone(other, forms.backbone)
    expected = forms.model(forms.pixels, training=False)["features"]
    for network in (backbone, other):
        np.testing.assert_allclose(network(forms.pixels, training=False), expected, atol=1e-5)


def test_a_sequential_network_of_keras(forms, import_model):
    head = keras.layers.Dense(len(NAMES))
    layers = [keras.layers.Rescaling(255.0), forms.model.get_layer("backbone"), head, keras.layers.Softmax()]
    model = keras.Sequential([keras.Input(forms.model.input_shape[1:]), *layers])
    head.set_weights(forms.model.get_layer("head").get_weights())
    model.save(forms.root / "sequential.keras")
    check_form(forms, import_model(forms.settings("keras", model=str(forms.root / "sequential.keras"))), "keras")


def test_the_features_of_a_saved_model_that_tells_them(forms, import_model):
    settings = forms.settings("SavedModel", output_key="scores", features_key="penultimate")
    features = tf.saved_model.load(f"{import_model(settings)}/Format-Serving").signatures["features"]
    assert features.structured_outputs["features"].shape.as_list() == [None, 128]
    found = features(pixels=forms.pixels)["features"]
    np.testing.assert_allclose(found, forms.model(forms.pixels, training=False)["features"], atol=1e-5)


def test_it_decodes_what_it_takes_and_not_what_the_run_takes(forms, import_model):
    served = tf.saved_model.load(f"{import_model(forms.settings('SavedModel'))}/Format-Serving")
    large = np.random.default_rng(3).integers(0, 256, (90, 120, 3), np.uint8)
    pixels = served.signatures["decode"](encoded=tf.io.encode_png(large))["pixels"]
    assert pixels.shape == (16, 16, 1)


def test_it_stays_when_the_file_goes(forms, import_model, tmp_path):
    shutil.copytree(forms.root / "plain", tmp_path / "gone")
    folder = import_model(forms.settings("SavedModel", model=str(tmp_path / "gone")))
    shutil.rmtree(tmp_path / "gone")
    found = tf.saved_model.load(f"{folder}/Format-Serving").signatures["features"](pixels=forms.pixels)
    np.testing.assert_allclose(found["logits"], forms.model(forms.pixels, training=False)["logits"], atol=1e-5)


def test_another_file_is_another_cache_key(forms, tmp_path):
    def key(settings: dict) -> dict:
        fingerprint = storage.find_sha256(settings["model"])
        return ModelImporter(kind="classifier", settings=settings, fingerprint=fingerprint).exec_properties

    first = key(forms.settings("own keras"))
    assert key(forms.settings("own keras")) == first
    changed = tmp_path / "own.keras"
    changed.write_bytes((forms.root / "own.keras").read_bytes() + b"\0")
    other = key(forms.settings("own keras", model=str(changed)))
    assert other["fingerprint"] != first["fingerprint"]


def test_what_the_labels_may_be_called_lies_beside_them(forms, import_model):
    pairs = forms.write("map.csv", 'label,source\nowl,bird\n"tit, great",bird\njay,\n')
    folder = import_model(forms.settings("own SavedModel", label_map=pairs))
    assert model_labels.read_map(f"{folder}/Format-Serving") == (("owl", "bird"), ("tit, great", "bird"), ("jay", ""))
