"""NearDuplicateFilter as the local runner runs it: an input for each target, and cached."""

import pathlib

import pytest
from tfx.dsl.components.common import importer
from tfx.orchestration import metadata
from tfx.orchestration import pipeline as tfx_pipeline

import components
from components import storage
from components.artifacts import exclusions, index
from components.artifacts.types import ExampleIndex
from components.example_gen import testing
from pipeline.runners import local

BEAM = [
    "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner",  # by the name that every Beam version knows
    "--sdk_container_image=unused",  # or else TFX packs itself for remote workers, in three seconds
]


@pytest.fixture
def root(tmp_path, patch, encoded) -> pathlib.Path:
    """Of the source's six images, one is of pets and another of dishes."""
    for name, numbers in (("source", range(10, 16)), ("pets", [12, 20]), ("dishes", [14, 21])):
        rows = [
            testing.make_record(
                encoded(patch(i)), (0,), f"{name}-{i}", split="train", names=("x",), perceptual_hashes=True
            ).row
            for i in numbers
        ]
        storage.write_table(str(tmp_path / name / "Split-train" / "index-00000-of-00001.parquet"), index.table(rows))
    return tmp_path


def run(root: pathlib.Path, targets: list[str]) -> dict[str, local.NodeResult]:
    imported = {
        name: importer.Importer(source_uri=str(root / name), artifact_type=ExampleIndex).with_id(name)
        for name in ("source", *targets)
    }
    node = components.NearDuplicateFilter(
        index=imported["source"].outputs["result"],
        target_indices={name: imported[name].outputs["result"] for name in targets},
    ).with_id("filter")
    results = local.run(
        tfx_pipeline.Pipeline(
            pipeline_name="test",
            pipeline_root=str(root / "artifacts"),
            components=[*imported.values(), node],
            enable_cache=True,
            metadata_connection_config=metadata.sqlite_metadata_connection_config(str(root / "metadata.db")),
            beam_pipeline_args=BEAM,
        )
    )
    for result in results:
        if result.error:
            raise result.error
    return {result.node: result for result in results}


def test_as_a_node_of_a_pipeline(root):
    def excluded(result: local.NodeResult) -> dict[str, str]:
        folder = f"{result.outputs['exclusions'][0].uri}/Split-train"
        rows = storage.read_table(storage.list_files(folder, exclusions.FILE_PATTERN)).to_pylist()
        return {row["source_id"]: f"{row['target']}: {row['target_id']}" for row in rows}

    first = run(root, ["pets", "dishes"])["filter"]
    assert first.state is local.State.DONE
    assert excluded(first) == {"source-12": "pets: pets-12", "source-14": "dishes: dishes-14"}
    assert run(root, ["dishes", "pets"])["filter"].state is local.State.REUSED
    fewer = run(root, ["dishes"])["filter"]
    assert fewer.state is local.State.DONE
    assert excluded(fewer) == {"source-14": "dishes: dishes-14"}
