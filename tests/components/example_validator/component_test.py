"""From the index to the anomalies: StatisticsGen and ExampleValidator by the schemas of both sides."""

import pathlib
import shutil

import apache_beam as beam
import pytest
from tensorflow_data_validation.statistics import stats_impl
from tfx import types
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import json_utils

import components
import schemas
from components import code_version, storage
from components.artifacts import index, vocabulary
from components.example_validator import anomalies
from components.example_validator import executor as validator_executor
from components.statistics_gen import executor as statistics_executor
from components.statistics_gen import features

RUNNER = "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner"
NAMES = ["owl", "emu", "hen"]


def row(i: int, **values) -> dict:
    good = {"source_id": f"id {i}", "labels": [i % 3], "format": "png" if i % 2 else "jpeg", "height": 3 + i}
    read = {"original_format": "gif" if i % 2 else "jpeg", "converted": bool(i % 2)}
    return {"key": i, "split": "train", "width": 2 * i + 1, "bytes": 50 + i, **good, **read, **values}


class Data:
    """An index of two splits in two shards, and what the two components make of it."""

    def __init__(self, root: pathlib.Path, rows: dict[str, list[dict]], *, with_beam: bool = True):
        self.root = root
        kinds = {
            "index": components.ExampleIndex,
            "vocabulary": components.LabelVocabulary,
            "schema": standard_artifacts.Schema,
            "statistics": standard_artifacts.ExampleStatistics,
            "anomalies": standard_artifacts.ExampleAnomalies,
        }
        self.artifacts: dict[str, types.Artifact] = {key: kind() for key, kind in kinds.items()}
        for key, artifact in self.artifacts.items():
            artifact.uri = str(root / key)
        self.artifacts["statistics"].split_names = artifact_utils.encode_split_names(sorted(rows))
        storage.write_text(
            f"{root}/vocabulary/{vocabulary.FILE_NAME}", vocabulary.dumps(vocabulary.make_vocabulary(NAMES))
        )
        if not with_beam:  # seconds faster
            for split, found in rows.items():
                batch = features.of_index(index.table(found), NAMES)
                written = stats_impl.generate_statistics_in_memory(batch).SerializeToString()
                path = root / "statistics" / f"Split-{split}" / "FeatureStats.pb"
                path.parent.mkdir(parents=True)
                path.write_bytes(written)
            return
        for split, found in rows.items():
            for shard, part in enumerate((found[:2], found[2:])):
                name = storage.shard_name("index", shard, 2, ".parquet")
                storage.write_table(f"{root}/index/Split-{split}/{name}", index.table(part))
        context = base_beam_executor.BaseBeamExecutor.Context(
            make_beam_pipeline_fn=lambda: beam.Pipeline(argv=[RUNNER])
        )
        statistics_executor.Executor(context).Do(self.of("index", "vocabulary"), self.of("statistics"), {})

    def of(self, *keys: str) -> dict[str, list[types.Artifact]]:
        return {key: [self.artifacts[key]] for key in keys}

    def validate(self, side: str, on_anomalies: str = "warn") -> list[str]:
        shutil.copytree(schemas.folder(side), self.root / "schema", dirs_exist_ok=True)
        properties = {"exclude_splits": json_utils.dumps([]), "on_anomalies": on_anomalies}
        inputs = self.of("statistics", "schema", "vocabulary")
        validator_executor.Executor().Do(inputs, self.of("anomalies"), properties)
        return anomalies.read(self.artifacts["anomalies"].uri)


GOOD = {"train": [row(i) for i in range(1, 7)], "eval": [row(7)]}


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Data:
    return Data(tmp_path_factory.mktemp("good"), GOOD)


@pytest.mark.parametrize("side", ["source", "target"])
def test_good_data_have_no_anomaly(good, side):
    assert good.validate(side, on_anomalies="stop") == []
    assert sorted(path.name for path in (good.root / "anomalies").iterdir()) == ["Split-eval", "Split-train"]


def test_the_statistics(good):
    train = stats_artifact_utils.load_statistics(good.artifacts["statistics"], "train").proto().datasets[0]
    assert train.num_examples == 6
    found = {feature.path.step[0]: feature for feature in train.features}
    assert set(found) == {
        *("image/format", "image/original_format", "image/converted"),
        *("image/height", "image/width", "image/aspect", "image/bytes"),
        *("image/class/label", "image/class/text", "image/source_id/length"),
    }
    heights = found["image/height"].num_stats
    assert (heights.min, heights.max, heights.mean) == (4, 9, 6.5)
    aspects = found["image/aspect"].num_stats
    assert (aspects.min, aspects.max) == (3 / 4, pytest.approx(13 / 9))
    assert found["image/bytes"].num_stats.mean == 53.5
    counts = {entry.value: entry.frequency for entry in found["image/class/text"].string_stats.top_values}
    assert counts == {"owl": 2, "emu": 2, "hen": 2}
    formats = {entry.value: entry.frequency for entry in found["image/original_format"].string_stats.top_values}
    assert formats == {"gif": 3, "jpeg": 3}
    assert found["image/converted"].num_stats.mean == 0.5
    assert found["image/class/label"].num_stats.common_stats.avg_num_values == 1


def test_several_labels_are_for_a_source(tmp_path):
    data = Data(tmp_path, {**GOOD, "eval": [row(1, labels=[2, 0]), row(2)]})
    assert data.validate("source") == []
    found = data.validate("target")
    assert [line.split(": ")[:2] for line in found] == [["eval", "image/class/label"], ["eval", "image/class/text"]]
    statistics = stats_artifact_utils.load_statistics(data.artifacts["statistics"], "eval").proto().datasets[0]
    (label,) = [feature for feature in statistics.features if feature.path.step[0] == "image/class/label"]
    common = label.num_stats.common_stats
    assert (common.min_num_values, common.max_num_values, common.avg_num_values) == (1, 2, 1.5)


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"format": "webp"}, ["image/format"]),
        ({"format": None}, ["image/format"]),
        ({"original_format": "svg"}, ["image/original_format"]),
        ({"original_format": None, "converted": None}, ["image/converted", "image/original_format"]),
        ({"labels": [3]}, ["image/class/label"]),
        ({"labels": [-1]}, ["image/class/label"]),
        ({"labels": []}, ["image/class/label", "image/class/text"]),
        ({"labels": None}, ["image/class/label", "image/class/text"]),
        ({"source_id": None}, ["image/source_id/length"]),
        ({"source_id": ""}, ["image/source_id/length"]),
        ({"height": 0}, ["image/aspect", "image/height"]),
        ({"width": -2}, ["image/aspect", "image/width"]),
        ({"bytes": 0}, ["image/bytes"]),
    ],
    ids=[
        "new-format", "no-format", "new-original-format", "no-original-format", "label-outside", "negative-label",
        "no-label", "labels-missing", "no-id", "empty-id", "no-height", "negative-width", "no-bytes",
    ],
)  # fmt: skip
def test_each_anomaly_is_found_where_it_is(tmp_path, side, values, expected):
    data = Data(tmp_path, {**GOOD, "train": [*GOOD["train"], row(8, **values)]}, with_beam=False)
    found = data.validate(side)
    assert [line.split(": ")[:2] for line in found] == [["train", feature] for feature in expected]
    with pytest.raises(ValueError) as error:
        data.validate(side, on_anomalies="stop")
    assert str(error.value).startswith("on_anomalies: 'stop', and the data violate their schema (train: image/")
    assert all(line in str(error.value) for line in found)
    assert str(error.value).endswith("; correct them, or set it to 'warn' to continue")


def test_their_parameters():
    labels = types.Channel(components.LabelVocabulary)
    statistics = components.StatisticsGen(index=types.Channel(components.ExampleIndex), vocabulary=labels)
    assert statistics.exec_properties == {"code_version": code_version.code_version(statistics_executor.__name__)}
    schema = types.Channel(standard_artifacts.Schema)
    arguments = {"statistics": statistics.outputs["statistics"], "schema": schema, "vocabulary": labels}
    node = components.ExampleValidator(**arguments)
    version = code_version.code_version(validator_executor.__name__)
    properties = {key: node.exec_properties[key] for key in ("on_anomalies", "code_version", "exclude_splits")}
    assert properties == {"on_anomalies": "stop", "code_version": version, "exclude_splits": "[]"}
    with pytest.raises(ValueError, match=r"^on_anomalies: 'ignore'; allowed are stop and warn$"):
        components.ExampleValidator(**arguments, on_anomalies="ignore")
