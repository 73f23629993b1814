"""Backbones that a function builds."""

import subprocess
import sys

import keras
import numpy as np
import pydantic
import pytest

from trainer.component import version_of
from trainer.models import classifier, saved, weights
from trainer.models.backbone import Backbone, ImageConfig

IMAGE = ImageConfig(size=16, channels=1)
MODULE = """
import keras

from {package} import blocks

NUMBER = 3


def build(image, *, width=5, name="anything"):
    images = keras.Input((image.size, image.size, image.channels))
    x = blocks.Scale()(keras.layers.Conv2D(width, 3)(images))
    return keras.Model(images, keras.layers.GlobalAveragePooling2D()(x), name=name)


def with_auxiliary(image):
    model = build(image)
    return keras.Model(model.input, {{"features": model.output, "auxiliary": keras.layers.Dense(2)(model.output)}})


def other_outputs(image):
    model = build(image)
    return keras.Model(model.input, {{"features": model.output, "logits": model.output}})


def maps(image):
    images = keras.Input((image.size, image.size, image.channels))
    return keras.Model(images, keras.layers.Conv2D(2, 3)(images))


def integers(image):
    images = keras.Input((image.size, image.size, image.channels))
    return keras.Model(images, keras.ops.cast(keras.ops.sum(images, axis=(1, 2)), "int32"))


def other_images(image):
    images = keras.Input((image.size, image.size, 3))
    return keras.Model(images, keras.layers.GlobalAveragePooling2D()(images))


def a_layer(image):
    return keras.layers.Dense(3)


class Shift(keras.layers.Layer):
    def call(self, x):
        return x + 1


def unregistered(image):
    model = build(image)
    return keras.Model(model.input, Shift()(model.output))


def failing(image):
    raise RuntimeError(f"{{image.size}} is too small\\nfor me")


def with_lambda(image):
    model = build(image)
    return keras.Model(model.input, keras.layers.Lambda(lambda x: 2 * x)(model.output))
"""
BLOCKS = """
import keras


@keras.saving.register_keras_serializable("{package}")
class Scale(keras.layers.Layer):
    def build(self, shape):
        self.factor = self.add_weight(name="factor", shape=(shape[-1],), initializer="ones")

    def call(self, x):
        return x * self.factor
"""


@pytest.fixture
def package(tmp_path, monkeypatch, request) -> str:
    """The name of a package with functions that build networks; each test has its own, since Python keeps modules."""
    name = f"networks_{abs(hash(request.node.nodeid))}"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "models.py").write_text(MODULE.format(package=name))
    (folder / "broken.py").write_text("def build(")
    (folder / "blocks.py").write_text(BLOCKS.format(package=name))
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_a_network_of_ones_own(package):
    backbone = Backbone(function=f"{package}.models.build", options={"width": 7})
    model = backbone.build(IMAGE)
    assert (model.name, model.input_shape, model.output_shape) == ("backbone", (None, 16, 16, 1), (None, 7))
    auxiliary = Backbone(function=f"{package}.models.with_auxiliary").build(IMAGE)
    assert set(classifier.build(auxiliary, 3).output) == {"logits", "features", "auxiliary_logits"}


def test_another_process_loads_what_was_saved(package, tmp_path):
    model = classifier.build(Backbone(function=f"{package}.models.build").build(IMAGE), 3)
    model.save(tmp_path / "model.keras")
    images = np.random.default_rng(3).integers(0, 256, (2, 16, 16, 1)).astype(np.float32)
    np.save(tmp_path / "images.npy", images)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import keras, numpy as np; "
        "from trainer.models import saved; model = saved.load(sys.argv[1] + '/model.keras'); "
        "np.save(sys.argv[1] + '/logits.npy', model(np.load(sys.argv[1] + '/images.npy'))['logits'])"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True, timeout=120)
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), model(images)["logits"], rtol=1e-6)


def test_a_package_that_is_gone(package, tmp_path, monkeypatch):
    classifier.build(Backbone(function=f"{package}.models.build").build(IMAGE), 3).save(tmp_path / "model.keras")
    monkeypatch.setitem(sys.modules, f"{package}.blocks", None)
    with pytest.raises(ValueError, match=rf"^base_model: has layers of {package}\.blocks, which cannot be imported"):
        saved.load(str(tmp_path / "model.keras"))


def test_its_weights_are_loaded_from_files_of_its_own(package, tmp_path, jitter):
    backbone = Backbone(function=f"{package}.models.build").build(IMAGE)
    network = weights.network_of(backbone)
    assert network.name == "anything"
    jitter(network)
    network.save_weights(tmp_path / "own.weights.h5")
    other = Backbone(function=f"{package}.models.build").build(IMAGE)
    weights.load_backbone_weights(other, str(tmp_path / "own.weights.h5"))
    for found, expected in zip(other.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("other_outputs", "has the outputs features, logits; it has to return the features alone, or"),
        ("maps", r"the features of .* are float32 \(None, 14, 14, 2\); they have to be float \[batch, width\]"),
        ("integers", r"the features of .* are int32 \(None, 1\); they have to be float"),
        ("other_images", r"takes \(None, 16, 16, 3\), not images \(None, 16, 16, 1\); build it for image.size and"),
        ("a_layer", "returned Dense; it has to return a keras.Model"),
        ("unregistered", "cannot be saved and loaded: Could not locate class 'Shift'; give its own layers"),
        ("failing", "models.failing failed with RuntimeError: 16 is too small; correct it, or backbone.options"),
        ("with_lambda", "cannot be saved and loaded: .*use no Lambda layer"),
    ],
)
def test_models_that_are_no_backbone(package, function, message):
    with pytest.raises(ValueError, match=rf"^backbone\.function: .*{message}") as error:
        Backbone(function=f"{package}.models.{function}").build(IMAGE)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("build", "'build' is no dotted path of a function; write it as package.module.build"),
        ("a b.c", "'a b.c' is no dotted path"),
        ("{package}.nowhere.build", r"cannot be imported \(No module named .*\); install its package"),
        ("{package}.models.bild", "{package}.models has no 'bild'; correct the path"),
        (
            "{package}.broken.build",
            "cannot be imported: {package}.broken failed with SyntaxError: .*; correct the modu",
        ),
        ("{package}.models.NUMBER", "is a int, not a function"),
    ],
)
def test_paths_without_a_function(package, path, message):
    with pytest.raises(pydantic.ValidationError, match=message.format(package=package)) as error:
        Backbone(function=path.format(package=package))
    assert [entry["loc"] for entry in error.value.errors()] == [("function",)]


def test_options_that_it_does_not_take(package):
    with pytest.raises(
        pydantic.ValidationError, match=r"\{'widht': 3\} do not fit .*unexpected keyword argument 'widht'"
    ):
        Backbone(function=f"{package}.models.build", options={"widht": 3})


def test_the_cache_key_holds_the_code_of_its_package(package, tmp_path):
    def version(name: str = "build") -> str:
        config = {"backbone": Backbone(function=f"{package}.models.{name}").model_dump()}
        return version_of("trainer.pretrain.run_fn", config)

    before = version()
    assert version() == before
    for file in ("models.py", "blocks.py"):
        path = tmp_path / package / file
        text = path.read_text()
        path.write_text(text + "\nCHANGED = True\n")
        assert version() != before
        path.write_text(f"# Other words.\n{text}")
        assert version() == before
        path.write_text(text)


def test_the_model_of_a_function_is_named_by_us(package):
    backbone = Backbone(function=f"{package}.models.build", options={"name": "backbone"})
    model = classifier.build(backbone.build(IMAGE), 2)
    assert classifier.backbone_of(model).output_shape == (None, 5)
    assert isinstance(weights.network_of(classifier.backbone_of(model)), keras.Model)
