"""TargetSampler: its parameters, and as the local runner runs it."""

import pathlib

import numpy as np
import pytest
from tfx.dsl.components.common import importer
from tfx.orchestration import metadata
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.types import Channel

import components
from components import code_version, storage
from components.artifacts import index, plan, vocabulary
from components.artifacts.types import ExampleIndex, LabelVocabulary
from components.target_sampler.sampling import draw_copies
from pipeline.runners import local

NAMES = ("ash", "elm", "oak")
LABELS = [1, 1, 0, 1, 2, 0, 1]


def write_index(root: pathlib.Path, labels: list[list[int]], shards: int) -> None:
    """Writes the index of images with these labels, dealt to the shards in turn, and the vocabulary."""
    rows = [
        {"source_id": f"tree {i}", "key": index.id_key(f"tree {i}"), "labels": own, "split": "train"}
        for i, own in enumerate(labels)
    ]
    for shard in range(shards):
        path = root / "index" / "Split-train" / storage.shard_name("index", shard, shards, ".parquet")
        storage.write_table(str(path), index.table(rows[shard::shards]))
    words = vocabulary.dumps(vocabulary.make_vocabulary(NAMES))
    storage.write_text(str(root / "vocabulary" / vocabulary.FILE_NAME), words)


def run(root: pathlib.Path, **settings) -> local.NodeResult:
    imported = {
        name: importer.Importer(source_uri=str(root / name), artifact_type=artifact_type).with_id(name)
        for name, artifact_type in (("index", ExampleIndex), ("vocabulary", LabelVocabulary))
    }
    node = components.TargetSampler(
        **{name: imported[name].outputs["result"] for name in imported}, **settings
    ).with_id("sampler")
    results = local.run(
        tfx_pipeline.Pipeline(
            pipeline_name="test",
            pipeline_root=str(root / "artifacts"),
            components=[*imported.values(), node],
            enable_cache=True,
            metadata_connection_config=metadata.sqlite_metadata_connection_config(str(root / "metadata.db")),
        )
    )
    for result in results:
        if result.error:
            raise result.error
    return results[-1]


def test_as_a_node_of_a_pipeline(tmp_path):
    write_index(tmp_path, [[label] for label in LABELS], shards=3)
    first = run(tmp_path, shots=2, seed=4)
    assert first.state is local.State.DONE
    uri = first.outputs["plan"][0].uri
    paths = storage.list_files(f"{uri}/Split-train", plan.COPIES_PATTERN)
    assert [path.rpartition("/")[2] for path in paths] == [f"copies-0000{i}-of-00003.parquet" for i in range(3)]
    keys = np.array([index.id_key(f"tree {i}") for i in range(7)], np.uint64)
    expected = draw_copies(np.array(LABELS), keys, 3, shots=2, seed=4)
    assert [plan.copies_of(storage.read_table(path)).tolist() for path in paths] == [
        expected[shard::3].tolist() for shard in range(3)
    ]
    labels = storage.read_table(f"{uri}/{plan.LABELS_FILE}")
    assert labels["name"].to_pylist() == list(NAMES)
    assert labels["quota"].to_pylist() == [2, 2, 1]
    assert labels["capped"].to_pylist() == [False, False, True]

    assert run(tmp_path, shots=2, seed=4).state is local.State.REUSED
    replicate = run(tmp_path, replicate=True, seed=4)
    assert replicate.state is local.State.DONE
    labels = storage.read_table(f"{replicate.outputs['plan'][0].uri}/{plan.LABELS_FILE}")
    assert labels["quota"].to_pylist() == [2, 4, 1]
    assert plan.header_of(labels)["replicate"] is True


def test_images_with_several_labels_are_refused(tmp_path):
    write_index(tmp_path, [[0], [1, 2], [1]], shards=1)
    with pytest.raises(ValueError, match="index: 3 images have 4 labels; a sample by class needs one label an image"):
        run(tmp_path, shots=1)


def test_parameters():
    channels = {"index": Channel(type=ExampleIndex), "vocabulary": Channel(type=LabelVocabulary)}
    node = components.TargetSampler(**channels, shots=3, replicate=True, seed=9)
    version = code_version.code_version("components.target_sampler.executor")
    assert node.exec_properties == {"shots": 3, "replicate": 1, "seed": 9, "code_version": version}
    assert set(node.outputs) == {"plan"}
    with pytest.raises(ValueError, match=r"^shots: 0 without replicate .* leave the plan out$"):
        components.TargetSampler(**channels)
