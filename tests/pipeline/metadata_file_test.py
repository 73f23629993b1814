"""A workspace that is moved or copied, or that has lost files, is what it looks like where it is now."""

import os
import pathlib
import shutil
import signal

import pytest
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.orchestration import metadata, pipeline
from tfx.types import standard_artifacts

from pipeline import metadata_file
from pipeline.runners import local
from pipeline.runners.local import State
from trainer.loop import interruption


@component
def Note(path: Parameter[str], result: OutputArtifact[standard_artifacts.String]):
    result.value = path
    result.set_string_custom_property("pushed_destination", path)


@component
def Read(left: InputArtifact[standard_artifacts.String], result: OutputArtifact[standard_artifacts.String]):
    if left.value.endswith("stop here"):
        os.kill(os.getpid(), signal.SIGTERM)
    result.value = f"read {left.value}"


def run(workspace: pathlib.Path, text: str = "serving") -> dict[str, local.NodeResult]:
    """Runs note → read; the parameter of `note` is a path in the workspace."""
    note = Note(path=f'{{"folder": "{workspace}/{text}"}}' if text == "serving" else text).with_id("note")
    nodes = [note, Read(left=note.outputs["result"]).with_id("read")]
    results = local.run(
        pipeline.Pipeline(
            pipeline_name="test",
            pipeline_root=str(workspace / "artifacts"),
            components=nodes,
            enable_cache=True,
            metadata_connection_config=metadata_file.connect(str(workspace)),
        )
    )
    return {result.node: result for result in results}


def states(results: dict[str, local.NodeResult]) -> list[State]:
    return [result.state for result in results.values()]


@pytest.fixture
def workspace(tmp_path) -> pathlib.Path:
    workspace = tmp_path / "first"
    workspace.mkdir()
    assert states(run(workspace)) == [State.DONE, State.DONE]
    return workspace


@pytest.mark.parametrize("name", ["second", "first and more", "above/it", "ü"])
@pytest.mark.parametrize("copied", [True, False], ids=["copied", "renamed"])
def test_in_a_new_place_everything_is_found_and_nothing_runs(workspace, tmp_path, name, copied):
    new = tmp_path / name
    if copied:
        shutil.copytree(workspace, new)
    else:
        new.parent.mkdir(exist_ok=True)
        workspace.rename(new)
    results = run(new)
    assert states(results) == [State.REUSED, State.REUSED]
    for result in results.values():
        (artifact,) = result.outputs["result"]
        assert artifact.uri.startswith(f"{new}/artifacts/") and os.path.exists(artifact.uri)
    (noted,) = results["note"].outputs["result"]
    assert noted.custom_properties["pushed_destination"].string_value == f'{{"folder": "{new}/serving"}}'
    if copied:  # and each goes on alone
        shutil.rmtree(workspace)
        assert states(run(new)) == [State.REUSED, State.REUSED]


def test_a_folder_whose_name_only_starts_like_it_is_another_one(workspace, tmp_path):
    beside = f"{workspace}-beside/serving"
    assert states(run(workspace, beside)) == [State.DONE, State.DONE]
    new = workspace.rename(tmp_path / "second")
    results = run(new, beside)
    assert states(results) == [State.REUSED, State.REUSED]
    assert results["note"].outputs["result"][0].custom_properties["pushed_destination"].string_value == beside


@pytest.mark.parametrize(("lost", "expected"), [("note", [State.DONE] * 2), ("read", [State.REUSED, State.DONE])])
@pytest.mark.parametrize("told", [True, False], ids=["by clean", "by hand"])
def test_what_was_removed_runs_again(workspace, lost, expected, told):
    uri = run(workspace)[lost].outputs["result"][0].uri
    if told:
        metadata_file.forget(str(workspace), [uri])
    else:
        os.remove(uri)
    assert states(run(workspace)) == expected
    assert states(run(workspace)) == [State.REUSED, State.REUSED]


def test_a_place_that_is_updated_twice_is_right_also_inside_of_the_old_one(workspace, tmp_path):
    inner = workspace / "inner"
    shutil.copytree(workspace, inner)
    for _ in range(2):  # as when the process was killed before the place was noted
        metadata_file.update(metadata_file.connect(str(inner)), str(inner))
    assert states(run(inner)) == [State.REUSED, State.REUSED]


def test_a_signal_stops_the_run_and_fails_no_node(workspace):
    with pytest.raises(interruption.Interrupted, match="SIGTERM"), interruption.end_on_signals(print):
        run(workspace, "stop here")
    with metadata.Metadata(metadata_file.connect(str(workspace))) as handle:
        last = max(handle.store.get_executions(), key=lambda execution: execution.id)
    assert last.last_known_state == last.CANCELED
    assert states(run(workspace)) == [State.REUSED, State.REUSED]


def test_a_copy_of_the_metadata_is_whole(workspace, tmp_path):
    (tmp_path / "copy").mkdir()
    metadata_file.copy_file(str(workspace), str(tmp_path / "copy"))
    with metadata.Metadata(metadata_file.connect(str(tmp_path / "copy"))) as handle:
        assert len(handle.store.get_executions()) == 2
    metadata_file.copy_file(str(tmp_path / "none"), str(tmp_path / "none"))  # there is nothing to copy yet
    assert not (tmp_path / "none").exists()
