"""`specialist report`: it finds the report of the newest run, or makes it, and errors are a line."""

import json
import os
import pathlib
import webbrowser

import pytest
from trainings import SMALL
from typer.testing import CliRunner

from pipeline import cli, record, session
from pipeline.config.load import load
from pipeline.nodes import ids
from pipeline.report import command, inputs

DEMO = str(pathlib.Path(__file__).parents[3] / "pipeline" / "configs" / "demo.yaml")


@pytest.fixture
def run_here(workspace, trainings):
    def run_here() -> pathlib.Path:
        """Runs the small demo without a push, as `specialist run` does; returns the path of its record."""
        session.run_config(load(DEMO, [*SMALL, "targets.digits.push=null"]), str(workspace))
        return max((workspace / "runs").glob("*.json"))

    return run_here


def call(*arguments: str):
    return CliRunner().invoke(cli.app, ["report", *arguments])


def test_the_newest_run(run_here, workspace, monkeypatch):
    path = run_here()
    (folder,) = (workspace / "artifacts" / ids.REPORT / "report").iterdir()
    page = folder / "report.html"
    found = call(str(workspace))
    assert (found.exit_code, found.stdout.splitlines()) == (0, [str(page)])
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda uri: opened.append(uri) or True)
    assert call(str(path), "--open").exit_code == 0
    assert opened == [page.as_uri()]
    monkeypatch.setattr(webbrowser, "open", lambda uri: False)
    failed = call(str(workspace), "--open")
    assert failed.exit_code == 1 and failed.stderr.startswith(f"error: --open: no browser was found; open {page}")


def test_a_run_without_a_report_gets_one(run_here, workspace, trainings, read_block):
    trainings.failing.add("digits-same-distribution-specialist")
    record_path = run_here()
    content = json.loads(record_path.read_text())
    (uri,) = content["nodes"].pop(ids.REPORT)["outputs"]["report"]  # it was stopped before
    before = read_block(str(workspace / uri))
    record_path.write_text(json.dumps(content))
    path, note = command.find_report(str(workspace))
    assert (path, note) == (str(workspace / "reports" / record_path.stem / "report.html"), None)
    again = read_block(os.path.dirname(path))
    assert again.targets["digits"].arms == before.targets["digits"].arms
    assert again.missing == before.missing
    said = [{node.id: (node.state, node.needs, node.note) for node in found.lineage} for found in (again, before)]
    assert said[0] == said[1]


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_no_run(tmp_path, name):
    (tmp_path / "empty").mkdir()
    found = call(str(tmp_path / name))
    assert found.exit_code == 1 and len(found.stderr.splitlines()) == 1
    assert found.stderr.startswith("error: RUN: ") and "specialist run" in found.stderr


def test_a_run_on_a_cluster_whose_step_failed(tmp_path):
    nodes = {"pets-prior": record.Node("done", 1.0, {"label_prior": ["gs://a/b"]})}
    record.write_part(str(tmp_path), "run-1", "pets-prior", 0.0, record.Record({"targets": {}}, nodes))
    found = call(str(tmp_path))
    assert found.exit_code == 1 and found.stderr.startswith("error: RUN: the run has no report; its step")


def test_a_workspace_that_was_moved(run_here, workspace):
    run_here()
    ((_, found),) = record.read_all(str(workspace)).items()
    before = inputs.from_record(found, str(workspace))
    moved = str(workspace.rename(workspace.with_name("moved")))
    ((_, found),) = record.read_all(moved).items()
    after = inputs.from_record(found, moved)
    assert after.seconds == before.seconds and all(after.seconds.values())
    assert after.artifacts.keys() == before.artifacts.keys()
    assert all(artifact.uri.startswith(moved) for artifact in after.artifacts.values())
    assert all(artifact.id for artifact in after.artifacts.values())  # they are those of the metadata
