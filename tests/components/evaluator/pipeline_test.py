"""Evaluator, Resolver and Pusher together, as TFX's LocalDagRunner runs them."""

import os
import pathlib
import shutil

import pytest
from tfx import types
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.components.common import importer, resolver
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.local import local_dag_runner
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils, standard_artifacts

import components
from components.evaluator.config import eval_config
from components.evaluator.resolver import ServedOrLastBlessed

RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
LABELS = [0, 0, 0, 1, 1, 2]
BY_RANK = [0.5, 0.3, 0.2]
HALF_RIGHT, FOUR_OF_SIX = [0, 0, 1, 0, 1, 2], [0, 0, 0, 0, 1, 2]


@component
def CopyTrainer(source: Parameter[str], model: OutputArtifact[standard_artifacts.Model]):
    shutil.copytree(source, model.uri, dirs_exist_ok=True)


@component
def BlessAll(
    model: InputArtifact[standard_artifacts.Model], blessing: OutputArtifact[standard_artifacts.ModelBlessing]
):
    blessing.set_int_custom_property("current_model_id", model.id)
    blessing.set_int_custom_property("blessed", 1)


class Runs:
    """One pipeline, run again and again."""

    def __init__(self, root: pathlib.Path):
        self.root = root
        self.connection = metadata.sqlite_metadata_connection_config(str(root / "metadata.db"))
        self.serving = root / "serving"

    def __call__(self, model: str) -> dict[str, str]:
        """Runs the pipeline with the model of this name; returns the state of each node, as MLMD has it."""
        examples = importer.Importer(
            source_uri=str(self.root / "examples"),
            artifact_type=standard_artifacts.Examples,
            properties={"split_names": artifact_utils.encode_split_names(["eval"])},
            custom_properties={"payload_format": "FORMAT_TF_EXAMPLE"},
        ).with_id("examples")
        trainer = CopyTrainer(source=str(self.root / model)).with_id("digits-trainer")
        other_trainer = CopyTrainer(source=str(self.root / "other")).with_id("other-trainer")
        other_evaluator = BlessAll(model=other_trainer.outputs["model"]).with_id("other-evaluator")
        baseline = resolver.Resolver(
            strategy_class=ServedOrLastBlessed,
            config={"serving": str(self.serving)},
            model=types.Channel(type=standard_artifacts.Model),
            model_blessing=types.Channel(
                type=standard_artifacts.ModelBlessing, producer_component_id="digits-evaluator"
            ),
            candidate=trainer.outputs["model"],
        ).with_id("digits-baseline")
        evaluator = components.Evaluator(
            examples=examples.outputs["result"],
            model=trainer.outputs["model"],
            baseline_model=baseline.outputs["model"],
            eval_config=eval_config(min_accuracy=0.4),
        ).with_id("digits-evaluator")
        pusher = components.Pusher(
            model=trainer.outputs["model"],
            model_blessing=evaluator.outputs["blessing"],
            push_destination=pusher_pb2.PushDestination(filesystem={"base_directory": str(self.serving)}),
        ).with_id("digits-pusher")
        local_dag_runner.LocalDagRunner().run(
            pipeline.Pipeline(
                pipeline_name="test",
                pipeline_root=str(self.root / "artifacts"),
                components=[examples, trainer, other_trainer, other_evaluator, baseline, evaluator, pusher],
                enable_cache=True,
                metadata_connection_config=self.connection,
                beam_pipeline_args=[f"--runner={RUNNER}"],
            )
        )
        return self._states()

    def _states(self) -> dict[str, str]:
        with metadata.Metadata(self.connection) as handle:
            run = max(handle.store.get_contexts_by_type("pipeline_run"), key=lambda context: context.id)
            states = {}
            for execution in handle.store.get_executions_by_context(run.id):
                (node,) = (
                    context.name.removeprefix("test.")
                    for context in handle.store.get_contexts_by_execution(execution.id)
                    if context.name.startswith("test.")
                )
                states[node] = type(execution).State.Name(execution.last_known_state)
            return states

    def last_verdict(self) -> dict[str, int]:
        """Returns the properties of the evaluator's last blessing that are integers, model ids among them."""
        with metadata.Metadata(self.connection) as handle:
            blessings = handle.store.get_artifacts_by_type("ModelBlessing")
        last = max((item for item in blessings if "current_model" in item.custom_properties), key=lambda item: item.id)
        return {name: value.int_value for name, value in last.custom_properties.items() if value.HasField("int_value")}

    def versions(self) -> list[str]:
        return sorted((name for name in os.listdir(self.serving) if name.isdecimal()), key=int)


@pytest.fixture
def run(tmp_path, write_examples, write_model) -> Runs:
    write_examples(str(tmp_path / "examples"), "eval", LABELS)
    for name, ranks in (("first", HALF_RIGHT), ("other", HALF_RIGHT), ("better", FOUR_OF_SIX)):
        write_model(str(tmp_path / name), LABELS, ranks, BY_RANK)
    return Runs(tmp_path)


def test_a_rerun_is_cached_and_a_new_model_meets_the_one_before(run):
    executed = {"digits-evaluator": "COMPLETE", "digits-pusher": "COMPLETE"}
    cached = {"digits-evaluator": "CACHED", "digits-pusher": "CACHED"}

    def states(model: str) -> dict[str, str]:
        return {node: state for node, state in run(model).items() if node in executed}

    assert states("first") == executed
    first = run.last_verdict()
    assert first["blessed"] == 1
    assert "baseline_model_id" not in first
    assert len(run.versions()) == 1

    # The other target has a blessed model by now, which is no baseline of this one.
    assert states("first") == cached
    assert len(run.versions()) == 1

    assert states("better") == executed
    better = run.last_verdict()
    assert better["blessed"] == 1
    assert better["baseline_model_id"] == first["current_model_id"] != better["current_model_id"]
    assert len(run.versions()) == 2

    assert states("better") == cached
    assert len(run.versions()) == 2

    # Back to the first: worse than the second, which is its baseline now, so it is not pushed.
    assert states("first") == executed
    back = run.last_verdict()
    assert back["blessed"] == 0
    assert (back["current_model_id"], back["baseline_model_id"]) == (
        first["current_model_id"],
        better["current_model_id"],
    )
    assert len(run.versions()) == 2
