"""Image networks of keras-hub, by presets that are made here."""

import json
import pathlib
import shutil
import sys

import h5py
import keras
import numpy as np
import pydantic
import pytest
from presets import write_vit

from trainer.component import version_of
from trainer.models import classifier, published, weights
from trainer.models.backbone import Backbone, ImageConfig

IMAGE = ImageConfig(size=32)
IMAGES = np.random.default_rng(8).integers(0, 256, (2, 32, 32, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def keras_hub():
    return pytest.importorskip("keras_hub", reason="needs the extra hub")


def resnet(keras_hub, folder: str) -> None:
    network = keras_hub.models.ResNetBackbone([64], [3], [64, 72], [1, 1], [1, 2], block_type="basic_block")
    network.save_to_preset(folder)
    keras_hub.layers.ResNetImageConverter(scale=1 / 255).save_to_preset(folder)


def siglip(keras_hub, folder: str) -> None:
    sizes = {"hidden_dim": 8, "num_layers": 1, "num_heads": 2, "intermediate_dim": 16}
    vision = keras_hub.models.SigLIPVisionEncoder(patch_size=8, image_shape=(32, 32, 3), name="vision", **sizes)
    text = keras_hub.models.SigLIPTextEncoder(
        vocabulary_size=50, embedding_dim=8, max_sequence_length=6, name="text", **sizes
    )
    keras_hub.models.SigLIPBackbone(vision, text).save_to_preset(folder)
    keras_hub.layers.SigLIPImageConverter(scale=1 / 127.5, offset=-1.0).save_to_preset(folder)


@pytest.fixture(scope="module")
def presets(keras_hub, tmp_path_factory) -> pathlib.Path:
    keras.utils.set_random_seed(4)
    root = tmp_path_factory.mktemp("presets")
    write_vit(keras_hub, str(root / "vit"), classes=5)
    write_vit(keras_hub, str(root / "vit_gap"), classes=5, pooling="gap")
    resnet(keras_hub, str(root / "resnet"))
    siglip(keras_hub, str(root / "siglip"))
    return root


def features_of(keras_hub, preset: str) -> np.ndarray:
    """Returns what keras-hub itself computes."""
    network = keras_hub.models.Backbone.from_preset(preset)
    converter = keras_hub.layers.ImageConverter.from_preset(preset)
    converter.image_size = None
    images = converter(IMAGES)
    if hasattr(network, "vision_encoder"):
        return np.asarray(network.vision_encoder({"images": images}))
    outputs = np.asarray(network(images))
    return outputs[:, 0] if preset.endswith("vit") else outputs.mean(axis=tuple(range(1, outputs.ndim - 1)))


@pytest.mark.parametrize(("name", "width"), [("vit", 12), ("vit_gap", 12), ("resnet", 72), ("siglip", 8)])
def test_features_are_those_of_keras_hub(keras_hub, presets, tmp_path, name, width):
    preset = str(presets / name)
    settings = Backbone(name="keras_hub", options={"preset": preset})
    backbone = settings.build(IMAGE)
    assert (backbone.name, backbone.output_shape) == ("backbone", (None, width))
    expected = features_of(keras_hub, preset)
    assert np.abs(np.asarray(backbone(IMAGES)) - expected).max() > 1e-3  # it starts at random
    weights.load_backbone_weights(backbone, preset)
    np.testing.assert_allclose(backbone(IMAGES), expected, rtol=1e-5, atol=1e-5)

    model = classifier.build(backbone, 3)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_allclose(loaded(IMAGES)["features"], expected, rtol=1e-5, atol=1e-5)
    other = settings.build(IMAGE)
    weights.load_backbone_weights(other, str(tmp_path / "model.keras"))
    np.testing.assert_allclose(other(IMAGES), expected, rtol=1e-5, atol=1e-5)


def test_grey_images(presets):
    options = {"preset": str(presets / "resnet")}
    grey = Backbone(name="keras_hub", options=options).build(ImageConfig(size=48, channels=1))
    colour = Backbone(name="keras_hub", options=options).build(ImageConfig(size=48))
    grey.set_weights(colour.get_weights())
    images = np.random.default_rng(1).integers(0, 256, (2, 48, 48, 1)).astype(np.float32)
    np.testing.assert_allclose(grey(images), colour(np.repeat(images, 3, axis=-1)), rtol=1e-5)


@pytest.mark.parametrize("name", ["vit", "vit_gap"])
def test_a_classifier_with_its_head(keras_hub, presets, name):
    preset = str(presets / name)
    model = published.load_classifier(Backbone(name="keras_hub", options={"preset": preset}), IMAGE, 5, preset)
    expected = keras_hub.models.ImageClassifier.from_preset(preset)
    expected.preprocessor.image_converter.image_size = None
    np.testing.assert_allclose(model(IMAGES)["logits"], expected.predict(IMAGES, verbose=0), rtol=1e-4, atol=1e-5)
    assert classifier.backbone_of(model).output_shape == (None, 12)
    with pytest.raises(ValueError, match="has a head over 5 classes, but there are 4 labels"):
        published.load_classifier(Backbone(name="keras_hub", options={"preset": preset}), IMAGE, 4, preset)


def test_a_head_in_a_file_of_its_own(presets, tmp_path):
    shutil.copytree(presets / "vit", tmp_path / "vit")
    preset = str(tmp_path / "vit")
    settings = Backbone(name="keras_hub", options={"preset": preset})
    expected = published.load_classifier(settings, IMAGE, 5, preset)
    with h5py.File(tmp_path / "vit" / "task.weights.h5", "a") as file:  # as later versions of Keras write it
        for name in ["optimizer", *(f"layers/{name}" for name in file["layers"] if name != "dense")]:
            if name in file:
                del file[name]
    model = published.load_classifier(settings, IMAGE, 5, preset)
    np.testing.assert_array_equal(model(IMAGES)["logits"], expected(IMAGES)["logits"])
    with pytest.raises(ValueError, match="has a head over 5 classes, but there are 4 labels"):
        published.load_classifier(settings, IMAGE, 4, preset)


def test_images_and_presets_that_do_not_fit(keras_hub, presets):
    settings = Backbone(name="keras_hub", options={"preset": str(presets / "vit")})
    with pytest.raises(ValueError, match=r"^image\.size: 33 does not fit the preset .*patch size"):
        settings.build(ImageConfig(size=33))
    larger = settings.build(ImageConfig(size=40))  # which has other positions
    with pytest.raises(ValueError, match="of the same options and size of the images"):
        weights.load_backbone_weights(larger, str(presets / "vit"))
    with pytest.raises(ValueError, match="has no head, only the network below it"):
        options = {"preset": str(presets / "resnet")}
        published.load_classifier(Backbone(name="keras_hub", options=options), IMAGE, 4, str(presets / "resnet"))
    with pytest.raises(ValueError, match="give a file of this network"):
        weights.load_backbone_weights(settings.build(IMAGE), str(presets / "resnet"))


def test_a_preset_of_no_image_network(keras_hub, presets, tmp_path):
    keras_hub.models.AlbertBackbone(
        vocabulary_size=20,
        num_layers=1,
        num_heads=1,
        embedding_dim=4,
        hidden_dim=4,
        intermediate_dim=4,
        max_sequence_length=5,
    ).save_to_preset(str(tmp_path))
    shutil.copy(presets / "vit" / "image_converter.json", tmp_path)
    with pytest.raises(ValueError, match=r"AlbertBackbone of .* is no network from images to features"):
        Backbone(name="keras_hub", options={"preset": str(tmp_path)}).build(IMAGE)


def test_folders_that_are_no_preset(tmp_path):
    for preset, missing in ((str(tmp_path), "config.json"), ("kaggle://keras/vit/keras/base", "config.json")):
        with pytest.raises(
            pydantic.ValidationError, match=f"is not a local folder with a {missing}; write the preset's"
        ):
            Backbone(name="keras_hub", options={"preset": preset})
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(pydantic.ValidationError, match="a local folder with a image_converter"):
        Backbone(name="keras_hub", options={"preset": str(tmp_path)})


@pytest.fixture
def settings(tmp_path) -> Backbone:
    for name in ("config.json", "image_converter.json"):
        (tmp_path / name).write_text(json.dumps({"file": name}))
    return Backbone(name="keras_hub", options={"preset": str(tmp_path)})


def test_without_the_extra(settings, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(ModuleNotFoundError, match=r"^keras_hub: not installed; pip install 'specialist\[hub\]'$"):
        settings.check(IMAGE)


def test_the_cache_key_holds_the_preset_but_not_its_weights(settings, tmp_path):
    def version() -> str:
        return version_of("trainer.pretrain.run_fn", {"backbone": settings.model_dump()})

    before = version()
    (tmp_path / "model.weights.h5").write_bytes(b"weights")
    assert version() == before
    (tmp_path / "config.json").write_text("{}")
    assert version() != before
