import json

import pytest
from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor

from pipeline.runners import entrypoint
from pipeline.runners import task as tasks
from pipeline.runners.task import Task

TASK = Task(
    node="pets-prior",
    code="0123456789abcdef",
    inputs={"index": "components.ExampleIndex"},
    outputs={"model": "tfx.Model"},
    producers={"index": ("source-examples", "index")},
    files="/files",
)


def artifacts(key: str, uri: str, **kind: str) -> dict:
    return {"artifacts": {key: {"artifacts": [{"uri": uri, "type": kind, "name": "n"}]}}}


@pytest.mark.parametrize("kind", [{}, {"instanceSchema": ""}, {"schemaTitle": ""}], ids=["none", "schema", "title"])
def test_missing_types_are_filled_in_and_uris_are_where_the_launcher_has_copied_them(kind):
    given = {
        "inputs": artifacts("index", "minio://b/1", **kind),
        "outputs": artifacts("model", "gs://b/2", schemaTitle="tfx.Own"),
    }
    entrypoint.prepare(given, TASK, {"minio://": "/minio/"})
    assert given["inputs"] == artifacts("index", "/minio/b/1", schemaTitle="components.ExampleIndex")
    assert given["outputs"] == artifacts("model", "gs://b/2", schemaTitle="tfx.Own")


def test_an_image_with_other_code_is_refused(monkeypatch):
    for each in tasks.environment(TASK, "gs://b/runs", None):
        monkeypatch.setenv(each["name"], each["value"])
    given = json.dumps({"outputs": artifacts("model", "gs://b/runs/demo/7/pets-prior/model")})
    arguments = ["--executor_class_path", "x.Executor", "--json_serialized_invocation_args", given]
    with pytest.raises(ValueError, match=r"^image: its code is .*, but the pipeline was compiled by 0123456789abcdef"):
        entrypoint.main(arguments)


def test_a_task_is_read_from_where_it_stands(tmp_path):
    folder = str(tmp_path / "tasks")
    tasks.write(folder, "run", {"pets-prior": TASK, "other": TASK.model_copy(update={"node": "other"})})
    for place in (None, folder):
        environ = {each["name"]: each["value"] for each in tasks.environment(TASK, "gs://b", place)}
        assert tasks.read("run", environ) == TASK
    with pytest.raises(ValueError, match="SPECIALIST_TASK: not set"):
        tasks.read("run", {})
    with pytest.raises(ValueError, match="SPECIALIST_NODE: 'gone' is no step of the run"):
        tasks.read("run", {**environ, "SPECIALIST_NODE": "gone"})
    with pytest.raises(ValueError, match=r"SPECIALIST_TASK: there is no .*another\.json, which `specialist submit`"):
        tasks.read("another", environ)


@pytest.mark.parametrize(
    "uri",
    ["gs://b/runs/demo/7/pets-prior/model", "gs://b/runs/demo/7/pets-prior/0c7e/model", "gs://b/runs/123/7/p_9/model"],
    ids=["kubeflow", "newer kubeflow", "vertex"],
)
def test_the_run_is_told_by_its_outputs(uri):
    environ = {each["name"]: each["value"] for each in tasks.environment(TASK, "gs://b/runs", None)}
    assert tasks.find_run(uri, environ) == "7"
    with pytest.raises(ValueError, match="SPECIALIST_ROOT: 'gs://b/runs' is not where 'gs://c/"):
        tasks.find_run(uri.replace("//b", "//c"), environ)


def test_tfx_itself_fails_on_what_kubeflow_passes():
    # When this no longer fails, the types need not be filled in any more (tensorflow/tfx#7768).
    given = {
        "inputs": artifacts("index", "/b/1", instanceSchema=""),
        "outputs": {"outputFile": "/b/output.json", **artifacts("model", "/b/2", instanceSchema="")},
    }
    args = type(
        "Args",
        (),
        {
            "executor_class_path": "components.statistics_gen.executor.Executor",
            "json_serialized_invocation_args": json.dumps(given),
            "json_serialized_inputs_spec_args": "{}",
        },
    )
    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'get'"):
        kubeflow_v2_run_executor.main((args, []))
