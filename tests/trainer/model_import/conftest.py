"""Networks that were trained a little, in all forms in which a classifier may come."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf
from tfx.types import standard_artifacts

from trainer import serving
from trainer.loop import fit
from trainer.model_import import executor
from trainer.model_import.component import ModelImporter
from trainer.models import classifier
from trainer.models.backbone import Backbone, ImageConfig
from trainer.recipes import Recipe

NAMES = ("owl", "crow", "wren", "tit, great", "jay")


@dataclasses.dataclass
class Forms:
    """A classifier in the folder `root`, and images for it."""

    root: pathlib.Path
    backbone: Backbone
    image: ImageConfig
    model: keras.Model
    pixels: np.ndarray

    def settings(self, form: str, **changes) -> dict:
        """Returns the settings of a ModelImporter for the classifier in one of its forms."""
        labels = {"labels": str(self.root / "labels.txt")}
        size = {"size": self.image.size, "channels": self.image.channels}
        given = {"input": {**size, "range": [-1, 1]}}
        found = {
            "weights": {
                "backbone": self.backbone.model_dump(),
                "image": size,
                "weights": str(self.root / "model.weights.h5"),
                **labels,
            },
            "own SavedModel": {"model": str(self.root / "own")},
            "SavedModel": {"model": str(self.root / "plain"), **given, **labels},
            "object": {"model": str(self.root / "object"), **given, **labels},
            "own keras": {"model": str(self.root / "own.keras"), **labels},
            "keras": {
                "model": str(self.root / "plain.keras"),
                "input": {**size, "range": [0, 1]},
                "output": "probabilities",
                **labels,
            },
        }[form]
        return {**found, **changes}

    def write(self, name: str, text: str) -> str:
        """Writes a text file; returns its path."""
        path = self.root / name
        path.write_text(text, encoding="utf-8")
        return str(path)


class _Plain(tf.Module):
    """What another product might have saved: images from -1 to 1 go in, and logits come out."""

    def __init__(self, model: keras.Model):
        super().__init__()
        self._weights = [variable.value for variable in model.variables]
        spec = tf.TensorSpec([None, *model.input_shape[1:]], name="photos")
        self.predict = tf.function(self._predict, input_signature=[spec], autograph=False)
        self._model = lambda images: model((images + 1) * 127.5, training=False)

    def _predict(self, photos: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = self._model(photos)
        return {"scores": outputs["logits"], "penultimate": outputs["features"]}


class _Object(tf.Module):
    """A SavedModel without signatures, which is called by itself."""

    def __init__(self, plain: _Plain):
        super().__init__()
        self._plain = plain

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, None])], autograph=False)
    def __call__(self, photos: tf.Tensor) -> tf.Tensor:
        return self._plain.predict(photos)["scores"]


@pytest.fixture(scope="session")
def make_forms(tmp_path_factory) -> Callable[[str], Forms]:
    @functools.cache
    def make(name: str) -> Forms:
        """Writes a classifier, whose backbone has this name, in all its forms."""
        root = tmp_path_factory.mktemp(name)
        if name == "inception_v3":
            backbone, image = Backbone(name=name, options={"width": 0.25}), ImageConfig(size=75)
        else:
            backbone, image = Backbone(name=name), ImageConfig(size=16, channels=1)
        random = np.random.default_rng(5)
        images = random.integers(0, 256, (16, image.size, image.size, image.channels), np.uint8)
        batch = (images, random.integers(0, 5, (16, 1)), np.ones((16, 1), np.float32), np.ones(16, np.float32))
        keras.utils.set_random_seed(1)
        model, _ = fit.fit(
            lambda: classifier.build(backbone.build(image), len(NAMES)),
            lambda step, context: tf.data.Dataset.from_tensors(batch).repeat().skip(step),
            Recipe(steps=4, batch_size=16, learning_rate=0.01, momentum=0.0),
            tf.distribute.get_strategy(),
        )
        # After so few steps it says nearly the same of all images, and mixed-up ones would not be seen.
        head = model.get_layer("head")
        head.set_weights([random.normal(0, 3, values.shape) for values in head.get_weights()])
        found = Forms(root, backbone, image, model, images[:4])
        found.write("labels.txt", "\n".join(NAMES))
        model.save_weights(root / "model.weights.h5")
        serving.ServingModule(model, image, NAMES).export(
            saved_model=str(root / "own"), keras_file=str(root / "own.keras")
        )
        plain = _Plain(model)
        tf.saved_model.save(plain, str(root / "plain"), signatures={"serving_default": plain.predict})
        tf.saved_model.save(_Object(plain), str(root / "object"))
        photos = keras.Input(model.input_shape[1:])
        features = model.get_layer("backbone")(keras.layers.Rescaling(255.0)(photos))
        dense = keras.layers.Dense(len(NAMES), name="predictions")
        whole = keras.Model(photos, keras.layers.Softmax()(dense(features)))
        dense.set_weights(head.get_weights())
        whole.save(root / "plain.keras")
        return found

    return make


@pytest.fixture
def forms(make_forms) -> Forms:
    return make_forms("compact_cnn")


@pytest.fixture
def import_model(tmp_path):
    def run(settings: dict, name: str = "imported") -> str:
        """Runs a ModelImporter; returns the folder of its model."""
        node = ModelImporter(kind="classifier", settings=settings, fingerprint="0")
        model = standard_artifacts.Model()
        model.uri = str(tmp_path / name)
        executor.Executor().Do({}, {"model": [model]}, node.exec_properties)
        return model.uri

    return run
