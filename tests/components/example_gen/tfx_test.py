"""TFX's own components on the Examples, uncompressed, and compressed as earlier versions wrote them."""

import os
import pathlib

import apache_beam as beam
import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
from tfx.components.example_validator import executor as validator
from tfx.components.statistics_gen import executor as statistics_gen
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils, standard_artifacts

from components import storage
from components.example_gen.readers.folder import FolderReader

RUNNER = "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner"


@pytest.fixture(scope="module")
def generated(generate, picture, tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    for i in range(30):
        path = root / "ab"[i % 3 == 0] / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(picture(i, height=3 + i))
    return generate(FolderReader(folder=str(root), splits={"train": 0.5, "eval": 0.5}), shards=2)


@pytest.fixture(params=["", ".gz"], ids=["uncompressed", "compressed"])
def examples(request, generated, tmp_path) -> standard_artifacts.Examples:
    made = standard_artifacts.Examples()
    made.uri, made.splits = str(tmp_path / "examples"), ["train", "eval"]
    made.set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")
    for split in made.splits:
        os.makedirs(made.path(split=split))
        for path in storage.list_files(generated.examples.path(split=split), storage.RECORD_PATTERN):
            copy = f"{made.path(split=split)}/{pathlib.Path(path).name}{request.param}"
            with tf.io.TFRecordWriter(copy, "GZIP" if request.param else "") as writer:
                for record in storage.read_records(path):
                    writer.write(record)
    return made


def at(artifact, path: pathlib.Path):
    artifact.uri = str(path)
    return artifact


def test_statistics_and_validation(generated, examples, tmp_path):
    context = base_beam_executor.BaseBeamExecutor.Context(make_beam_pipeline_fn=lambda: beam.Pipeline(argv=[RUNNER]))
    statistics = at(standard_artifacts.ExampleStatistics(), tmp_path / "statistics")
    statistics_gen.Executor(context).Do(
        {"examples": [examples]}, {"statistics": [statistics]}, {"exclude_splits": "[]"}
    )
    found = {}
    for split in examples.splits:
        of_split = stats_artifact_utils.load_statistics(statistics, split).proto().datasets[0]
        found[split] = of_split.num_examples
        (height,) = [feature for feature in of_split.features if feature.path.step[0] == "image/height"]
        heights = [record["image/height"][0] for record in generated.records(split).values()]
        assert (height.num_stats.min, height.num_stats.max) == (min(heights), max(heights))
    assert found == {split: len(generated.records(split)) for split in examples.splits}
    assert sum(found.values()) == 30

    schema = at(standard_artifacts.Schema(), tmp_path / "schema")
    inferred = tfdv.infer_schema(stats_artifact_utils.load_statistics(statistics, "train").proto())
    storage.write_text(f"{schema.uri}/schema.pbtxt", str(inferred))
    anomalies = at(standard_artifacts.ExampleAnomalies(), tmp_path / "anomalies")
    statistics.split_names = artifact_utils.encode_split_names(examples.splits)
    validator.Executor().Do(
        {"statistics": [statistics], "schema": [schema]}, {"anomalies": [anomalies]}, {"exclude_splits": "[]"}
    )
    assert {path.name for path in (tmp_path / "anomalies").iterdir()} == {"Split-train", "Split-eval"}
