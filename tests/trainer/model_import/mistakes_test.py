"""A wrong file, or a setting that is not so, gives one line that names the key and the way out."""

import keras
import numpy as np
import pytest
import tensorflow as tf

SIZE = {"size": 16, "channels": 1, "range": [-1, 1]}


def check(import_model, settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        import_model(settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("form", "changes", "message"),
    [
        ("SavedModel", {"input": {**SIZE, "size": 24}}, r"^input.size: 24, but '.*plain' takes .* 16 × 16 .*; set inp"),
        ("SavedModel", {"input": {**SIZE, "channels": 3}}, r"^input.channels: 3, but '.*plain' takes 1; set input"),
        ("SavedModel", {"input": None}, r"^input: missing, and '.*plain' does not say what pixels it takes; set input"),
        ("SavedModel", {"output": "probabilities"}, r"^output: 'probabilities', but '.*' gives numbers from -.*; set"),
        ("SavedModel", {"signature": "predict"}, r"^signature: 'predict' is not in '.*', which has serving_default; s"),
        ("SavedModel", {"output_key": "logits"}, r"^output_key: 'logits' is not among .*scores \[3, 5"),
        ("SavedModel", {"features_key": "features"}, r"^features_key: 'features' is no output .*penultimate \[3, 128"),
        ("SavedModel", {"labels": "six"}, r"^output_key: missing, and '.*' has the outputs .*; set it to the one with"),
        ("SavedModel", {"output_key": "scores", "labels": "six"}, r"^labels: '.*six' has 6 names, but .* has 5 output"),
        ("SavedModel", {"labels": None}, r"^labels: missing, and '.*plain' has none in it; name a file"),
        ("SavedModel", {"labels": "gone"}, r"^labels: '.*gone' cannot be read"),
        ("object", {"input": {**SIZE, "channels": 3}}, r"^input: '.*object' does not take 3 images of 16 × 16 × 3: "),
        ("object", {"labels": "six"}, r"^labels: '.*six' has 6 names, but '.*object' has 5 outputs; name the file"),
        ("own SavedModel", {"input": SIZE}, r"^input.range: \[-1.*\], but '.*own' takes 0 to 255; leave input out"),
        ("own SavedModel", {"input": {**SIZE, "size": 8}}, r"^input.size: 8, but '.*own' takes images of 16 × 16"),
        ("own SavedModel", {"labels": "six"}, r"^labels: '.*six', but '.*own' says itself what it has; leave it out"),
        ("own SavedModel", {"output": "probabilities"}, r"^output: 'probabilities', but '.*own' gives logits; leave i"),
        ("own SavedModel", {"loss": "sigmoid"}, r"^loss: 'sigmoid', but '.*own' was trained with softmax; set loss"),
        ("own keras", {"labels": "six"}, r"^labels: '.*six' has 6 names, but '.*own.keras' has 5 outputs; name the fi"),
        ("own keras", {"input": {**SIZE, "size": 8}}, r"^input.size: 8, but '.*own.keras' takes images of 16 × 16"),
        ("own keras", {"input": SIZE}, r"^input.range: \[-1.*\], but '.*own.keras' takes 0 to 255; leave it out"),
        ("keras", {"output": "logits"}, r"^output: 'logits', but those of '.*plain.keras' sum to 1; set output to pro"),
        ("keras", {"input": None}, r"^input: missing, and '.*plain.keras' does not say what pixels it takes"),
        ("keras", {"input": {**SIZE, "channels": 3}}, r"^input.channels: 3, but '.*plain.keras' takes 1; set"),
        ("weights", {"labels": "six"}, r"^weights: '.*model.weights.h5' has a head over 5 classes, but there are 6 la"),
        ("weights", {"weights": "other"}, r"^weights: '.*other.weights.h5' has .* numbers in .*; give a file of this"),
        ("weights", {"weights": "gone.h5"}, r"^weights: '.*gone.h5' does not exist"),
    ],
)
def test_what_the_settings_say_is_not_so(forms, import_model, form, changes, message):
    forms.write("six", "a\nb\nc\nd\ne\nf")
    if "weights" in changes:
        other = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4), keras.layers.Dense(5)])
        other.save_weights(forms.root / "other.weights.h5")
    names = {"six": "six", "gone": "gone", "other": "other.weights.h5", "gone.h5": "gone.h5"}
    paths = {
        key: str(forms.root / names[value]) if key in ("labels", "weights") and value else value
        for key, value in changes.items()
    }
    check(import_model, forms.settings(form, **paths), message)


@pytest.mark.parametrize(
    ("form", "name", "message"),
    [
        ("own SavedModel", "gone", r"^model: '.*gone' has no saved_model.pb in it; name the folder of a SavedModel, o"),
        ("own SavedModel", "broken", r"^model: '.*broken' cannot be loaded: "),
        ("own SavedModel", "artifact", r"^model: '.*artifact' has no saved_model.pb in it; name '.*Format-Serving'"),
        ("keras", "gone.keras", r"^model: '.*gone.keras' is not there; correct the path"),
        ("keras", "text.keras", r"^model: '.*text.keras' cannot be loaded: .*; name a"),
    ],
)
def test_files_that_are_no_models(forms, import_model, form, name, message):
    (forms.root / "broken").mkdir(exist_ok=True)
    forms.write("broken/saved_model.pb", "no model")
    (forms.root / "artifact" / "Format-Serving").mkdir(parents=True, exist_ok=True)
    forms.write("text.keras", "no model")
    check(import_model, forms.settings(form, model=str(forms.root / name)), message)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (keras.Sequential([keras.layers.Dense(5)]), r"^model: '.*odd.keras' is not a functional or sequential classif"),
        (
            keras.Sequential([keras.Input((16, 16, 1)), keras.layers.Lambda(lambda images: images)]),
            r"^model: '.*odd.keras' cannot be loaded: .*; name a .keras file .* or save yours as a SavedModel",
        ),
        (
            keras.Sequential([keras.Input((16, 16, 1)), keras.layers.Dense(5)]),
            r"^model: '.*odd.keras' is not a functional or sequential classifier with one output \[images, labels\]",
        ),
    ],
    ids=["unbuilt", "lambda", "no batch of logits"],
)
def test_networks_of_keras_that_are_no_classifiers(forms, import_model, model, message):
    model.save(forms.root / "odd.keras")
    check(import_model, forms.settings("keras", model=str(forms.root / "odd.keras")), message)


def test_weights_that_are_no_numbers(forms, import_model):
    model = keras.models.clone_model(forms.model)
    model.set_weights([np.full_like(values, np.nan) for values in model.get_weights()])
    model.save_weights(forms.root / "nan.weights.h5")
    settings = forms.settings("weights", weights=str(forms.root / "nan.weights.h5"))
    check(import_model, settings, r"^model: '.*nan.weights.h5' gives nan for images of noise; name another")


def test_weights_that_were_cut_off(forms, import_model):
    whole = (forms.root / "model.weights.h5").read_bytes()
    (forms.root / "cut.weights.h5").write_bytes(whole[: len(whole) // 2])
    settings = forms.settings("weights", weights=str(forms.root / "cut.weights.h5"))
    check(import_model, settings, r"^weights: '.*cut.weights.h5' cannot be read: .*; copy the whole file again")


class _Odd(tf.Module):
    """Signatures that no classifier of images has."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def by_text(self, examples):
        return {"logits": tf.zeros([tf.size(examples), 5])}

    @tf.function(input_signature=[tf.TensorSpec([1, 16, 16, 1], name="images")])
    def one_by_one(self, images):
        return {"logits": tf.zeros([1, 5])}

    @tf.function(input_signature=[tf.TensorSpec([None, 16, 16, 1], name=name) for name in ("before", "after")])
    def of_pairs(self, before, after):
        return {"logits": tf.reduce_sum(after - before, [1, 2])}

    @tf.function(input_signature=[tf.TensorSpec([None, 16, 24, 1], name="images")])
    def wide(self, images):
        return {"logits": tf.zeros([tf.shape(images)[0], 5])}

    @tf.function(input_signature=[tf.TensorSpec([None, 16, 16, 1], tf.uint8, name="images")])
    def of_bytes(self, images):
        return {"logits": tf.reduce_sum(tf.cast(images, tf.float32), [2])[:, :5, 0]}

    @tf.function(input_signature=[tf.TensorSpec([None, 16, 16, 1], name="images")])
    def broken(self, images):
        return {"logits": tf.fill([tf.shape(images)[0], 5], float("nan"))}

    @tf.function(input_signature=[tf.TensorSpec([None, 16, 16, 1], name="images")])
    def independent(self, images):
        return {"probabilities": tf.sigmoid(tf.reduce_sum(images, [2])[:, :5, 0])}


@pytest.fixture(scope="module")
def odd(tmp_path_factory) -> str:
    folder, module = str(tmp_path_factory.mktemp("odd")), _Odd()
    names = ("by_text", "one_by_one", "of_pairs", "wide", "of_bytes", "broken", "independent")
    tf.saved_model.save(module, folder, signatures={name: getattr(module, name) for name in names})
    return folder


@pytest.mark.parametrize(
    ("signature", "changes", "message"),
    [
        (None, {}, r"^signature: 'serving_default' is not in '.*', which has .*by_text.*; set signature to one"),
        ("by_text", {}, r"^signature: 'by_text' of '.*' takes string, not images; set signature to one of "),
        ("one_by_one", {}, r"^model: '.*' takes 1 image at a time; save it again with a batch of any size"),
        ("of_pairs", {}, r"^signature: 'of_pairs' of '.*' takes after, before; set signature to one that takes images"),
        ("wide", {}, r"^input.size: 16, but '.*' takes images of 16 × 24 pixels; name a model that takes squares"),
        ("of_bytes", {}, r"^input.range: \[-1.*\], but '.*' takes bytes; set it to \[0, 255\]"),
        ("broken", {}, r"^model: '.*' gives nan for images of noise; name another"),
        ("independent", {"output": "probabilities"}, r"^loss: 'softmax', but the probabilities of '.*' sum to .*; set"),
    ],
)
def test_signatures_that_do_not_fit(forms, odd, import_model, signature, changes, message):
    settings = forms.settings("SavedModel", model=odd, signature=signature, **changes)
    check(import_model, settings, message)


def test_bytes_and_sigmoids_are_taken(forms, odd, import_model):
    settings = {"model": odd, "signature": "of_bytes", "input": {**SIZE, "range": [0, 255]}}
    of_bytes = import_model(forms.settings("SavedModel", **settings), "bytes")
    found = tf.saved_model.load(f"{of_bytes}/Format-Serving").signatures["features"](pixels=forms.pixels)["logits"]
    expected = forms.pixels.astype("float32").sum(axis=2)[:, :5, 0]
    assert found.numpy() == pytest.approx(expected)
    settings = {"signature": "independent", "output": "probabilities", "loss": "sigmoid"}
    independent = import_model(forms.settings("SavedModel", model=odd, **settings), "sigmoids")
    signatures = tf.saved_model.load(f"{independent}/Format-Serving").signatures
    logits = signatures["features"](pixels=forms.pixels)["logits"].numpy()
    scaled = forms.pixels.astype("float32") / 127.5 - 1
    assert logits == pytest.approx(scaled.sum(axis=2)[:, :5, 0], abs=1e-3)
    encoded = tf.stack([tf.io.encode_png(pixels) for pixels in forms.pixels])
    answers = signatures["image_bytes"](image_bytes=encoded)["probabilities"].numpy()
    assert answers == pytest.approx(tf.sigmoid(logits).numpy(), abs=1e-6)
