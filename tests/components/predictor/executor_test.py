"""The Predictor on an exported model whose logits are small whole numbers: exact in float16, whatever the batch."""

import dataclasses
import functools
import os
import pathlib
import shutil
from collections.abc import Callable

import apache_beam as beam
import keras
import numpy as np
import pytest
import tensorflow as tf
from tfx.dsl.components.base import base_beam_executor
from tfx.types import standard_artifacts
from tfx.utils import json_utils

import components
from components import storage
from components.artifacts import index, label_map, model_labels, predictions, vocabulary
from components.example_gen import testing
from components.predictor import executor
from trainer import serving
from trainer.models.backbone import ImageConfig

# By its full name, which every Beam version knows.
RUNNER = "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner"
KERNEL = np.array([[1, 0, -2], [0, 3, 0], [-1, 0, 1], [1, -1, 0]])  # [pixels, labels]
BIAS = np.array([5, -7, 0])
SHARDS = {"train": [5, 0, 4], "eval": [1], "test": [2]}  # examples a shard


def export(uri: pathlib.Path, bias: np.ndarray) -> None:
    pixels = keras.Input((2, 2, 1), dtype="uint8")
    flat = keras.layers.Flatten()(keras.ops.cast(pixels, "float32"))
    head = keras.layers.Dense(3)
    model = keras.Model(pixels, {"logits": head(flat), "features": flat})
    head.set_weights([KERNEL, bias])
    serving.ServingModule(model, ImageConfig(size=2, channels=1), ("a", "b", "c")).export(
        saved_model=str(uri / "Format-Serving"),
        keras_file=str(uri / serving.KERAS_FILE),
    )


def pixels(split: str, shard: int, row: int) -> np.ndarray:
    """Another image for each example, [2, 2, 1]."""
    return np.random.default_rng([len(split), shard, row]).integers(0, 256, (2, 2, 1), np.uint8)


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> standard_artifacts.Examples:
    artifact = standard_artifacts.Examples()
    artifact.uri = str(tmp_path_factory.mktemp("examples"))
    artifact.splits = [*SHARDS, "none"]
    for split, sizes in SHARDS.items():
        for shard, size in enumerate(sizes):
            items = [keyed(split, shard, row) for row in range(size)]
            index_folder = f"{artifact.uri}-index/Split-{split}"
            testing.write_shard(artifact.path(split=split), index_folder, shard, len(sizes), items)
    return artifact


def keyed(split: str, shard: int, row: int):
    image = tf.io.encode_png(pixels(split, shard, row)).numpy()
    # Ids in falling order: rows have to stay where they are.
    return testing.make_record(image, (0,), f"ö-{split}-{shard}-{9 - row}", split=split, names=("x",))


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> standard_artifacts.Model:
    artifact = standard_artifacts.Model()
    artifact.uri = str(tmp_path_factory.mktemp("model"))
    export(pathlib.Path(artifact.uri), BIAS)
    return artifact


@pytest.fixture(scope="module")
def load_once() -> Callable:
    return functools.cache(tf.saved_model.load)


@pytest.fixture
def predict(images, tmp_path, load_once, monkeypatch):
    monkeypatch.setattr(tf.saved_model, "load", load_once)  # seconds each time

    def run(
        model: standard_artifacts.Model, splits: list[str], batch_size: int, max_examples: int = 0, beam_args=()
    ) -> dict[str, tuple]:
        """Returns path below the artifact → (ids, logits)."""
        images_index = components.ExampleIndex()
        images_index.uri = f"{images.uri}-index"
        output = components.Predictions()
        output.uri = str(tmp_path / "predictions")
        # Not by beam_pipeline_args, for which TFX packs itself up first, as for remote workers: seconds each time.
        context = base_beam_executor.BaseBeamExecutor.Context(
            make_beam_pipeline_fn=lambda: beam.Pipeline(argv=[RUNNER, *beam_args])
        )
        executor.Executor(context).Do(
            {"examples": [images], "index": [images_index], "model": [model]},
            {"predictions": [output]},
            {"splits": json_utils.dumps(splits), "batch_size": batch_size, "max_examples": max_examples},
        )
        labels = pathlib.Path(output.uri, vocabulary.FILE_NAME)
        assert vocabulary.loads(labels.read_text()).names == ("a", "b", "c")
        tables = {path: storage.read_table(str(path)) for path in pathlib.Path(output.uri).rglob("*.parquet*")}
        return {
            str(path.relative_to(output.uri)): (table.column("source_id").to_pylist(), predictions.logits_of(table))
            for path, table in tables.items()
        }

    return run


def expected(split: str, shard: int) -> tuple[list[str], np.ndarray]:
    rows = range(SHARDS[split][shard])
    flat = np.array([pixels(split, shard, row).ravel() for row in rows], int).reshape(-1, 4)
    return [f"ö-{split}-{shard}-{9 - row}" for row in rows], flat @ KERNEL + BIAS


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_ids_and_logits_of_every_shard(predict, model, batch_size):
    found = predict(model, ["train", "test"], batch_size)
    answers = {
        f"Split-{split}/predictions-{shard:05d}-of-{len(SHARDS[split]):05d}.parquet": expected(split, shard)
        for split in ("train", "test")
        for shard in range(len(SHARDS[split]))
    }
    assert set(found) == set(answers)
    for path, (ids, logits) in answers.items():
        assert found[path][0] == ids
        np.testing.assert_array_equal(found[path][1], logits)
        assert found[path][1].dtype == np.float16 and found[path][1].shape == (len(ids), 3)


@pytest.mark.slow
def test_the_mode_of_the_runner_does_not_matter(predict, model, tmp_path):
    one = predict(model, ["train"], 2, max_examples=7)
    shutil.rmtree(tmp_path / "predictions")
    several = predict(
        model,
        ["train"],
        2,
        max_examples=7,
        beam_args=["--direct_running_mode=multi_processing", "--direct_num_workers=2"],
    )
    assert {path: ids for path, (ids, _) in one.items()} == {path: ids for path, (ids, _) in several.items()}
    for path, (_, logits) in one.items():
        np.testing.assert_array_equal(several[path][1], logits)


def test_shards_together_are_one_table(predict, model, tmp_path):
    predict(model, ["train"], 2)
    table = storage.read_table(storage.list_files(f"{tmp_path}/predictions/Split-train", predictions.FILE_PATTERN))
    np.testing.assert_array_equal(
        predictions.logits_of(table), np.concatenate([expected("train", shard)[1] for shard in range(3)])
    )


def test_embeddings_are_kept(predict, model, tmp_path):
    predict(model, ["test"], 2)
    table = storage.read_table(storage.list_files(f"{tmp_path}/predictions/Split-test", predictions.FILE_PATTERN))
    flat = [pixels("test", 0, row).ravel() for row in range(2)]
    np.testing.assert_array_equal(predictions.embeddings_of(table), np.array(flat, np.float16))


def test_a_model_without_features(predict, model, tmp_path):
    kernel = tf.constant(KERNEL, tf.float32)
    network = serving.Network(
        lambda pixels: {"logits": tf.reshape(tf.cast(pixels, tf.float32), [-1, 4]) @ kernel + BIAS}, []
    )
    plain = standard_artifacts.Model()
    plain.uri = str(tmp_path / "plain")
    module = serving.ServingModule(network, ImageConfig(size=2, channels=1), ("a", "b", "c"))
    module.export(saved_model=f"{plain.uri}/Format-Serving")
    pairs = (("a", "x"), ("b", "x"))
    model_labels.write_map(f"{plain.uri}/Format-Serving", pairs)
    found = predict(plain, ["train"], 2)
    for shard in range(3):
        ids, logits = found[f"Split-train/predictions-{shard:05d}-of-00003.parquet"]
        assert ids == expected("train", shard)[0]
        np.testing.assert_array_equal(logits, expected("train", shard)[1])
    table = storage.read_table(storage.list_files(f"{tmp_path}/predictions/Split-train", predictions.FILE_PATTERN))
    assert not predictions.has_embeddings(table)
    assert label_map.loads((tmp_path / "predictions" / label_map.FILE_NAME).read_text()) == pairs


@pytest.mark.parametrize("limit", [1, 4, 8, 9, 10])
def test_a_sample_is_of_the_smallest_keys_of_all_shards(predict, model, limit):
    found = predict(model, ["train"], 2, max_examples=limit)
    ids = [source_id for shard in range(3) for source_id in expected("train", shard)[0]]
    wanted = sorted(ids, key=index.id_key)[:limit]
    assert sorted(source_id for ids, _ in found.values() for source_id in ids) == sorted(wanted)
    for shard in range(3):
        answers = dict(zip(*expected("train", shard), strict=True))
        some_ids, logits = found[f"Split-train/predictions-{shard:05d}-of-00003.parquet"]
        assert some_ids == [source_id for source_id in answers if source_id in wanted]
        np.testing.assert_array_equal(logits, np.array([answers[i] for i in some_ids]).reshape(-1, 3))


def test_an_index_of_other_shards_is_refused(predict, model, images, tmp_path):
    other = standard_artifacts.Examples()
    other.uri = str(tmp_path / "other")
    other.splits = ["test"]
    path = f"{other.uri}-index/Split-test/{storage.shard_name('index', 0, 1, '.parquet')}"
    storage.write_table(path, index.table([keyed("test", 0, 0).row]))
    (shard,) = storage.list_files(images.path(split="test"), storage.RECORD_PATTERN)
    storage.write_records(f"{other.path(split='test')}/{pathlib.Path(shard).name}", storage.read_records(shard))
    images_uri = images.uri
    try:
        images.uri = other.uri
        with pytest.raises(Exception, match="another number of rows"):
            predict(model, ["test"], 2)
    finally:
        images.uri = images_uri


def test_an_image_that_cannot_be_decoded_is_named(predict, model, images, tmp_path, monkeypatch):
    other = standard_artifacts.Examples()
    other.uri, other.splits = str(tmp_path / "other"), ["test"]
    items = [keyed("test", 0, row) for row in range(3)]
    example = tf.train.Example.FromString(items[1].record)
    encoded = example.features.feature["image/encoded"].bytes_list
    encoded.value[0] = encoded.value[0][:-20]
    items[1] = dataclasses.replace(items[1], record=example.SerializeToString())
    testing.write_shard(other.path(split="test"), f"{other.uri}-index/Split-test", 0, 1, items)
    monkeypatch.setattr(images, "uri", other.uri)
    with pytest.raises(ValueError, match=r"^the image of 'ö-test-0-8' cannot be decoded; .*`check: full`"):
        predict(model, ["test"], 2)


def test_compressed_shards_of_earlier_versions(predict, model, images, tmp_path, monkeypatch):
    expected_tables = predict(model, ["train"], 2)
    shutil.copytree(images.uri, tmp_path / "old")
    shutil.copytree(f"{images.uri}-index", tmp_path / "old-index")
    for path in storage.list_files(str(tmp_path / "old" / "Split-train"), storage.RECORD_PATTERN):
        with tf.io.TFRecordWriter(f"{path}.gz", "GZIP") as writer:
            for record in storage.read_records(path):
                writer.write(record)
        os.remove(path)
    monkeypatch.setattr(images, "uri", str(tmp_path / "old"))
    found = predict(model, ["train"], 2)
    assert found.keys() == expected_tables.keys()
    for path, (ids, logits) in expected_tables.items():
        assert found[path][0] == ids
        np.testing.assert_array_equal(found[path][1], logits)


def test_a_classifier_that_has_diverged(predict, tmp_path):
    broken = standard_artifacts.Model()
    broken.uri = str(tmp_path / "broken")
    export(pathlib.Path(broken.uri), np.array([0, np.inf, 0]))
    with pytest.raises(ValueError, match=r"logits: those of 'ö-test-0-9' are not finite"):
        predict(broken, ["test"], 2)


def test_a_split_without_files(predict, model):
    with pytest.raises(ValueError, match=r"Split-none: no file named 'data_tfrecord-\*-of-\*' in it"):
        predict(model, ["none"], 2)


def test_a_split_that_is_not_there(predict, model):
    with pytest.raises(ValueError, match="valid"):
        predict(model, ["valid"], 2)
