"""Pre-training and fine-tuning as the Trainer component runs them, on a few tiny images."""

import collections
import csv
import json
import os
import pathlib
import signal

import numpy as np
import pytest
import tensorflow as tf
from tfx.types import artifact

from components import storage
from components.artifacts import plan
from components.artifacts.types import ResamplePlan
from trainer import results
from trainer.data import draws
from trainer.loop import interruption, progress
from trainer.loop.history import Progress

SOURCE, TARGET = ("alpha", "beta", "gamma", "δ"), ("nul", "één")
SOURCE_SPLITS = {"train": 12, "eval": 5}
TARGET_SPLITS = {"train": 6, "eval": 4, "test": 3}
BACKBONE = {"name": "compact_cnn", "options": {}}


@pytest.fixture(scope="module")
def source(trainings) -> dict[str, list[artifact.Artifact]]:
    return trainings.data("source", SOURCE, SOURCE_SPLITS)


@pytest.fixture(scope="module")
def target(trainings) -> dict[str, list[artifact.Artifact]]:
    return trainings.data("target", TARGET, TARGET_SPLITS)


@pytest.fixture(scope="module")
def pretrained(trainings, source) -> pathlib.Path:
    return trainings("pretrain", "pretrained", source, backbone=BACKBONE)


@pytest.fixture(scope="module")
def tuned(trainings, target, pretrained) -> pathlib.Path:
    # So small a learning rate moves the weights a little: a backbone that started anew would be far away.
    return trainings(
        "finetune", "tuned", {**target, **trainings.base(pretrained)}, recipe=trainings.recipe(learning_rate=1e-3)
    )


def metrics_and_history(model: pathlib.Path) -> tuple[dict, list[dict[str, str]]]:
    folder = model.with_name(f"{model.name}-run")
    with open(folder / results.HISTORY_FILE, newline="") as file:
        return json.loads((folder / results.METRICS_FILE).read_text()), list(csv.DictReader(file))


def test_pre_training_reports_metrics_and_history(pretrained):
    metrics, history = metrics_and_history(pretrained)
    assert {split: values["examples"] for split, values in metrics.items()} == {"eval": 5}
    assert set(metrics["eval"]) == {
        "examples",
        "accuracy",
        "top_5_accuracy",
        "mean_per_class_accuracy",
        "cross_entropy",
    }
    assert set(history[0]) == {
        "step",
        "steps",
        "loss",
        "images_per_second",
        "learning_rate",
        "accuracy",
        "gradient_norm",
        "input_wait",
        "eval_loss",
        "eval_accuracy",
    }
    assert (history[-1]["step"], history[-1]["steps"]) == ("3", "3")
    assert 0.5 < float(history[0]["loss"]) < 5  # about log 4, before anything is learnt


def test_fine_tuning_starts_from_the_backbone_and_moves_all_of_it(trainings, pretrained, tuned):
    before, after = (trainings.load(model).get_layer("backbone").trainable_variables for model in (pretrained, tuned))
    assert len(before) == len(after) == 12
    for a, b in zip(before, after, strict=True):
        assert 1e-6 < np.abs(a.numpy() - b.numpy()).max() < 1e-2, a.path


def test_the_head_is_over_the_labels_of_its_own_vocabulary(trainings, pretrained, tuned):
    assert trainings.load(pretrained).get_layer("head").kernel.shape == (128, len(SOURCE))
    assert trainings.load(tuned).get_layer("head").kernel.shape == (128, len(TARGET))


def test_the_metrics_are_those_of_the_model_that_is_served(tuned, target):
    metrics, _ = metrics_and_history(tuned)
    assert {split: values["examples"] for split, values in metrics.items()} == {"eval": 4, "test": 3}

    served = tf.saved_model.load(str(tuned / "Format-Serving")).signatures["serving_default"]
    shards = storage.list_files(target["examples"][0].path(split="test"), storage.RECORD_PATTERN)
    records = [record for shard in shards for record in storage.read_records(shard)]
    answer = served(examples=tf.constant(records))
    assert {label.decode() for label in answer["top_labels"].numpy().ravel()} == set(TARGET)
    features = [tf.train.Example.FromString(record).features.feature for record in records]
    labels = [feature["image/class/label"].int64_list.value[0] for feature in features]
    own = answer["probabilities"].numpy()[range(3), labels]
    assert metrics["test"]["cross_entropy"] == pytest.approx(-np.log(own).mean(), rel=1e-4)


def test_the_same_settings_give_the_same_model(trainings, source, pretrained):
    again = trainings("pretrain", "again", source, backbone=BACKBONE)
    for a, b in zip(trainings.load(pretrained).get_weights(), trainings.load(again).get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_preempted_training_goes_on_gives_the_same_model_and_leaves_no_checkpoint(
    trainings, source, pretrained, tmp_path
):
    heard = []

    def preempt(progress: Progress) -> None:
        heard.append(progress.step)
        if progress.step == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    where = {"checkpoints": str(tmp_path / "node"), "backbone": BACKBONE}
    with progress.listen(preempt):
        with pytest.raises(interruption.Interrupted):
            trainings("pretrain", "preempted", source, **where)
        assert not (trainings.root / "preempted").exists()
        assert len(list(tmp_path.glob("node/*/ckpt-1.index"))) == 1
        # Another execution: what it writes to is another folder.
        again = trainings("pretrain", "gone-on", source, **where)
    assert heard[:2] == [1, 2] and heard[-1] == 3
    for a, b in zip(trainings.load(pretrained).get_weights(), trainings.load(again).get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert metrics_and_history(again)[0] == metrics_and_history(pretrained)[0]
    assert metrics_and_history(again)[1][0]["step"] == "1"
    assert not list(tmp_path.glob("node/*"))


def test_tensorboard_finds_the_history_in_the_model_run(pretrained):
    _, history = metrics_and_history(pretrained)
    (events,) = pretrained.with_name("pretrained-run").glob("events.*")
    written = collections.defaultdict(dict)
    for event in tf.compat.v1.train.summary_iterator(str(events)):
        for value in event.summary.value:
            written[value.tag][event.step] = float(tf.make_ndarray(value.tensor))
    of_training = {name for name in history[0] if not name.startswith(("step", "eval"))}
    assert set(written) == {f"training/{name}" for name in of_training} | {"evaluation/loss", "evaluation/accuracy"}
    for name in ("loss", "accuracy"):
        expected = {int(row["step"]): float(row[f"eval_{name}"]) for row in history if row[f"eval_{name}"]}
        assert list(expected) == [2, 3]
        assert written[f"evaluation/{name}"] == pytest.approx(expected, rel=1e-5)
    for name in ("loss", "learning_rate", "input_wait"):
        expected = {int(entry["step"]): pytest.approx(float(entry[name]), rel=1e-5) for entry in history}
        assert written[f"training/{name}"] == expected


def test_a_source_with_several_labels_is_trained_by_sigmoids(trainings):
    several = {
        "train": [(0, 2), (1,), (0, 1, 3), (2,), (3, 1), (0,), (2, 3), (1,)],
        "eval": [(0, 2), (1,), (3,), (2, 1, 0)],
    }
    data = trainings.data("several", SOURCE, several)
    config = {"backbone": BACKBONE, "several_labels": True, "recipe": trainings.recipe(loss="sigmoid")}
    model = trainings("pretrain", "sigmoids", data, **config)
    metrics, history = metrics_and_history(model)
    assert 1.5 < float(history[0]["loss"]) < 6  # about 4 log 2, before anything is learnt

    served = tf.saved_model.load(str(model / "Format-Serving")).signatures["serving_default"]
    shards = storage.list_files(data["examples"][0].path(split="eval"), storage.RECORD_PATTERN)
    answers = served(examples=tf.constant([record for shard in shards for record in storage.read_records(shard)]))
    p = answers["probabilities"].numpy()
    assert np.abs(p.sum(axis=1) - 1).min() > 0.1
    records = [tf.train.Example.FromString(record) for shard in shards for record in storage.read_records(shard)]
    has = np.array([[y in r.features.feature["image/class/label"].int64_list.value for y in range(4)] for r in records])
    assert has.sum() == 7
    expected = -np.where(has, np.log(p), np.log(1 - p)).sum(axis=1).mean()
    assert metrics["eval"]["cross_entropy"] == pytest.approx(expected, rel=1e-4)


def test_several_labels_where_one_is_expected_is_an_error(trainings):
    data = trainings.data("unexpected", SOURCE, {"train": [(0, 2), (1,), (3,), (2, 0)], "eval": [(0,)]})
    with pytest.raises(tf.errors.InvalidArgumentError, match="image/class/label"):
        trainings("pretrain", "refused", data, backbone=BACKBONE)
    assert not (trainings.root / "refused" / "Format-Serving").exists()


@pytest.mark.parametrize("split", ["train", "eval"])
def test_an_image_that_cannot_be_decoded_is_named(trainings, split):
    """As under `check: header`."""
    data = trainings.data(f"broken-{split}", SOURCE, SOURCE_SPLITS)
    path = storage.list_files(data["examples"][0].path(split=split), storage.RECORD_PATTERN)[1]
    found = [tf.train.Example.FromString(record) for record in storage.read_records(path)]
    encoded = found[1].features.feature["image/encoded"].bytes_list
    encoded.value[0] = encoded.value[0][:-40]
    storage.write_records(path, [example.SerializeToString() for example in found])
    with pytest.raises(ValueError) as error:
        trainings("pretrain", f"stopped-{split}", data, backbone=BACKBONE)
    assert str(error.value).startswith(f"the image of '{split}-3' cannot be decoded; ") and "\n" not in str(error.value)
    assert "`check: full`" in str(error.value)
    assert not (trainings.root / f"stopped-{split}" / "Format-Serving").exists()


def test_a_frozen_pass_leaves_the_backbone_alone(trainings, target, pretrained):
    inputs = {**target, **trainings.base(pretrained)}
    # Nine passes are more than the three steps of the recipe.
    frozen = trainings.load(trainings("finetune", "frozen", inputs, recipe=trainings.recipe(frozen_epochs=9.0)))
    for a, b in zip(
        frozen.get_layer("backbone").weights, trainings.load(pretrained).get_layer("backbone").weights, strict=True
    ):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert frozen.get_layer("backbone").trainable
    partly = trainings.load(trainings("finetune", "partly", inputs, recipe=trainings.recipe(frozen_epochs=0.2)))
    moved = [
        np.abs(a.numpy() - b.numpy()).max()
        for a, b in zip(
            partly.get_layer("backbone").weights, trainings.load(pretrained).get_layer("backbone").weights, strict=True
        )
    ]
    assert min(moved) > 0


def test_fine_tuning_on_a_plan_draws_what_it_says(trainings, target, pretrained, monkeypatch):
    # Of the three images in each of two shards: 0, 2, 4 and 1, 3, 5.
    copies, seen = ([0, 3, 0], [1, 0, 0]), []
    for shard, own in enumerate(copies):
        path = trainings.root / "plan" / "Split-train" / storage.shard_name("copies", shard, 2, ".parquet")
        storage.write_table(str(path), plan.copies_table(np.array(own, np.int32)))
    read = draws.Draws.read

    def record(self, rows: np.ndarray) -> list[bytes]:
        records = read(self, rows)
        seen.extend(tf.train.Example.FromString(found).features.feature["image/source_id"] for found in records)
        return records

    monkeypatch.setattr(draws.Draws, "read", record)
    inputs = {**target, **trainings.base(pretrained), "plan": [trainings.at(ResamplePlan(), "plan")]}
    # A pass has four draws, one step: that freezes the first of two, where a pass of all six images would freeze both.
    recipe = trainings.recipe(steps=2, frozen_epochs=1.0)
    model = trainings.load(trainings("finetune", "planned", inputs, recipe=recipe))
    counts = collections.Counter(feature.bytes_list.value[0].decode() for feature in seen)
    assert set(counts) == {"train-2", "train-1"}
    assert counts["train-2"] == 3 * counts["train-1"]
    before = trainings.load(pretrained).get_layer("backbone").trainable_variables
    moved = [
        np.abs(a.numpy() - b.numpy()).max()
        for a, b in zip(model.get_layer("backbone").trainable_variables, before, strict=True)
    ]
    assert min(moved) > 0


def test_pre_training_needs_a_backbone(trainings, source):
    with pytest.raises(ValueError, match="backbone: pre-training needs one"):
        trainings("pretrain", "refused", source)
    assert not (trainings.root / "refused").exists()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"recipe": {"step": 3}}, r"unknown key 'step' \(did you mean 'steps'\?\)"),
        ({"sead": 5}, r"unknown key 'sead' \(did you mean 'seed'\?\)"),
        ({"seed": 5.0}, "valid integer"),
        ({"backbone": {"name": "inception_v3"}}, "image.size: 16; inception_v3 needs at least 75"),
        ({"compute": {"distribution": "gpus"}}, "(?s)compute.distribution.*'auto', 'cpu'"),
    ],
)
def test_settings_that_are_refused(trainings, source, config, message):
    with pytest.raises(ValueError, match=message):
        trainings("pretrain", "refused", source, **{"backbone": BACKBONE, **config})
    assert not (trainings.root / "refused").exists()
