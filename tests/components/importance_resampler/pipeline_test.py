"""ImportanceResampler as the local runner runs it: optional inputs and outputs left out, and cached."""

import io
import pathlib

import numpy as np
import PIL.Image
import pytest
from tfx.dsl.components.common import importer
from tfx.orchestration import metadata
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.types import artifact_utils, standard_artifacts

import components
from components import storage
from components.artifacts import index, label_prior, plan, vocabulary
from components.artifacts.types import ExampleIndex, LabelPrior, LabelVocabulary
from components.example_gen import testing
from components.importance_resampler import matchers
from pipeline.runners import local

NAMES = ("one", "two")
BEAM = [
    "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner",  # by the name that every Beam version knows
    "--sdk_container_image=unused",  # or else TFX packs itself for remote workers, in three seconds
]


@pytest.fixture
def source(tmp_path) -> pathlib.Path:
    """Twelve examples in two shards; a quarter of them has the first label."""
    data = io.BytesIO()
    PIL.Image.new("L", (2, 3)).save(data, "PNG")
    for shard in range(2):
        items = [
            testing.make_record(data.getvalue(), (int(i % 4 > 0),), f"id {shard} {i}", split="train", names=NAMES)
            for i in range(6)
        ]
        name = storage.shard_name("data_tfrecord", shard, 2, ".gz")
        storage.write_records(str(tmp_path / "examples" / "Split-train" / name), [item.record for item in items])
        name = storage.shard_name("index", shard, 2, ".parquet")
        storage.write_table(str(tmp_path / "index" / "Split-train" / name), index.table(item.row for item in items))
    prior = label_prior.LabelPrior(NAMES, np.array([4, 8]), np.array([0.75, 0.25]), "mean_prediction", 2.0, 1)
    storage.write_table(str(tmp_path / "prior" / label_prior.FILE_NAME), label_prior.to_table(prior))
    text = vocabulary.dumps(vocabulary.make_vocabulary(NAMES, {"two": ["even"]}))
    storage.write_text(str(tmp_path / "vocabulary" / vocabulary.FILE_NAME), text)
    return tmp_path


def run(root: pathlib.Path, seed: int) -> dict[str, local.NodeResult]:
    imported = {
        name: importer.Importer(
            source_uri=str(root / name), artifact_type=artifact_type, properties=properties
        ).with_id(name)
        for name, artifact_type, properties in (
            ("examples", standard_artifacts.Examples, {"split_names": artifact_utils.encode_split_names(["train"])}),
            ("index", ExampleIndex, None),
            ("prior", LabelPrior, None),
            ("vocabulary", LabelVocabulary, None),
        )
    }
    source = {
        "examples": imported["examples"].outputs["result"],
        "index": imported["index"].outputs["result"],
        "label_prior": imported["prior"].outputs["result"],
    }
    same = components.ImportanceResampler(**source, n=40, seed=seed).with_id("same")
    subset = components.ImportanceResampler(
        **source,
        vocabulary=imported["vocabulary"].outputs["result"],
        matcher=matchers.make_matcher("label_subset", label_subset=["even"]),
        n=100,
        materialise=False,
    ).with_id("subset")
    results = local.run(
        tfx_pipeline.Pipeline(
            pipeline_name="test",
            pipeline_root=str(root / "artifacts"),
            components=[*imported.values(), same, subset],
            enable_cache=True,
            metadata_connection_config=metadata.sqlite_metadata_connection_config(str(root / "metadata.db")),
            beam_pipeline_args=BEAM,
        )
    )
    for result in results:
        if result.error:
            raise result.error
    return {result.node: result for result in results}


def test_as_nodes_of_a_pipeline(source):
    first = run(source, seed=0)
    assert {first[node].state for node in ("same", "subset")} == {local.State.DONE}
    assert set(first["same"].outputs) == {"plan", "resampled_examples"}
    assert set(first["subset"].outputs) == {"plan"}
    labels = storage.read_table(f"{first['same'].outputs['plan'][0].uri}/{plan.LABELS_FILE}")
    assert labels["quota"].to_pylist() == [30, 10]
    folder = f"{first['same'].outputs['resampled_examples'][0].uri}/Split-train"
    assert sum(1 for path in storage.list_files(folder) for _ in storage.read_records(path)) == 40
    labels = storage.read_table(f"{first['subset'].outputs['plan'][0].uri}/{plan.LABELS_FILE}")
    assert labels["quota"].to_pylist() == [0, 8]

    second = run(source, seed=1)
    assert second["same"].state is local.State.DONE
    assert second["subset"].state is local.State.REUSED
    assert run(source, seed=1)["same"].state is local.State.REUSED
