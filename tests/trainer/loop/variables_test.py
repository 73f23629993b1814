"""Frozen statistics and layer-wise rates, on the variables of trained networks."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.loop import fit, variables
from trainer.loop.checkpoints import Checkpoints
from trainer.models import classifier
from trainer.recipes import Checkpoint, Compute, Recipe

STEPS = 4
CLASSES = 3
MEAN, VARIANCE = np.array([0.1, -0.2, 0.05, 0.3], np.float32), np.array([0.4, 0.9, 0.25, 1.5], np.float32)
STRATEGY = tf.distribute.get_strategy()


@keras.saving.register_keras_serializable("variables_test")
class Composite(keras.layers.Layer):
    """A layer of layers, as those of keras-hub."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.convolution = keras.layers.Conv2D(4, 3, use_bias=False, name="convolution")
        self.norm = keras.layers.BatchNormalization(name="norm")

    def build(self, input_shape):
        self.convolution.build(input_shape)
        self.norm.build(self.convolution.compute_output_shape(input_shape))

    def call(self, inputs, training=None):
        return self.norm(self.convolution(inputs), training=training)

    def compute_output_shape(self, input_shape):
        return self.convolution.compute_output_shape(input_shape)


def make_model() -> keras.Model:
    """A network with normalisation in it, in a model in it, and in a layer in it, and with known statistics."""
    keras.utils.set_random_seed(3)
    images = keras.Input((8, 8, 1))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(images)
    x = keras.layers.Conv2D(4, 3, name="block1_conv")(x)
    x = keras.layers.BatchNormalization(name="block1_norm")(x)
    inner = keras.Input(x.shape[1:])
    y = keras.layers.BatchNormalization(name="block2_norm", momentum=0.5)(inner)
    x = keras.Model(inner, y, name="network")(x)
    x = Composite(name="block3")(x)
    x = keras.layers.Dropout(0.5, seed=1, name="dropout")(x)
    backbone = keras.Model(images, keras.layers.GlobalAveragePooling2D()(x), name="backbone")
    model = classifier.build(backbone, CLASSES)
    for variable in variables.statistics(model):
        variable.assign(MEAN if variable.path.endswith("moving_mean") else VARIANCE)
    return model


def batches(step: int, context: tf.distribute.InputContext) -> tf.data.Dataset:
    random = np.random.default_rng(11)
    images = random.integers(0, 256, (STEPS, 6, 8, 8, 1)).astype(np.uint8)
    labels = random.integers(0, CLASSES, (STEPS, 6, 1))
    rows = (images, labels, np.ones(labels.shape, np.float32), np.ones(labels.shape[:2], np.float32))
    return tf.data.Dataset.from_tensor_slices(rows).repeat().skip(step)


def train(checkpoints: Checkpoints | None = None, compute: Compute | None = None, frozen_steps: int = 0, **changes):
    recipe = {"steps": STEPS, "batch_size": 6, "learning_rate": 0.05, "warmup": 0.0, "batch_norm": "frozen", **changes}
    model, _ = fit.fit(
        make_model,
        batches,
        Recipe(**recipe),
        STRATEGY,
        compute=compute,
        frozen_steps=frozen_steps,
        checkpoints=checkpoints,
    )
    return model


def moved(model: keras.Model) -> dict[str, float]:
    """Returns how far each variable is from where it was, by its path."""
    pairs = zip(make_model().variables, model.variables, strict=True)
    return {after.path: float(np.abs(before.numpy() - after.numpy()).max()) for before, after in pairs}


def is_statistic(path: str) -> bool:
    return path.endswith(("moving_mean", "moving_variance"))


def assert_statistics_alone_stay(model: keras.Model) -> None:
    distances = {path: distance for path, distance in moved(model).items() if "seed_generator" not in path}
    assert sum(map(is_statistic, distances)) == 6
    for path, distance in distances.items():
        assert (distance == 0) == is_statistic(path), (path, distance)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"ema": 0.9, "optimizer": "adamw", "weight_decay": 0.1},
        {"compute": Compute(precision="bfloat16")},
        {"compute": Compute(precision="float16", synchronized_batch_norm=True)},
        {"compute": Compute(xla=True)},
        {"frozen_steps": 2},
    ],
    ids=["plain", "average", "bfloat16", "float16", "xla", "head first"],
)
def test_frozen_statistics_stay_and_all_else_trains(changes):
    assert_statistics_alone_stay(train(**changes))


def test_statistics_that_are_not_frozen_move():
    assert min(distance for path, distance in moved(train(batch_norm="train")).items() if is_statistic(path)) > 0


def test_batches_are_normalised_by_the_frozen_statistics():
    """A batch in training is normalised as in inference, and dropout is in training."""
    model = make_model()
    variables.freeze_statistics(model)
    images = tf.random.stateless_uniform((6, 8, 8, 1), [1, 2], 0, 255)
    features = keras.Model(model.get_layer("backbone").inputs, model.get_layer("backbone").get_layer("block3").output)
    np.testing.assert_array_equal(features(images, training=True), features(images, training=False))
    assert np.abs(model(images, training=True)["features"] - model(images, training=False)["features"]).max() > 1e-3
    assert len(model.trainable_variables) == 3 + 6 + 2  # kernels and a bias, scales and offsets, and the head


def test_the_trained_model_is_a_plain_one():
    model = train()
    norms = [layer for layer in variables.layers_of(model) if isinstance(layer, keras.layers.BatchNormalization)]
    assert sorted(layer.name for layer in norms) == ["block1_norm", "block2_norm", "norm"]
    for layer in norms:
        assert type(layer) is keras.layers.BatchNormalization and layer.trainable


def test_a_training_with_frozen_statistics_goes_on_bit_for_bit(tmp_path):
    whole = train(frozen_steps=1, ema=0.9)
    checkpoints = Checkpoints(str(tmp_path), Checkpoint(steps=2, minutes=None))
    train(checkpoints, frozen_steps=1, ema=0.9)
    tf.io.gfile.remove(tf.io.gfile.glob(str(tmp_path / "ckpt-4.index"))[0])
    state = tmp_path / "checkpoint"
    state.write_text('model_checkpoint_path: "ckpt-2"\nall_model_checkpoint_paths: "ckpt-2"\n')
    resumed = train(Checkpoints(str(tmp_path), Checkpoint(steps=2, minutes=None)), frozen_steps=1, ema=0.9)
    for one, other in zip(whole.variables, resumed.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy(), err_msg=one.path)


def test_layers_learn_at_rates_that_decay_with_their_distance():
    plain, decayed = (
        {path: d for path, d in moved(train(steps=1, momentum=0.0, layer_decay=decay)).items()} for decay in (1.0, 0.5)
    )
    expected = {"block1": 0.125, "block2": 0.25, "block3": 0.5, "head": 1.0}
    for path, distance in plain.items():
        if is_statistic(path) or "seed_generator" in path:
            continue
        multiple = next(value for name, value in expected.items() if path.startswith(name))
        assert distance > 0
        assert decayed[path] == pytest.approx(multiple * distance, rel=1e-3), path


def test_multiples_of_an_auxiliary_head_are_those_of_a_head():
    images = keras.Input((4,))
    x = keras.layers.Dense(3, name="block1_dense")(images)
    features = keras.layers.Dense(2, name="block2_dense")(x)
    backbone = keras.Model(images, {"features": features, "auxiliary": x}, name="backbone")
    model = classifier.build(backbone, CLASSES)
    multiples = variables.rate_multiples(model, 0.5)
    found = {v.path: multiple for v, multiple in zip(model.trainable_variables, multiples, strict=True)}
    assert found == {
        **{f"block1_dense/{part}": 0.25 for part in ("kernel", "bias")},
        **{f"block2_dense/{part}": 0.5 for part in ("kernel", "bias")},
        **{f"{head}/{part}": 1.0 for head in ("head", "auxiliary_head") for part in ("kernel", "bias")},
    }
    assert variables.rate_multiples(model, 1.0) == [1.0] * 8
