"""The ExampleGens as the local runner runs them: read again when the data have changed, and only then."""

import os
import pathlib

import pytest
from tfx.orchestration import metadata
from tfx.orchestration import pipeline as tfx_pipeline

import components
from components.example_gen.readers.folder import FolderReader
from pipeline.runners import local
from pipeline.runners.local import State

BEAM = [
    "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner",  # by the name that every Beam version knows
    "--sdk_container_image=unused",  # or else TFX packs itself for remote workers, in three seconds
]
OUTPUTS = {"examples", "index", "vocabulary", "rejected"}


@pytest.fixture
def folder(tmp_path, picture) -> pathlib.Path:
    for i in range(40):
        path = tmp_path / "images" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(i))
    return tmp_path / "images"


def run(folder: pathlib.Path, **settings) -> local.NodeResult:
    root = folder.parent
    dataset = FolderReader(folder=str(folder), splits={"train": 0.5, "eval": 0.5})
    node = components.SourceExampleGen(dataset=dataset, **settings).with_id("source-examples")
    (result,) = local.run(
        tfx_pipeline.Pipeline(
            pipeline_name="test",
            pipeline_root=str(root / "artifacts"),
            components=[node],
            enable_cache=True,
            metadata_connection_config=metadata.sqlite_metadata_connection_config(str(root / "metadata.db")),
            beam_pipeline_args=BEAM,
        )
    )
    return result


def test_a_changed_folder_is_read_again_and_an_unchanged_one_is_not(folder, picture):
    first = run(folder)
    assert first.state is State.DONE and first.outputs.keys() == OUTPUTS
    assert run(folder).state is State.REUSED
    (folder / "a" / "more.png").write_bytes(picture(100))
    assert run(folder).state is State.DONE
    os.utime(folder / "b" / "1.png", (1, 1))
    assert run(folder).state is State.DONE
    assert run(folder).state is State.REUSED
    assert run(folder, max_pixels=100).state is State.DONE


def test_too_many_rejections_end_the_node_with_the_reasons(folder):
    (folder / "a" / "0.png").write_bytes(b"")
    result = run(folder)
    assert result.state is State.FAILED
    assert str(result.error).startswith("max_rejected: 1 of 40 images cannot be taken") and "a/0.png" in str(
        result.error
    )
    assert run(folder, max_rejected=0.025).state is State.DONE
