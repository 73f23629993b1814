import json
import pathlib
import types

import kfp
import pytest
import yaml
from google.api_core import exceptions
from google.auth import credentials
from google.cloud import aiplatform
from typer.testing import CliRunner

from pipeline import cli
from pipeline.config.load import load
from pipeline.runners import submit

DEMO = str(pathlib.Path(__file__).parents[3] / "pipeline" / "configs" / "demo.yaml")


class KubeflowClient:
    """What is asked of kfp's client."""

    runs: list[types.SimpleNamespace] = []
    made: list[dict] = []
    state = "SUCCEEDED"

    def __init__(self, **settings):
        self.made.append(settings)

    def list_runs(self, **options):
        return types.SimpleNamespace(runs=self.runs)

    def create_run_from_pipeline_package(self, path, **options):
        spec = next(yaml.safe_load_all(pathlib.Path(path).read_text()))
        run = types.SimpleNamespace(
            run_id=f"id-{len(self.runs)}", display_name=options["run_name"], state="RUNNING", spec=spec, options=options
        )
        self.runs.insert(0, run)
        return run

    def get_run(self, run_id):
        return types.SimpleNamespace(state=self.state)


@pytest.fixture
def kubeflow(monkeypatch):
    monkeypatch.setattr(kfp, "Client", KubeflowClient)
    monkeypatch.setattr(KubeflowClient, "runs", [])
    monkeypatch.setattr(KubeflowClient, "made", [])
    return KubeflowClient


def test_to_kubeflow_once(compiled, kubeflow, tmp_path):
    (tmp_path / "token").write_text("secret\n")
    remote = f"root: gs://bucket/runs, image: registry/specialist, host: http://k, token_file: {tmp_path}/token"
    config = load(DEMO, [f"remote={{{remote}, namespace: team, experiment: pets}}"])
    run = compiled("kubeflow")
    values = submit.set_parameters(run, {"n": "700"})
    place = submit.submit(config, run, values, wait=True)
    assert place == submit.submit(config, run, values, wait=False) == "http://k/#/runs/details/id-0"
    ((sent,), connected) = kubeflow.runs, kubeflow.made[0]
    assert connected == {"host": "http://k", "namespace": "team", "existing_token": "secret"}
    assert sent.spec == run.job["pipelineSpec"]
    assert sent.options["arguments"] == values and values["n"] == 700
    assert (sent.options["namespace"], sent.options["experiment_name"]) == ("team", "pets")
    assert "secret" not in run.to_text()
    # Other parameters are another run, which has to wait; one that failed is sent again.
    with pytest.raises(
        ValueError, match=rf"^name: {sent.display_name}, a run of 'demo', is going on; wait for its end"
    ):
        submit.submit(config, run, run.parameters(), wait=False)
    sent.state = "SUCCEEDED"
    assert submit.submit(config, run, run.parameters(), wait=False).endswith("id-1")
    kubeflow.runs[0].state = "FAILED"
    assert submit.submit(config, run, run.parameters(), wait=False).endswith("id-2")


@pytest.mark.parametrize("state", ["FAILED", "CANCELED"])
def test_a_run_that_fails_while_it_is_waited_for(compiled, kubeflow, monkeypatch, state):
    monkeypatch.setattr(kubeflow, "state", state)
    config = load(DEMO, ["remote={root: gs://bucket/runs, image: i, host: http://k}"])
    run = compiled("kubeflow")
    with pytest.raises(RuntimeError, match=f"the run id-0 has ended as {state}; look at http://k/"):
        submit.submit(config, run, run.parameters(), wait=True)


def test_to_vertex_once(compiled, monkeypatch, tmp_path):
    config = load(DEMO, [f"remote={{root: {tmp_path}, image: i, project: pets, region: europe-west4, network: n}}"])
    run = compiled("vertex", f"remote.root={tmp_path}")
    sent, states = [], {}

    def send(job, **options):
        name = job._gca_resource.display_name
        sent.append((name, options))
        states[name] = "PIPELINE_STATE_RUNNING"

    def get(name, **options):
        assert options == {"project": "pets", "location": "europe-west4"}
        if name not in states:
            raise exceptions.NotFound(name)
        return types.SimpleNamespace(display_name=name, state=types.SimpleNamespace(name=states[name]))

    def list_running(filter, **options):
        return [types.SimpleNamespace(display_name=name) for name, state in states.items() if state in filter]

    monkeypatch.setattr(aiplatform.PipelineJob, "submit", send)
    monkeypatch.setattr(aiplatform.PipelineJob, "get", get)
    monkeypatch.setattr(aiplatform.PipelineJob, "list", list_running)
    monkeypatch.setattr(
        submit,
        "make_vertex_job",
        lambda *arguments, make=submit.make_vertex_job: make(*arguments, credentials.AnonymousCredentials()),
    )
    places = {submit.submit(config, run, run.parameters(), wait=False) for _ in range(2)}
    page = "https://console.cloud.google.com/vertex-ai/locations/europe-west4/pipelines/runs"
    assert places == {f"{page}/{run.name}?project=pets"}
    assert sent == [(run.name, {"service_account": None, "network": "n"})]
    assert json.loads((tmp_path / "tasks" / f"{run.name}.json").read_text()).keys() == run.tasks.keys()
    other = submit.set_parameters(run, {"seed": "1"})
    with pytest.raises(ValueError, match=f"^name: {run.name}, a run of 'demo', is going on"):
        submit.submit(config, run, other, wait=False)
    # One that failed is sent again, under another name.
    states[run.name] = "PIPELINE_STATE_FAILED"
    assert submit.submit(config, run, run.parameters(), wait=False) == f"{page}/{run.name}-2?project=pets"
    assert [name for name, _ in sent] == [run.name, f"{run.name}-2"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["submit", "--to", "vertex"], "remote: missing; it says where a run on a cluster has its files"),
        (["submit", "--to", "kubeflow", "--parameter", "n"], "--parameter: 'n' has no '='; write NAME=VALUE"),
        (["compile", "--for", "kubeflow", "-o", "/no/folder/x.yaml"], "--output: '/no/folder/x.yaml': its folder does"),
    ],
    ids=["no place", "parameter", "output"],
)
def test_mistakes_are_one_line(arguments, message):
    done = CliRunner().invoke(cli.app, [arguments[0], DEMO, *arguments[1:]])
    assert done.exit_code == 1
    assert done.stderr.startswith(f"error: {message}") and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"steps": "3"},
            r"^--parameter: 'steps' is unknown; the run has classifier_steps, finetune_steps, n,",
        ),
        ({"n": "many"}, r"^--parameter: n = 'many'; it must be a whole number, at least 1"),
        ({"n": "0"}, r"^--parameter: n = '0'; it must be a whole number, at least 1"),
        ({"seed": "-1"}, r"^--parameter: seed = '-1'; it must be a whole number, at least 0"),
        (
            {"push_destination_digits": "serving"},
            r"^--parameter: push_destination_digits = 'serving'; name a URI, or a",
        ),
    ],
    ids=["unknown", "no number", "zero", "negative", "a relative path"],
)
def test_parameters(compiled, values, message):
    with pytest.raises(ValueError, match=message):
        submit.set_parameters(compiled("kubeflow"), values)


def test_the_newest_version_becomes_the_baseline(tmp_path):
    served = tmp_path / "serving" / "digits"
    for version in ("7", "12"):
        (served / version / "variables").mkdir(parents=True)
        (served / version / "saved_model.pb").write_text(version)
        for name in ("variables.index", "variables.data-00000-of-00001"):
            (served / version / "variables" / name).write_text(version)
    config = load(DEMO, [f"remote={{root: gs://bucket/runs, files: {tmp_path}}}"])
    assert submit.find_baselines(config, "kubeflow") == {}  # an input of its steps cannot be on a volume
    found = submit.find_baselines(config, "vertex")
    assert found == {"digits": f"{tmp_path}/baselines/digits/12"}
    assert not (tmp_path / "baselines").exists()
    submit.copy_baselines(config, found)
    assert pathlib.Path(found["digits"], "Format-Serving", "saved_model.pb").read_text() == "12"
    own = load(DEMO, [f"remote={{root: gs://bucket/runs, files: {tmp_path}, baselines: {{digits: gs://b/m}}}}"])
    assert submit.find_baselines(own, "vertex") == {"digits": "gs://b/m"}
