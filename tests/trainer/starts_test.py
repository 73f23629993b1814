"""What a training may start from, and what is evaluated at its end."""

import json

import numpy as np
import pytest
import tensorflow as tf

from components import storage
from components.artifacts import predicted_labels
from trainer import results

SOURCE, TARGET = ("alpha", "beta", "gamma"), ("nul", "één")
TARGET_SPLITS = {"train": [1, 0, 1, 1], "eval": [1, 0, 1, 1, 0], "test": [0, 1, 0]}
BACKBONE = {"name": "compact_cnn", "options": {}}
# The weights hardly move.
STILL = {"steps": 1, "learning_rate": 1e-9, "evaluate": None}


@pytest.fixture(scope="module")
def source(trainings) -> dict:
    return trainings.data("source", SOURCE, {"train": 7, "eval": 4})


@pytest.fixture(scope="module")
def target(trainings) -> dict:
    return trainings.data("target", TARGET, TARGET_SPLITS)


@pytest.fixture(scope="module")
def classifier(trainings, source):
    return trainings("pretrain", "classifier", source, backbone=BACKBONE)


@pytest.fixture(scope="module")
def untrained(trainings, target):
    """A model of the target that started at random, and has learnt nothing."""
    recipe = trainings.recipe(**STILL)
    kept = {"evaluation_splits": ["test", "eval"], "keep_predictions": ["eval"]}
    return trainings("finetune", "untrained", target, backbone=BACKBONE, recipe=recipe, **kept)


def metrics_of(model) -> dict:
    return json.loads((model.with_name(f"{model.name}-run") / results.METRICS_FILE).read_text())


@pytest.mark.parametrize("backbone", [BACKBONE, None], ids=["named", "the base model's"])
def test_pre_training_goes_on_from_backbone_and_head(trainings, source, classifier, backbone):
    name = "warm" if backbone else "warm-too"
    inputs = {**source, **trainings.base(classifier)}
    recipe = trainings.recipe(**STILL)
    warm = trainings("pretrain", name, inputs, backbone=backbone, recipe=recipe, evaluation_splits=[], seed=99)
    before, after = (trainings.load(model).trainable_variables for model in (classifier, warm))
    assert len(before) == len(after) == 14
    for a, b in zip(before, after, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-6, err_msg=a.path)
    assert metrics_of(warm) == {}


def test_pre_training_goes_on_from_the_backbone_alone(trainings, target, classifier):
    """A network that was published has other labels, or none."""
    recipe = trainings.recipe(**STILL)
    inputs = {**target, **trainings.base(classifier)}
    warm = trainings("pretrain", "published", inputs, backbone=BACKBONE, recipe=recipe, new_head=True)
    before, after = (trainings.load(model) for model in (classifier, warm))
    assert after.get_layer("head").kernel.shape == (128, 2)
    for a, b in zip(*(model.get_layer("backbone").trainable_variables for model in (before, after)), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-6, err_msg=a.path)


def test_a_base_model_of_another_source_is_refused_before_the_training(trainings, target, classifier):
    with pytest.raises(ValueError, match="base_model: has 3 classes, but the vocabulary 2 labels"):
        trainings("pretrain", "refused", {**target, **trainings.base(classifier)}, backbone=BACKBONE)
    assert not (trainings.root / "refused").exists()


def test_fine_tuning_from_random_weights(trainings, untrained):
    model = trainings.load(untrained)
    assert model.get_layer("head").kernel.shape == (128, 2)
    kernel = model.get_layer("backbone").get_layer("conv_1").kernel.numpy()  # Glorot's: uniform, of a known width
    limit = np.sqrt(6 / (9 * 16 + 9 * 32))
    assert 0.95 * limit < np.abs(kernel).max() <= limit + 1e-6


@pytest.mark.parametrize(
    ("base", "config", "message"),
    [
        (False, {}, "base_model: fine-tuning needs one; .* or name a backbone in custom_config to start at random"),
        (True, {"backbone": BACKBONE}, "backbone: compact_cnn with a base_model, .*; leave out `backbone`"),
        (
            False,
            {"backbone": BACKBONE, "recipe": {"frozen_epochs": 0.5}},
            "frozen_epochs: 0.5 for a backbone .* set it to 0.0",
        ),
        (
            False,
            {"backbone": BACKBONE, "recipe": {"batch_norm": "frozen"}},
            "batch_norm: 'frozen' for a backbone .* set it to 'train'",
        ),
        (
            False,
            {"backbone": BACKBONE, "recipe": {"layer_decay": 0.75}},
            "layer_decay: 0.75 for a backbone .* set it to 1.0",
        ),
    ],
    ids=["neither", "both", "frozen epochs", "frozen statistics", "layer decay"],
)
def test_starts_of_a_fine_tuning_that_are_refused(trainings, target, classifier, base, config, message):
    config = {**config, "recipe": trainings.recipe(**config.get("recipe", {}))}
    with pytest.raises(ValueError, match=message):
        trainings("finetune", "refused", {**target, **(trainings.base(classifier) if base else {})}, **config)
    assert not (trainings.root / "refused").exists()


def test_pre_training_from_random_weights_needs_statistics_of_the_data(trainings, source):
    with pytest.raises(ValueError, match="batch_norm: 'frozen' for a backbone that starts at random"):
        trainings("pretrain", "refused", source, backbone=BACKBONE, recipe=trainings.recipe(batch_norm="frozen"))
    assert not (trainings.root / "refused").exists()


def test_the_prediction_of_each_example_is_kept(untrained, target):
    folder = untrained.with_name("untrained-run")
    assert {path.name for path in folder.glob("*.parquet")} == {"predictions-eval.parquet"}
    table = storage.read_table(str(folder / predicted_labels.file_name("eval")))
    assert table.schema.equals(predicted_labels.SCHEMA)
    # Two shards, each with every second example.
    order = [0, 2, 4, 1, 3]
    assert table["id"].to_pylist() == [f"eval-{i}" for i in order]
    assert table["label"].to_pylist() == [TARGET_SPLITS["eval"][i] for i in order]

    shards = storage.list_files(target["examples"][0].path(split="eval"), storage.RECORD_PATTERN)
    served = tf.saved_model.load(str(untrained / "Format-Serving")).signatures["serving_default"]
    answer = served(examples=tf.constant([record for shard in shards for record in storage.read_records(shard)]))
    probabilities = answer["probabilities"].numpy()
    assert table["predicted"].to_pylist() == probabilities.argmax(axis=1).tolist()
    np.testing.assert_allclose(table["probability"].to_numpy(), probabilities.max(axis=1), rtol=1e-5)

    metrics = metrics_of(untrained)
    assert {split: values["examples"] for split, values in metrics.items()} == {"eval": 5, "test": 3}
    right = (table["predicted"].to_numpy() == table["label"].to_numpy()).mean()
    assert metrics["eval"]["accuracy"] == pytest.approx(right)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"evaluation_splits": ["eval", "train"]},
            "evaluation_splits: 'train' is not evaluated; choose from eval, test",
        ),
        ({"evaluation_splits": ["tests"]}, "evaluation_splits: 'tests' is not evaluated"),
        ({"evaluation_splits": ["eval"], "keep_predictions": ["test"]}, "keep_predictions: 'test' .* choose from eval"),
        ({"evaluation_splits": [], "keep_predictions": ["eval"]}, "keep_predictions: 'eval' .* choose from none"),
        ({"several_labels": True, "keep_predictions": ["eval"]}, r"keep_predictions: \['eval'\] with several_labels"),
    ],
)
def test_splits_that_are_refused_before_the_training(trainings, target, config, message):
    with pytest.raises(ValueError, match=message):
        trainings("finetune", "refused", target, backbone=BACKBONE, **config)
    assert not (trainings.root / "refused").exists()
