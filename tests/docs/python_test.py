"""The code of docs/python.md, on small data."""

import io
import pathlib
import re

import numpy as np
import PIL.Image
import pytest
import scipy.special
import tensorflow as tf

from components import storage
from components.artifacts import index, label_prior, plan, predictions, vocabulary

TEXT = (pathlib.Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
ARRAYS, CALIBRATED, PIPELINE, LOAD = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_on_arrays():
    space: dict = {}
    exec(ARRAYS, space)
    np.testing.assert_allclose(space["prior"], [0.25, 0.5, 0.25], atol=1e-12)
    np.testing.assert_allclose(space["low"], [0.2, 0.4, 0.2], atol=1e-12)
    np.testing.assert_allclose(space["high"], [0.3, 0.6, 0.3], atol=1e-12)
    assert space["copies"].tolist() == [0, 1, 0, 0, 0, 1, 1, 1, 2, 2]
    assert space["sample"].tolist() == [1, 5, 6, 7, 8, 8, 9, 9]
    assert "# 0 1 0 0 0 1 1 1 2 2" in ARRAYS and "1 5 6 7 8 8 9 9" in ARRAYS
    assert len([line for line in ARRAYS.splitlines() if line and "import" not in line]) <= 10

    exec(CALIBRATED, space)
    logits, labels = space["source_logits"], space["source_labels"]

    def loss(temperature: float) -> float:
        return -scipy.special.log_softmax(logits / temperature, axis=1)[np.arange(6), labels].mean()

    assert loss(space["temperature"]) < min(loss(0.95 * space["temperature"]), loss(1.05 * space["temperature"]))
    assert space["shifted"].converged and space["shifted"].prior.argmax() == 1
    np.testing.assert_allclose(space["weights"], space["shifted"].prior / [0.6, 0.3, 0.1])


def picture(seed: int, format: str = "PNG") -> bytes:
    data = io.BytesIO()
    PIL.Image.fromarray(np.random.default_rng(seed).integers(0, 256, (24, 32, 3), np.uint8)).save(data, format)
    return data.getvalue()


def write(path: pathlib.Path, rows: list[tuple[int, str]], image_key: str, label_key: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for seed, label in rows:
            features = {image_key: picture(seed), label_key: label.encode()}
            feature = {
                key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value])) for key, value in features.items()
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())


SPECIES = ["owl", "crow", "wren"]
TRAIN = [(seed, SPECIES[min(seed % 4, 2)]) for seed in range(24)]  # 6 owls, 6 crows, 12 wrens
VALIDATION = [(seed, SPECIES[seed % 3]) for seed in range(100, 108)]
PETS = [(seed, ("tabby", "beagle")[seed % 2]) for seed in range(200, 210)]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> pathlib.Path:
    root = tmp_path_factory.mktemp("pipeline")
    for name, keys, splits in (
        ("source", ("photo", "species"), {"train-0": TRAIN[:20], "train-1": TRAIN[20:], "validation-0": VALIDATION}),
        (
            "target",
            ("picture", "breed"),
            {"train-0": PETS, "validation-0": [(300, "tabby"), (301, "beagle")]},
        ),
    ):
        for file, rows in splits.items():
            write(root / "data" / name / file, rows, *keys)
    (root / "photo.jpg").write_bytes(picture(7, "JPEG"))
    assert PIPELINE.count("Recipe(") == 1
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        exec(PIPELINE.replace("Recipe(", "Recipe(steps=2, batch_size=8, "), {})
    return root / "workspace" / "artifacts"


def output(workspace: pathlib.Path, node: str, key: str) -> pathlib.Path:
    (found,) = (workspace / node / key).iterdir()
    return found


def read(workspace: pathlib.Path, node: str, key: str, pattern: str):
    return storage.read_table([str(path) for path in sorted(output(workspace, node, key).glob(pattern))])


@pytest.mark.slow
def test_a_pipeline_over_the_examples_of_another(workspace):
    text = (output(workspace, "source-examples", "vocabulary") / vocabulary.FILE_NAME).read_text()
    names = vocabulary.loads(text).names
    assert names == ("crow", "owl", "wren")
    rows = read(workspace, "source-examples", "index", "Split-train/index-*")
    labels = {row["source_id"]: row["labels"] for row in rows.to_pylist()}
    assert labels == {index.content_hash(picture(seed)): [names.index(name)] for seed, name in TRAIN}

    logits = predictions.logits_of(read(workspace, "Predictor", "predictions", "Split-train/*.parquet"))
    assert logits.shape == (10, 3)
    prior = label_prior.from_table(read(workspace, "PriorEstimator", "label_prior", "*.parquet"))
    posteriors = scipy.special.softmax(logits.astype(float) / 2, axis=1)
    np.testing.assert_allclose(prior.target_prior, posteriors.mean(axis=0), atol=1e-12)
    assert prior.counts.tolist() == [6, 6, 12]

    copies = plan.copies_of(read(workspace, "ImportanceResampler", "plan", "Split-train/copies-*"))
    drawn = np.bincount([own[0] for own in rows["labels"].to_pylist()], weights=copies, minlength=3)
    np.testing.assert_allclose(drawn, 10_000 * prior.target_prior, atol=1)
    assert copies.sum() == 10_000
    for node in ("classifier", "specialist", "finetune"):
        assert (output(workspace, node, "model") / "Format-Serving" / "saved_model.pb").is_file()
        assert (output(workspace, node, "model_run") / "history.csv").read_text().splitlines()[-1].startswith("2,2,")


@pytest.mark.slow
def test_a_pushed_model_is_loaded(workspace, monkeypatch):
    monkeypatch.chdir(workspace.parents[1])
    space: dict = {}
    exec(LOAD, space)
    assert space["label"] in ("tabby", "beagle")
    assert 0.5 <= space["probability"] <= 1
