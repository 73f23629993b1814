"""What is pushed, and what is said of it, when versions, models or labels change between two runs."""

import json
import pathlib
import shutil

import pytest
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.orchestration import pipeline
from tfx.types import Channel, standard_artifacts

from components.artifacts import model_labels
from components.evaluator import config as evaluation_config
from components.pusher import executor
from pipeline import metadata_file
from pipeline.config.sections import Evaluation
from pipeline.nodes import push as push_nodes
from pipeline.place import Place
from pipeline.results import verdict
from pipeline.runners import local
from pipeline.runners.local import State

RAN, REUSED = [State.DONE] * 2, [State.REUSED] * 2


def write_graph(folder: pathlib.Path, accuracy: float) -> None:
    """Writes a SavedModel that has its accuracy in place of a graph."""
    (folder / "variables").mkdir(parents=True, exist_ok=True)
    (folder / "variables" / "variables.index").write_text("index")
    (folder / "variables" / "variables.data-00000-of-00001").write_text("weights")
    (folder / "saved_model.pb").write_text(json.dumps(accuracy))


def read_accuracy(model_uri: str) -> float:
    return json.loads(pathlib.Path(model_uri, "Format-Serving", "saved_model.pb").read_text())


@component
def Train(labels: Parameter[str], accuracy: Parameter[float], model: OutputArtifact[standard_artifacts.Model]):
    """The labels of the model are the letters of `labels`."""
    folder = pathlib.Path(model.uri, "Format-Serving")
    write_graph(folder, accuracy)
    model_labels.write(str(folder), tuple(labels))


@component
def Evaluate(
    model: InputArtifact[standard_artifacts.Model],
    evaluation: OutputArtifact[standard_artifacts.ModelEvaluation],
    blessing: OutputArtifact[standard_artifacts.ModelBlessing],
    baseline_model: InputArtifact[standard_artifacts.Model] = None,
):
    """Blesses, as TFX's Evaluator does, what is no worse than the baseline."""
    values = {"candidate": read_accuracy(model.uri), "baseline": 0.0}
    if baseline_model:
        values["baseline"] = read_accuracy(baseline_model.uri)
        blessing.set_int_custom_property("baseline_model_id", baseline_model.id)
        blessing.set_string_custom_property("baseline_model_uri", baseline_model.uri)
    pathlib.Path(evaluation.uri).mkdir(exist_ok=True, parents=True)
    pathlib.Path(evaluation.uri, "values.json").write_text(json.dumps(values))
    blessing.set_int_custom_property("current_model_id", model.id)
    blessing.set_int_custom_property("blessed", int(values["candidate"] >= values["baseline"]))


def read_metrics(uri: str, *, of_baseline: bool = False) -> dict[str, float]:
    values = json.loads(pathlib.Path(uri, "values.json").read_text())
    return {"accuracy": values["baseline" if of_baseline else "candidate"]}


class Target:
    """The part of a target's settings that these nodes read."""

    def __init__(self, evaluation: Evaluation):
        self.evaluation = evaluation


class Runs:
    """The nodes that push the model of a training, run again and again in one workspace."""

    def __init__(self, workspace: pathlib.Path):
        self.workspace = workspace
        self.serving = workspace / "serving" / "pets"

    def __call__(self, accuracy: float, labels: str = "ab", **settings) -> verdict.Verdict:
        trainer = Train(labels=labels, accuracy=accuracy).with_id("train")
        evaluation = Evaluation(**settings)
        examples = Channel(type=standard_artifacts.Examples)
        nodes = push_nodes.push("pets", Target(evaluation), examples, trainer, Place.local(str(self.workspace)))
        self.results = local.run(
            pipeline.Pipeline(
                pipeline_name="test",
                pipeline_root=str(self.workspace / "artifacts"),
                components=[trainer, *nodes],
                enable_cache=True,
                metadata_connection_config=metadata_file.connect(str(self.workspace)),
            )
        )
        assert [result.error for result in self.results if result.error] == []
        outputs = [(result.node, key, found) for result in self.results for key, found in result.outputs.items()]
        return verdict.judge(
            {key: found for node, key, found in outputs if node != "train"}, str(self.serving), evaluation
        )

    @property
    def states(self) -> list[State]:
        """Returns how the Evaluator and the Pusher ended in the last run."""
        return [result.state for result in self.results[-2:]]

    def versions(self) -> list[int]:
        return sorted(int(path.name) for path in self.serving.iterdir() if not path.name.startswith("."))

    def served(self, version: int) -> verdict.Verdict:
        return verdict.Verdict(str(self.serving / str(version)))


@pytest.fixture
def run(tmp_path, monkeypatch) -> Runs:
    def evaluate(**inputs):
        return Evaluate(model=inputs["model"], baseline_model=inputs["baseline_model"])

    monkeypatch.setattr(push_nodes, "Evaluator", evaluate)
    monkeypatch.setattr(evaluation_config, "read_metrics", read_metrics)
    return Runs(tmp_path)


def test_a_worse_model_is_refused_by_the_version_that_it_would_replace(run):
    assert run(0.934) == run.served(*run.versions())
    (first,) = run.versions()
    numbers = f"accuracy 0.910 against 0.934 of version {first}: drop of 0.024 > 0 (max_regression)"
    assert run(0.91) == verdict.Verdict(None, numbers)
    assert run.states == RAN and run.versions() == [first]
    # The first again is what is served: its own version is no baseline.
    assert run(0.934) == run.served(first)
    assert run.states == REUSED


def test_a_better_model_replaces_the_version_and_a_rerun_does_nothing(run):
    run(0.8)
    run(0.9)
    assert run.states == RAN and len(run.versions()) == 2
    assert run(0.9) == run.served(run.versions()[1])
    assert run.states == REUSED and len(run.versions()) == 2


@pytest.mark.parametrize("whole", [True, False], ids=["the folder", "its only version"])
def test_what_was_removed_is_pushed_again(run, whole):
    run(0.9)
    (first,) = run.versions()
    shutil.rmtree(run.serving if whole else run.serving / str(first))
    again = run(0.9)
    assert again == run.served(*run.versions()) and run.states == [State.REUSED, State.DONE]
    assert run(0.9) == again and run.states == REUSED


@pytest.mark.parametrize(
    "name", ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"]
)
@pytest.mark.parametrize("removed", [True, False], ids=["removed", "changed"])
def test_what_was_changed_is_pushed_again_as_a_new_version(run, name, removed):
    run(0.8)
    run(0.9)
    old, first = run.versions()
    path = run.serving / str(first) / name
    if removed:
        path.unlink()
    else:
        path.write_text("0.1")
    again = run(0.9)
    assert run.versions()[:2] == [old, first] and again.served == str(run.serving / str(run.versions()[2]))
    assert run(0.9).served == again.served and run.states == REUSED
    assert run(0.85).reason.startswith("accuracy 0.850 against 0.900 of version")


def test_the_only_version_is_pushed_again_if_it_was_changed(run):
    run(0.9)
    (first,) = run.versions()
    write_graph(run.serving / str(first), 0.2)
    assert run(0.9) == run.served(run.versions()[1])
    assert run(0.9).served and run.states == REUSED


def test_a_version_that_was_changed_is_still_the_model_that_was_pushed(run):
    run(0.9)
    (first,) = run.versions()
    write_graph(run.serving / str(first), 0.2)
    assert (
        run(0.85).reason == "accuracy 0.850 against 0.900 of version " + f"{first}: drop of 0.050 > 0 (max_regression)"
    )


def test_what_a_server_puts_into_a_version_changes_nothing(run):
    run(0.8)
    (first,) = run.versions()
    (run.serving / str(first) / "tf_serving_warmup_requests").write_text("requests")
    (run.serving / str(first) / ".#lock").symlink_to("nowhere")
    assert run(0.8) == run.served(first) and run.states == REUSED
    assert run(0.9) == run.served(run.versions()[1])


def test_a_version_that_was_rolled_back_stays_so_and_is_told(run):
    run(0.8)
    run(0.9)
    old, new = run.versions()
    shutil.rmtree(run.serving / str(new))
    found = run(0.9)
    assert run.states == REUSED and run.versions() == [old] and found.served is None
    text, _, command = found.reason.partition("; to serve it again: ")
    assert text == f"version {new} was removed, and version {old} is served"
    _, _, source, target = command.split()
    shutil.copytree(source, target)
    assert run(0.9) == run.served(new) and run.states == REUSED


def test_versions_that_were_rolled_back_stay_so_when_the_pusher_runs_again(run):
    for accuracy in (0.7, 0.8, 0.9):
        run(accuracy)
    old, middle, new = run.versions()
    for version in (middle, new):
        shutil.rmtree(run.serving / str(version))
    for settings in ({}, {"without_baseline": "push"}):
        found = run(0.9, **settings)
        assert run.versions() == [old] and State.DONE in run.states
        assert found.reason.startswith(f"version {new} was removed, and version {old} is served; to serve it again: cp")
    _, _, source, target = found.reason.partition("; to serve it again: ")[2].split()
    shutil.copytree(source, target)
    assert run(0.9) == run.served(new)


def test_a_version_with_zeros_in_front_is_served_too(run):
    write_graph(run.serving / "007", 0.99)
    write_graph(run.serving / f"9{2**63}", 0.98)  # no server reads it
    found = run(0.5)
    assert found.reason.startswith("version 007 is served, which is no model of this pipeline")


def test_a_newer_version_of_somebody_else_is_told_and_stops_a_push(run):
    run(0.9)
    (first,) = run.versions()
    newer = run.serving / str(first + 5)
    shutil.copytree(run.serving / str(first), newer)
    write_graph(newer, 0.99)
    found = run(0.9)
    assert found == verdict.Verdict(None, f"it is version {first}, and version {newer.name} is served")
    found = run(0.95)
    assert found.served is None and run.versions() == [first, first + 5]
    assert found.reason.startswith(f"version {newer.name} is served, which is no model of this pipeline")
    shutil.rmtree(newer)
    assert run(0.95) == run.served(run.versions()[1]) and len(run.versions()) == 2


def test_a_kill_between_the_push_and_its_record_pushes_once(run, monkeypatch):
    class Killed(BaseException):
        pass

    publish = executor.publish

    def publish_and_die(source: str, target: str) -> None:
        publish(source, target)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(executor, "publish", publish_and_die)
        with pytest.raises(Killed):
            run(0.9)
    (first,) = run.versions()
    assert run(0.9) == run.served(first) and run.versions() == [first]


def test_a_class_that_was_added(run):
    run(0.9)
    (first,) = run.versions()
    difference = f"version {first} is served, which has other labels: +c"
    found = run(0.95, "acb")
    assert found == verdict.Verdict(
        None, f"{difference}; to push without a comparison, set evaluation.without_baseline to push"
    )
    assert run.versions() == [first]
    assert run(0.95, "acb") == found and run.states == REUSED
    found = run(0.95, "acb", without_baseline="push")
    second = run.versions()[1]
    assert found == verdict.Verdict(str(run.serving / str(second)), "", (f"pushed without a comparison: {difference}",))
    assert run(0.9, "acb").reason.startswith(f"accuracy 0.900 against 0.950 of version {second}: ")


def test_the_files_of_blessed_models_are_gone(run):
    """A model of 0.7 must not replace one of 0.9 because only one of 0.6 is there to compare it with."""
    run(0.6)
    for accuracy in (0.8, 0.9):
        run(accuracy)
        uri = run.results[0].outputs["model"][0].uri
        shutil.move(uri, f"{uri}-moved")
    versions = run.versions()
    found = run(0.7)
    assert found.served is None and run.versions() == versions
    assert found.reason.startswith(
        f"version {versions[-1]} is served, which is no model of this pipeline, or one whose"
    )
    # Where nothing is served, there is nothing to lose; it is said all the same.
    shutil.rmtree(run.serving)
    found = run(0.7)
    note = "pushed without a comparison: the files of the last blessed model are gone, or its labels differ"
    assert found == verdict.Verdict(str(run.serving / str(*run.versions())), "", (note,))


def test_a_newest_version_that_is_broken_is_named(run):
    run(0.9)
    (first,) = run.versions()
    for name in (str(first + 9), str(first - 9), "\u00b2", "latest"):
        (run.serving / name).mkdir()
    (run.serving / str(first + 10)).write_text("a file")
    found = run(0.9)
    assert found.served == str(run.serving / str(first)) and run.states == REUSED
    assert found.notes == (f"{run.serving / str(first + 9)} is incomplete: servers pass over it",)
