import pathlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.special
from tfx import types
from tfx.utils import json_utils

import components
from components import code_version, storage
from components import prior_estimator as on_arrays
from components.artifacts import exclusions, index, label_counts, label_map, label_prior, plan, predictions, vocabulary
from components.artifacts.types import (
    ExampleIndex,
    Exclusions,
    LabelCounts,
    LabelPrior,
    LabelVocabulary,
    Predictions,
    ResamplePlan,
)
from components.prior_estimator import executor
from components.prior_estimator.settings import EstimatorSettings

# Three labels in train, of which a fourth has no example; the eval split knows all three.
TRAIN = [[0], [0], [0], [0], [1], [1], [2], [2], [2], [2]]
EVAL = [[0], [1], [2]] * 20
NAMES = ["owl", "crow", "wren", "dodo"]


SPLITS = {"train": TRAIN, "eval": EVAL}


def rows_of(split: str) -> list[dict]:
    return [
        {"source_id": f"{split}-{i}", "key": i, "labels": ids, "split": split} for i, ids in enumerate(SPLITS[split])
    ]


def logits_of(labels: list[list[int]], seed: int) -> np.ndarray:
    """Logits that are right more often than not: the classifier makes mistakes, so that it can be calibrated."""
    noise = np.random.default_rng(seed).normal(size=(len(labels), 4))
    return 1.5 * np.eye(4)[[first for first, *_ in labels]] + noise - [0, 0, 0, 4]


class Estimation:
    """The executor on an index and predictions that are written for it."""

    def __init__(self, root: pathlib.Path):
        self.root = root
        self.inputs = {
            "index": [self._artifact(ExampleIndex, "index")],
            "vocabulary": [self._artifact(LabelVocabulary, "vocabulary")],
            "predictions": [self._artifact(Predictions, "predictions")],
            "source_predictions": [self._artifact(Predictions, "source_predictions")],
        }
        storage.write_text(f"{root}/vocabulary/labels.csv", vocabulary.dumps(vocabulary.make_vocabulary(NAMES)))
        for split in SPLITS:
            self._write("index", split, [index.table(rows_of(split)[:3]), index.table(rows_of(split)[3:])])
        # Mostly wrens in the target; and of the source's eval split, every image but the first ten, in another order.
        self.target_logits = logits_of([[2]] * 30 + [[0]] * 10, seed=1)
        self._write_predictions("predictions", "train", [str(i) for i in range(40)], self.target_logits)
        rows = np.arange(59, 9, -1)
        self._write_predictions("source_predictions", "eval", [f"eval-{row}" for row in rows], logits_of(EVAL, 2)[rows])

    def _artifact(self, artifact_type, name: str) -> types.Artifact:
        artifact = artifact_type()
        artifact.uri = str(self.root / name)
        return artifact

    def _write(self, name: str, split: str, tables: list) -> None:
        stem = "index" if name == "index" else "predictions"
        for shard, table in enumerate(tables):
            file_name = storage.shard_name(stem, shard, len(tables), ".parquet")
            storage.write_table(f"{self.root}/{name}/Split-{split}/{file_name}", table)

    def _write_predictions(self, name: str, split: str, ids: list[str], logits: np.ndarray) -> None:
        table = predictions.table(ids, logits, embedding=logits[:, :2])
        self._write(name, split, [table[:25], table[25:]])

    def __call__(self, **settings) -> label_prior.LabelPrior:
        output = self._artifact(LabelPrior, "label_prior")
        properties = {**executor.to_properties(EstimatorSettings(**settings)), "code_version": "1"}
        executor.Executor().Do(self.inputs, {"label_prior": [output]}, properties)
        return label_prior.from_table(storage.read_table(f"{output.uri}/{label_prior.FILE_NAME}"))


@pytest.fixture
def estimation(tmp_path) -> Estimation:
    return Estimation(tmp_path)


def test_mean_prediction_without_the_source(estimation):
    del estimation.inputs["source_predictions"]
    prior = estimation()
    halves = estimation.target_logits.astype(np.float16).astype(float)
    assert prior.target_prior == pytest.approx(scipy.special.softmax(halves / 2, axis=1).mean(axis=0), abs=1e-12)
    assert prior.counts.tolist() == [4, 2, 4, 0]
    assert prior.names == tuple(NAMES)
    assert prior.assumption is None
    assert prior.header()["lost_mass"] > 0


def test_the_labels_of_a_classifier_from_elsewhere(estimation):
    """Four labels of its own: two crows, one that the source lacks, and a wren; it knows no owl."""
    del estimation.inputs["source_predictions"]
    folder = estimation.root / "predictions"
    own = vocabulary.make_vocabulary(["hooded crow", "carrion crow", "gull", "wren"])
    (folder / "labels.csv").write_text(vocabulary.dumps(own))
    (folder / "label_map.csv").write_text(label_map.dumps([("hooded crow", "crow"), ("carrion crow", "crow")]))
    prior = estimation()
    halves = estimation.target_logits.astype(np.float16).astype(float)
    shares = scipy.special.softmax(halves / 2, axis=1).mean(axis=0)
    expected = np.array([0, shares[0] + shares[1], shares[3], 0]) / (1 - shares[2])
    assert prior.target_prior == pytest.approx(expected, abs=1e-12)
    assert prior.unmapped_mass == pytest.approx(shares[2], abs=1e-12)
    assert prior.header()["unmapped_labels"] == 2
    table = storage.read_table(str(estimation.root / "label_prior" / "label_prior.parquet"))
    assert label_prior.from_table(table).unmapped_mass == prior.unmapped_mass


@pytest.mark.parametrize("estimator", ["mean_prediction", "em", "bbse"])
def test_each_estimator(estimation, estimator):
    prior = estimation(estimator=estimator, temperature="fitted", bootstrap=20, smoothing=0.1, floor=0.01, seed=5)
    header = prior.header()
    assert (header["estimator"], header["temperature_fitted"]) == (estimator, True)
    assert header["temperature"] == pytest.approx(1, abs=0.4)
    assert (header["smoothing"], header["floor"], header["replicates"], header["seed"]) == (0.1, 0.01, 20, 5)
    assert prior.target_prior.argmax() == 2
    assert prior.assumption.target_images.sum() == 40
    frame = pd.read_parquet(estimation.root / "label_prior" / "label_prior.parquet")
    assert np.all(frame.target_prior_low <= frame.target_prior_high)
    assert frame.importance_weight[3] == 0


@pytest.mark.parametrize("estimator", ["mean_prediction", "em", "bbse"])
def test_the_functions_on_arrays_give_the_same(estimation, estimator):
    prior = estimation(estimator=estimator, temperature="fitted", bootstrap=30, seed=5, level=0.8)
    logits = estimation.target_logits.astype(np.float16)
    rows = np.arange(59, 9, -1)
    known, labels = logits_of(EVAL, 2)[rows].astype(np.float16), np.array([first for first, *_ in EVAL])[rows]
    source_prior = np.array([4, 2, 4, 0]) / 10
    temperature = on_arrays.fit_temperature(known, labels)
    assert temperature == prior.temperature
    estimates = {
        "mean_prediction": lambda: on_arrays.mean_prediction(logits, temperature),
        "em": lambda: on_arrays.em(logits, source_prior, temperature).prior,
        "bbse": lambda: on_arrays.bbse(logits, known, labels, source_prior, temperature).prior,
    }
    target_prior = estimates[estimator]()
    np.testing.assert_allclose(target_prior, prior.target_prior, atol=1e-12)
    np.testing.assert_allclose(on_arrays.importance_weights(target_prior, prior.counts), prior.weights)
    if estimator == "mean_prediction":
        interval = on_arrays.bootstrap(
            lambda weights: on_arrays.mean_prediction(logits, temperature, weights=weights),
            len(logits),
            replicates=30,
            level=0.8,
            seed=5,
        )
        np.testing.assert_allclose(interval, prior.interval, atol=1e-12)


def test_labels_go_with_their_predictions_whatever_the_order(estimation):
    # Were rows and labels mixed up, the classifier would be no better than chance and have no temperature.
    fitted = estimation(temperature="fitted").temperature
    labels = np.array([first for first, *_ in EVAL])
    rows = np.arange(10, 60)
    logits = logits_of(EVAL, 2)[rows].astype(np.float16).astype(float)

    def loss(temperature: float) -> float:
        return -scipy.special.log_softmax(logits / temperature, axis=1)[np.arange(50), labels[rows]].mean()

    assert loss(fitted) < min(loss(0.95 * fitted), loss(1.05 * fitted))


@pytest.mark.parametrize(
    "settings", [{"estimator": "em"}, {"estimator": "bbse"}, {"temperature": "fitted"}], ids=["em", "bbse", "fitted"]
)
def test_missing_predictions_for_the_source(estimation, settings):
    # An optional input is absent, or a list without an artifact.
    for inputs in ({"source_predictions": []}, {}):
        estimation.inputs.pop("source_predictions", None)
        estimation.inputs.update(inputs)
        with pytest.raises(ValueError, match="source_predictions: missing"):
            estimation(**settings)
    assert not (estimation.root / "label_prior").exists()


@pytest.mark.parametrize("estimator", ["mean_prediction", "em"])
def test_logits_of_a_classifier_with_its_labels_in_another_order(estimation, estimator):
    expected = estimation(estimator=estimator, temperature="fitted")
    order = [2, 0, 3, 1]
    for name, split in (("predictions", "train"), ("source_predictions", "eval")):
        for path in storage.list_files(f"{estimation.root}/{name}/Split-{split}", "*"):
            storage.write_table(path, predictions.reorder_logits(storage.read_table(path), np.array(order)))
        names = vocabulary.make_vocabulary([NAMES[i] for i in order])
        storage.write_text(f"{estimation.root}/{name}/labels.csv", vocabulary.dumps(names))
    found = estimation(estimator=estimator, temperature="fitted")
    assert found.names == tuple(NAMES)
    assert np.array_equal(found.target_prior, expected.target_prior)
    assert np.array_equal(found.interval, expected.interval)
    assert np.array_equal(found.assumption.target_images, expected.assumption.target_images)


def test_a_classifier_of_other_labels(estimation):
    labels = vocabulary.make_vocabulary(["owl", "crow", "wren", "emu"])
    storage.write_text(f"{estimation.root}/source_predictions/labels.csv", vocabulary.dumps(labels))
    message = r"^source_predictions: its labels are not those of the vocabulary: it lacks 1 \(\['dodo'\]\) and has 1 "
    with pytest.raises(ValueError, match=message):
        estimation()


def test_exclusions(estimation):
    keyed = {split: [row | {"key": index.id_key(row["source_id"])} for row in rows_of(split)] for split in SPLITS}
    for split, rows in keyed.items():
        estimation._write("index", split, [index.table(rows[:3]), index.table(rows[3:])])
    # Of train a 0 and a 2; of eval those that are predicted worst.
    labels = np.array([first for first, *_ in EVAL])
    probabilities = scipy.special.softmax(logits_of(EVAL, 2), axis=1)[np.arange(60), labels]
    worst = [i for i in np.argsort(probabilities)[:6].tolist() if i >= 10]
    ids = {"train": ["train-1", "train-9"], "eval": [f"eval-{i}" for i in worst]}
    for split, excluded in ids.items():
        table = pa.Table.from_pylist([{"source_id": name} for name in excluded], exclusions.SCHEMA)
        storage.write_table(f"{estimation.root}/exclusions/Split-{split}/pairs-0.parquet", table)
    before = estimation(temperature="fitted")
    estimation.inputs["exclusions"] = [estimation._artifact(Exclusions, "exclusions")]
    prior = estimation(temperature="fitted")
    assert (before.counts.tolist(), prior.counts.tolist()) == ([4, 2, 4, 0], [3, 2, 3, 0])
    assert prior.temperature < 0.9 * before.temperature
    # As if they were not there.
    del estimation.inputs["exclusions"]
    left = [row for row in range(59, 9, -1) if row not in worst]
    estimation._write_predictions("source_predictions", "eval", [f"eval-{i}" for i in left], logits_of(EVAL, 2)[left])
    assert estimation(temperature="fitted").temperature == prior.temperature


def test_counts_in_place_of_the_index(estimation):
    expected = estimation()
    for name in ("index", "source_predictions"):
        del estimation.inputs[name]
    estimation.inputs["counts"] = [estimation._artifact(LabelCounts, "counts")]
    # In another order than the vocabulary.
    text = label_counts.dumps({"dodo": 0, "crow": 2, "owl": 4, "wren": 4})
    storage.write_text(f"{estimation.root}/counts/counts.csv", text)
    prior = estimation()
    assert prior.counts.tolist() == expected.counts.tolist() == [4, 2, 4, 0]
    assert np.array_equal(prior.target_prior, expected.target_prior)
    assert np.array_equal(prior.weights, expected.weights)
    assert prior.header()["lost_mass"] == expected.header()["lost_mass"] > 0
    assert prior.assumption is None


def test_counts_of_other_labels(estimation):
    estimation.inputs["counts"] = [estimation._artifact(LabelCounts, "counts")]
    storage.write_text(f"{estimation.root}/counts/counts.csv", label_counts.dumps({"owl": 1, "emu": 2}))
    with pytest.raises(ValueError, match=r"^counts: its labels .* lacks 3 \(\['crow', .* has 1 others \(\['emu'\]"):
        estimation()


def test_a_plan_of_the_target(estimation):
    copies = np.random.default_rng(6).integers(0, 4, 40).astype(np.int32)
    ids = [str(i) for i in np.random.default_rng(7).permutation(40)]
    rows = [{"source_id": name, "key": i, "labels": [0], "split": "train"} for i, name in enumerate(ids)]
    for shard, part in enumerate((slice(0, 11), slice(11, 40))):
        name = storage.shard_name("{}", shard, 2, ".parquet")
        storage.write_table(
            f"{estimation.root}/target_index/Split-train/{name.format('index')}", index.table(rows[part])
        )
        storage.write_table(
            f"{estimation.root}/target_plan/Split-train/{name.format('copies')}", plan.copies_table(copies[part])
        )
    everything = estimation()
    estimation.inputs["target_index"] = [estimation._artifact(ExampleIndex, "target_index")]
    estimation.inputs["target_plan"] = [estimation._artifact(ResamplePlan, "target_plan")]
    prior = estimation(bootstrap=30)
    assert prior.num_images == prior.assumption.target_images.sum() == copies.sum()
    halves = estimation.target_logits.astype(np.float16).astype(float)[[int(name) for name in ids]]
    expected = copies @ scipy.special.softmax(halves / 2, axis=1) / copies.sum()
    assert prior.target_prior == pytest.approx(expected, abs=1e-12)
    assert np.abs(prior.target_prior - everything.target_prior).max() > 1e-3
    assert np.all(prior.interval[0] <= prior.target_prior) and np.all(prior.target_prior <= prior.interval[1])


def test_another_vocabulary(estimation):
    storage.write_text(
        f"{estimation.root}/vocabulary/labels.csv", vocabulary.dumps(vocabulary.make_vocabulary(NAMES[:3]))
    )
    with pytest.raises(ValueError, match="predictions: 4 logits an image, but the source vocabulary has 3 labels"):
        estimation()


def test_settings_survive_a_runner_that_turns_whole_numbers_into_floats():
    settings = EstimatorSettings(estimator="em", temperature="fitted", bootstrap=100, level=0.9, smoothing=0.5, seed=7)
    properties = executor.to_properties(settings)
    properties.update(bootstrap=100.0, seed=7.0, code_version="1")
    read = executor.settings_of(properties)
    assert read == settings
    assert (type(read.bootstrap), type(read.seed)) == (int, int)


def component(**changes) -> components.PriorEstimator:
    channels = {
        "predictions": types.Channel(type=Predictions),
        "index": types.Channel(type=ExampleIndex),
        "vocabulary": types.Channel(type=LabelVocabulary),
    }
    return components.PriorEstimator(**{**channels, **changes})


def test_the_component():
    source = types.Channel(type=Predictions)
    estimator = component(source_predictions=source, estimator="em", temperature="fitted", bootstrap=50, floor=0)
    properties = estimator.exec_properties
    assert json_utils.loads(properties["temperature"]) == "fitted"
    assert (properties["estimator"], properties["bootstrap"], properties["floor"]) == ("em", 50, 0.0)
    assert properties["code_version"] == code_version.code_version("components.prior_estimator.executor")
    assert set(estimator.inputs) == {"predictions", "source_predictions", "index", "vocabulary"}
    assert set(component().inputs) == {"predictions", "index", "vocabulary"}
    planned = component(target_plan=types.Channel(type=ResamplePlan), target_index=types.Channel(type=ExampleIndex))
    assert set(planned.inputs) - set(component().inputs) == {"target_plan", "target_index"}
    assert planned.exec_properties == component().exec_properties
    assert json_utils.loads(component(temperature=2).exec_properties["temperature"]) == 2.0


def test_what_decides_the_same_has_the_same_properties():
    source = types.Channel(type=Predictions)
    assert component().exec_properties == component(temperature=2.0).exec_properties
    forced = component(source_predictions=source, estimator="em", temperature=1.5, force=True)
    assert json_utils.loads(forced.exec_properties["temperature"]) == 1.5
    # A default that cannot be fitted becomes 1; what was asked for is an error.
    default = component(source_predictions=source, estimator="em").exec_properties
    assert json_utils.loads(default["temperature"]) is None
    assert executor.settings_of(default) == EstimatorSettings(estimator="em")


def with_counts(**changes) -> dict:
    return {"index": None, "counts": types.Channel(type=LabelCounts), **changes}


def test_the_default_temperature_with_counts():
    found = {
        activation: json_utils.loads(component(**with_counts(activation=activation)).exec_properties["temperature"])
        for activation in ("softmax", "sigmoid")
    }
    assert found == {"softmax": 2.0, "sigmoid": 1.0}
    assert set(component(**with_counts()).inputs) == {"predictions", "counts", "vocabulary"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"index": None}, "^index, counts: neither is given"),
        ({"counts": types.Channel(type=LabelCounts)}, "^index, counts: both are given"),
        (with_counts(exclusions=types.Channel(type=Exclusions)), "^exclusions: given, but counts"),
        (with_counts(source_predictions=types.Channel(type=Predictions)), "^source_predictions: given, but counts"),
        (with_counts(estimator="em"), "^source_predictions: missing"),
        (with_counts(estimator="bbse"), "^source_predictions: missing"),
        (with_counts(temperature="fitted"), "^source_predictions: missing"),
        (with_counts(activation="sigmoid", temperature="fitted"), "^source_predictions: missing"),
        ({"estimator": "bbse"}, "source_predictions: missing"),
        ({"temperature": "fitted"}, "source_predictions: missing"),
        ({"activation": "sigmoid"}, "source_predictions: missing"),
        ({"temperature": 0.0}, "temperature: 0.0"),
        ({"estimator": "em", "temperature": 1.0}, "temperature: 1.0, but the estimator 'em'"),
        ({"activation": "sigmoid", "temperature": 2.0}, "temperature: 2.0, but above 1"),
        ({"estimator": "mean"}, "estimator: 'mean'"),
        ({"target_plan": types.Channel(type=ResamplePlan)}, "target_index: missing, but target_plan is given"),
        ({"target_index": types.Channel(type=ExampleIndex)}, "target_plan: missing, but target_index is given"),
    ],
)
def test_a_wrong_component_fails_when_it_is_made(changes, message):
    with pytest.raises(ValueError, match=message):
        component(**changes)
