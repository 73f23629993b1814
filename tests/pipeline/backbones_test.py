"""Networks that are not this product's run from the configuration to the pushed model."""

import json
import pathlib

import keras
import numpy as np
import pytest
import small_backbone
import tensorflow as tf
from harness import SMALL
from presets import write_vit

import pipeline
from pipeline import pipeline as pipeline_module
from pipeline.config.load import load
from pipeline.place import Place
from pipeline.runners import local
from pipeline.runners.local import State
from trainer.models.backbone import ImageConfig

DEMO = str(pathlib.Path(pipeline.__file__).parent / "configs" / "demo.yaml")
ARMS = ["same_distribution", "published_warm_start", "published_finetune", "linear_probe"]


@pytest.fixture
def push(tmp_path):
    def push(backbone: dict) -> pathlib.Path:
        """Runs the small demo with this backbone; returns the folder of the model that was pushed."""
        settings = [f"backbone={json.dumps(backbone)}", f"targets.digits.arms={ARMS}", f"targets.digits.push={ARMS[1]}"]
        config = load(DEMO, [*SMALL, *settings]).pin_weights()
        for data in config.datasets().values():
            data.reader().prepare()
        results = local.run(pipeline_module.create_pipeline(config, Place.local(str(tmp_path / "workspace"))))
        assert [str(result.error) for result in results if result.state in (State.FAILED, State.BLOCKED)] == []
        [folder] = (path for path in (tmp_path / "workspace" / "serving" / "digits").iterdir() if path.is_dir())
        return folder

    return push


def probabilities_of(folder: pathlib.Path) -> np.ndarray:
    png = tf.io.encode_png(np.full((32, 32, 1), 9, np.uint8)).numpy()
    outputs = tf.saved_model.load(str(folder)).signatures["image_bytes"](tf.constant([png]))
    return outputs["probabilities"].numpy()


@pytest.mark.slow
def test_a_function_of_ones_own(push, tmp_path):
    keras.utils.set_random_seed(3)
    path = str(tmp_path / "own.weights.h5")
    small_backbone.build(ImageConfig(size=32, channels=1), width=6).save_weights(path)
    folder = push({"function": "small_backbone.build", "options": {"width": 6}, "weights": path})
    assert probabilities_of(folder).sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
def test_a_preset_of_keras_hub(push, tmp_path):
    keras_hub = pytest.importorskip("keras_hub", reason="needs the extra hub")
    keras.utils.set_random_seed(3)
    preset = str(tmp_path / "vit")
    write_vit(keras_hub, preset, classes=5)
    folder = push({"name": "keras_hub", "options": {"preset": preset}, "weights": preset})
    assert probabilities_of(folder).shape == (1, 10)
