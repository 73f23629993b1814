"""The component: what it takes, what it waits for, and what a report_fn is given."""

import json
import pathlib

import pytest
from tfx.dsl.experimental.node_execution_options.utils import TriggerStrategy
from tfx.orchestration import data_types
from tfx.types import Channel, standard_artifacts
from tfx.types.artifact import Artifact

from components.artifacts.types import ExampleIndex, LabelPrior, Report
from components.transfer_report import block, component, executor
from components.transfer_report.component import TransferReport
from components.transfer_report.executor import Executor, ReportArgs

RUN = "pipeline.report.run.report_fn"


def make(**arguments) -> TransferReport:
    artifacts = {"pets.label_prior": Channel(type=LabelPrior), "a.index": Channel(type=ExampleIndex)}
    return TransferReport(**{"report_fn": RUN, "artifacts": artifacts, "settings": {"b": 2, "a": 1}, **arguments})


def test_everything_is_optional_and_only_waited_for():
    report = make()
    assert json.loads(report.exec_properties["names"]) == ["a.index", "pets.label_prior"]
    assert {key: channel.type for key, channel in report.inputs.items()} == {
        "artifacts_0": ExampleIndex,
        "artifacts_1": LabelPrior,
    }
    assert all(report.spec.is_optional_input(key) for key in report.inputs)
    assert report.node_execution_options.trigger_strategy == TriggerStrategy.ALL_UPSTREAM_NODES_COMPLETED
    assert report.exec_properties["settings"] == '{"a": 1, "b": 2}' and report.exec_properties["failed"] == "{}"


@pytest.mark.parametrize("report_fn", ["report_fn", "", "pipeline.report.run."])
def test_a_report_fn_that_is_no_path(report_fn):
    with pytest.raises(ValueError, match=r"^report_fn: .* is no dotted path; name it as module\.function"):
        make(report_fn=report_fn)


def test_a_report_fn_of_another_project():
    with pytest.raises(ValueError, match=r"^module: 'numpy\.linalg' is not a module of"):
        make(report_fn="numpy.linalg.norm")


def test_what_a_report_cannot_read():
    with pytest.raises(TypeError, match=r"^Argument artifacts\['model'\] should be a Channel of one of"):
        make(artifacts={"model": Channel(type=standard_artifacts.Model)})


def test_a_new_template_makes_the_report_again(monkeypatch):
    before = make().exec_properties["code_version"]
    assert make().exec_properties["code_version"] == before
    monkeypatch.setattr(component, "_hash_files", lambda: "other files")
    assert make().exec_properties["code_version"] != before


def test_parameters_of_the_pipeline():
    report = make(parameters={"seed": data_types.RuntimeParameter("seed", ptype=int, default=3), "n": 7})
    assert report.exec_properties["parameter_n"] == 7
    assert report.exec_properties["parameter_seed"].name == "seed"


@pytest.fixture
def execute(tmp_path, monkeypatch):
    def execute(made: block.Block) -> tuple[ReportArgs, pathlib.Path]:
        """Runs the executor, on the second of two artifacts; returns what the report_fn got, and the folder."""
        given = []

        def report_fn(args: ReportArgs) -> block.Block:
            given.append(args)
            return made

        monkeypatch.setattr(executor, "find_report_fn", lambda path: report_fn)
        prior, report = LabelPrior(), Report()
        prior.uri, report.uri = str(tmp_path / "prior"), str(tmp_path / "report")
        properties = {
            "names": '["a.index", "pets.label_prior"]',
            "failed": '{"a": "no images"}',
            "settings": '{"x": 1}',
            "report_fn": RUN,
            "parameter_seed": 3.0,
            "code_version": "0",
        }
        inputs: dict[str, list[Artifact]] = {"artifacts_0": [], "artifacts_1": [prior]}
        Executor().Do(inputs, {"report": [report]}, properties)
        return given[0], tmp_path / "report"

    return execute


def make_block(served: str | None = None) -> block.Block:
    verdict = block.Verdict(None, served=served)
    target = block.Target("pets", {"train": 3}, ("cat", "</script>"), "test", "accuracy", verdict, ())
    return block.Block("run", "run", "2026-01-01T00:00:00Z", None, {"pets": target})


def test_what_a_report_fn_is_given_and_what_is_written(execute):
    args, folder = execute(make_block())
    assert list(args.artifacts) == ["pets.label_prior"]
    assert (args.failed, args.settings, args.parameters) == ({"a": "no images"}, {"x": 1}, {"seed": 3})
    assert args.folder == str(folder)
    assert block.from_json((folder / "block.json").read_text(encoding="utf-8")) == make_block()
    assert (folder / "report.html").read_text(encoding="utf-8").startswith("<!")
    assert (folder / "model_card.md").read_text(encoding="utf-8").startswith("# Model card: pets")


def test_the_card_of_a_served_model_lies_beside_it(execute, tmp_path):
    version = tmp_path / "serving" / "7"
    _, folder = execute(make_block(str(version)))
    assert (version / "assets.extra" / "model_card.md").read_text() == (folder / "model_card.md").read_text()


def test_the_function_at_a_path():
    assert executor.find_report_fn("components.transfer_report.block.to_json") is block.to_json
