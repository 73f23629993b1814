"""Probes as the Trainer component runs them, on a few tiny images."""

import json
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from components import storage
from components.artifacts import plan, predicted_labels
from components.artifacts.types import ResamplePlan
from trainer import probe, results
from trainer.fn_args import FnArgs
from trainer.loop.checkpoints import Checkpoints

SOURCE, TARGET = ("alpha", "beta", "gamma"), ("nul", "één", "nooit")
# No image of `train` has the third label; one of `test` has.
TARGET_SPLITS = {"train": [1, 0, 1, 1, 0, 1, 0, 0], "eval": [1, 0, 1, 1, 0], "test": [0, 1, 2]}
KINDS = ("linear_probe", "knn")


@pytest.fixture(scope="module")
def target(trainings) -> dict:
    return trainings.data("target", TARGET, TARGET_SPLITS)


@pytest.fixture(scope="module")
def base(trainings) -> pathlib.Path:
    source = trainings.data("source", SOURCE, {"train": 9, "eval": 4})
    return trainings("pretrain", "base", source, backbone={"name": "compact_cnn", "options": {}})


@pytest.fixture(scope="module")
def probed(trainings, target, base) -> dict[str, pathlib.Path]:
    """The models by the kind of probe."""
    inputs = {**target, **trainings.base(base)}
    return {kind: trainings("probe", kind, inputs, kind=kind, keep_predictions=["test"]) for kind in KINDS}


def read(model: pathlib.Path, name: str) -> dict:
    return json.loads((model.with_name(f"{model.name}-run") / name).read_text())


def images_of(data: dict, split: str) -> tuple[list[bytes], list[int]]:
    """Returns the records of a split and their labels, in the order in which they are read."""
    shards = storage.list_files(data["examples"][0].path(split=split), storage.RECORD_PATTERN)
    records = [record for shard in shards for record in storage.read_records(shard)]
    features = [tf.train.Example.FromString(record).features.feature for record in records]
    return records, [feature["image/class/label"].int64_list.value[0] for feature in features]


def features_of(model: keras.Model, data: dict, split: str) -> tuple[np.ndarray, np.ndarray]:
    records, labels = images_of(data, split)
    encoded = [tf.train.Example.FromString(r).features.feature["image/encoded"].bytes_list.value[0] for r in records]
    images = np.stack([tf.io.decode_image(image).numpy() for image in encoded])
    return model.get_layer("backbone")(images, training=False).numpy(), np.array(labels)


@pytest.mark.parametrize("kind", KINDS)
def test_the_backbone_is_the_base_models_as_it_was(trainings, probed, base, kind):
    before, after = (trainings.load(model).get_layer("backbone") for model in (base, probed[kind]))
    assert len(before.variables) == len(after.variables) > 12
    for a, b in zip(before.variables, after.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert after.trainable


@pytest.mark.parametrize("kind", KINDS)
def test_the_metrics_are_those_of_the_model_that_is_served(probed, target, kind):
    metrics = read(probed[kind], results.METRICS_FILE)
    assert {split: values["examples"] for split, values in metrics.items()} == {"eval": 5, "test": 3}
    served = tf.saved_model.load(str(probed[kind] / "Format-Serving")).signatures["serving_default"]
    records, labels = images_of(target, "test")
    probabilities = served(examples=tf.constant(records))["probabilities"].numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert metrics["test"]["accuracy"] == pytest.approx((probabilities.argmax(axis=1) == labels).mean())
    own = probabilities[range(3), labels]
    assert metrics["test"]["cross_entropy"] == pytest.approx(-np.log(own).mean(), rel=1e-3)
    assert own[labels.index(2)] < 1e-5  # the label without an example
    folder = probed[kind].with_name(f"{kind}-run")
    table = storage.read_table(str(folder / predicted_labels.file_name("test")))
    assert table["predicted"].to_pylist() == probabilities.argmax(axis=1).tolist()
    assert not (folder / results.HISTORY_FILE).exists()


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_chosen_is_the_best_of_what_was_tried(probed, kind):
    record, metrics = read(probed[kind], probe.PROBE_FILE), read(probed[kind], results.METRICS_FILE)
    name = {"linear_probe": "l2", "knn": "k"}[kind]
    assert record["kind"] == kind
    tried = {entry[name]: entry for entry in record["tried"]}
    # There are no more than eight examples.
    assert len(tried) == 45 if kind == "linear_probe" else list(tried) == [1, 2, 5]
    chosen = tried[record[name]]
    assert chosen["accuracy"] == max(entry["accuracy"] for entry in tried.values())
    for key in ("accuracy", "cross_entropy"):
        assert metrics["eval"][key] == pytest.approx(chosen[key], rel=1e-3)


def test_the_bank_is_the_features_of_the_train_images(trainings, probed, target):
    model = trainings.load(probed["knn"])
    features, labels = features_of(model, target, "train")
    layer = model.get_layer("neighbours")
    np.testing.assert_allclose(layer.bank, features / np.linalg.norm(features, axis=1, keepdims=True), atol=1e-5)
    np.testing.assert_array_equal(layer.labels, labels)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_inputs_give_the_same_model(trainings, target, base, probed, kind):
    again = trainings("probe", f"{kind}-again", {**target, **trainings.base(base)}, kind=kind)
    for a, b in zip(trainings.load(probed[kind]).get_weights(), trainings.load(again).get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def write_plan(trainings, name: str, copies: tuple[list[int], list[int]], weights: float | None = None) -> dict:
    for shard, own in enumerate(copies):
        path = trainings.root / name / "Split-train" / storage.shard_name("copies", shard, 2, ".parquet")
        column = None if weights is None else np.full(len(own), weights, np.float32)
        storage.write_table(str(path), plan.copies_table(np.array(own, np.int32), column))
    return {"plan": [trainings.at(ResamplePlan(), name)]}


def test_copies_count_as_often_and_what_has_none_not_at_all(trainings, target, base, probed):
    inputs = {**target, **trainings.base(base), **write_plan(trainings, "plan", ([0, 3, 1, 0], [1, 0, 0, 2]))}
    planned = trainings.load(trainings("probe", "planned", inputs, kind="knn", formats=["keras"]))
    whole = trainings.load(probed["knn"]).get_layer("neighbours")
    rows = [1, 1, 1, 2, 4, 7, 7]
    np.testing.assert_array_equal(planned.get_layer("neighbours").bank, whole.bank.numpy()[rows])
    np.testing.assert_array_equal(planned.get_layer("neighbours").labels, whole.labels.numpy()[rows])


def test_a_linear_probe_is_a_model_that_a_training_may_start_from(trainings, target, probed):
    inputs = {**target, **trainings.base(probed["linear_probe"])}
    still = trainings.recipe(steps=1, learning_rate=1e-9, evaluate=None)
    warm = trainings.load(trainings("pretrain", "on", inputs, recipe=still))
    before = trainings.load(probed["linear_probe"]).get_layer("head")
    np.testing.assert_allclose(warm.get_layer("head").kernel, before.kernel.numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("config", "has_base", "message"),
    [
        ({}, True, "kind"),
        ({"kind": "svm"}, True, "'linear_probe' or 'knn'"),
        ({"kind": "knn"}, False, "base_model: a probe needs one"),
        ({"kind": "knn", "several_labels": True}, True, "several_labels: a probe takes examples with one label each"),
        ({"kind": "knn", "recipe": {}}, True, "unknown key 'recipe'"),
        ({"kind": "knn", "image": {"size": 17, "channels": 1}}, True, "image: .* but the base model takes"),
        ({"kind": "knn", "evaluation_splits": ["train"]}, True, "evaluation_splits: 'train' is not evaluated"),
    ],
)
def test_what_is_refused(trainings, target, base, config, has_base, message):
    with pytest.raises(ValueError, match=message):
        trainings("probe", "refused", {**target, **(trainings.base(base) if has_base else {})}, **config)
    assert not (trainings.root / "refused").exists()


def test_without_eval_there_is_nothing_to_choose_by(tmp_path):
    fn_args = FnArgs(
        custom_config={"kind": "knn", "image": {"size": 16}},
        split_patterns={"train": ["none"], "test": ["none"]},
        index_pattern=None,
        plan_pattern=None,
        vocabulary_path=str(tmp_path),
        model_dir=str(tmp_path / "model"),
        serving_model_dir=str(tmp_path / "model" / "Format-Serving"),
        model_run_dir=str(tmp_path / "model_run"),
        base_model_dir=str(tmp_path / "base"),
        checkpoints=Checkpoints(),
    )
    with pytest.raises(ValueError, match="examples: knn is chosen by the split 'eval', but there are only train, test"):
        probe.run_fn(fn_args)


def test_a_plan_with_weights_is_refused(trainings, target, base):
    inputs = {**target, **trainings.base(base), **write_plan(trainings, "weighted", ([1] * 4, [1] * 4), 0.5)}
    with pytest.raises(ValueError, match="plan: has weights"):
        trainings("probe", "refused", inputs, kind="knn")


def test_an_example_with_several_labels_is_an_error(trainings, base):
    data = trainings.data("several", TARGET, {"train": [(0, 1), (1,)], "eval": [(0,)]})
    with pytest.raises(tf.errors.InvalidArgumentError, match="image/class/label"):
        trainings("probe", "refused", {**data, **trainings.base(base)}, kind="linear_probe")
