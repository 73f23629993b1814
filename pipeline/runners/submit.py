"""Sends a compiled run to Kubeflow Pipelines or Vertex AI, and finds what it is compared with."""

import os
import pathlib
import tempfile
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from tfx.utils import io_utils, path_utils

from components.artifacts import versions
from pipeline.config.run import Config
from pipeline.runners import task as tasks
from pipeline.runners.compile import Compiled


def find_baselines(config: Config) -> dict[str, str]:
    """Returns target → URI of the Model that a new one is compared with: where `copy_baselines` puts it, if need be.

    A configured one counts; else it is the newest version in the folder of the target's server.
    """
    remote = config.remote
    assert remote is not None, "the caller has checked it"
    found = dict(remote.baselines)
    for name, target in config.targets.items():
        if target.push is None or name in found:
            continue
        newest = _newest_version(os.path.join(remote.files_root, "serving", name))
        if newest is not None:
            found[name] = os.path.join(remote.files_root, "baselines", name, newest)
    return found


def copy_baselines(config: Config, baselines: Mapping[str, str]) -> None:
    """Copies the newest versions of the models that are served to `baselines`, as Models of a pipeline."""
    remote = config.remote
    assert remote is not None, "the caller has checked it"
    for name, uri in baselines.items():
        target = path_utils.serving_model_dir(uri)
        if name not in remote.baselines and not tf.io.gfile.exists(os.path.join(target, "saved_model.pb")):
            served = os.path.join(remote.files_root, "serving", name, os.path.basename(uri))
            io_utils.copy_dir(served, target)


def _newest_version(folder: str) -> str | None:
    try:
        return versions.list_versions(folder).newest
    except (tf.errors.OpError, OSError):  # a volume that is mounted only in the containers, or a store out of reach
        return None


def set_parameters(compiled: Compiled, values: Mapping[str, str]) -> dict[str, Any]:
    """Returns the parameters of a run: the defaults, and over them `values`, which are texts.

    Raises:
      ValueError: there is no such parameter, or a value is not of its type.
    """
    found = compiled.parameters()
    defined = compiled.job["pipelineSpec"]["root"].get("inputDefinitions", {}).get("parameters", {})
    for name, text in values.items():
        if name not in defined:
            raise ValueError(f"--parameter: {name!r} is unknown; the run has {', '.join(sorted(defined))}")
        if defined[name]["parameterType"] == "STRING":
            found[name] = text
            continue
        try:
            found[name] = int(text)
        except ValueError as error:
            raise ValueError(f"--parameter: {name} = {text!r}; it must be a whole number") from error
    return found


def submit(config: Config, compiled: Compiled, parameters: Mapping[str, Any], *, wait: bool) -> str:
    """Sends a run; returns where it can be looked at. A run that was sent already is not sent again.

    Args:
      config: the configuration.
      compiled: the run.
      parameters: of the run.
      wait: whether to wait for the end of the run.

    Raises:
      RuntimeError: the run has failed; only if it is waited for.
    """
    if compiled.tasks_file is not None:
        tasks.write(compiled.tasks_file, compiled.tasks)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "pipeline.json" if compiled.backend == "vertex" else "pipeline.yaml")
        path.write_text(compiled.to_text(), encoding="utf-8")
        send = _send_to_vertex if compiled.backend == "vertex" else _send_to_kubeflow
        return send(config, compiled, str(path), parameters, wait)


def _send_to_kubeflow(config: Config, compiled: Compiled, path: str, parameters: Mapping[str, Any], wait: bool) -> str:
    import kfp

    remote = config.remote
    assert remote is not None, "the caller has checked it"
    token = pathlib.Path(remote.token_file).read_text(encoding="utf-8").strip() if remote.token_file else None
    client = kfp.Client(host=remote.host, namespace=remote.namespace or "kubeflow", existing_token=token)
    name = name_of(compiled, parameters)
    run_id = _find_kubeflow_run(client, name, remote.namespace)
    if run_id is None:
        run_id = client.create_run_from_pipeline_package(
            path,
            arguments=dict(parameters),
            run_name=name,
            experiment_name=remote.experiment or config.name,
            namespace=remote.namespace,
            pipeline_root=remote.root,
            enable_caching=True,
        ).run_id
    if wait:
        state = client.wait_for_run_completion(run_id, timeout=10**9).state
        if state != "SUCCEEDED":
            raise RuntimeError(f"the run {run_id} has ended as {state}; look at {remote.host}/#/runs/details/{run_id}")
    return f"{remote.host}/#/runs/details/{run_id}"


def _find_kubeflow_run(client: Any, name: str, namespace: str | None) -> str | None:
    """Returns the id of a run of that name that has not failed."""
    listed = client.list_runs(namespace=namespace, page_size=100, sort_by="created_at desc").runs or []
    return next((run.run_id for run in listed if run.display_name == name and run.state not in _FAILED), None)


_FAILED = ("FAILED", "CANCELED", "CANCELING")


def _send_to_vertex(config: Config, compiled: Compiled, path: str, parameters: Mapping[str, Any], wait: bool) -> str:
    from google.api_core import exceptions
    from google.cloud import aiplatform

    remote = config.remote
    assert remote is not None, "the caller has checked it"
    job = make_vertex_job(config, compiled, path, parameters)
    try:
        job.submit(service_account=remote.service_account, network=remote.network)
    except exceptions.AlreadyExists:
        job = aiplatform.PipelineJob.get(name_of(compiled, parameters), project=remote.project, location=remote.region)
    if wait:
        job.wait()
    page = "https://console.cloud.google.com/vertex-ai/locations"
    return f"{page}/{remote.region}/pipelines/runs/{name_of(compiled, parameters)}?project={remote.project}"


def make_vertex_job(
    config: Config, compiled: Compiled, path: str, parameters: Mapping[str, Any], credentials: Any = None
):
    """Returns the PipelineJob of Vertex AI's client for the compiled file `path`; nothing is sent."""
    from google.cloud import aiplatform

    remote = config.remote
    assert remote is not None, "the caller has checked it"
    name = name_of(compiled, parameters)
    return aiplatform.PipelineJob(
        display_name=name,
        job_id=name,
        template_path=path,
        pipeline_root=remote.root,
        parameter_values=dict(parameters),
        encryption_spec_key_name=remote.encryption_key,
        project=remote.project,
        location=remote.region,
        credentials=credentials,
    )


def name_of(compiled: Compiled, parameters: Mapping[str, Any]) -> str:
    """Returns the name of a run: another one if it has other parameters."""
    if dict(parameters) == compiled.parameters():
        return compiled.name
    return f"{compiled.name}-{tasks.digest(parameters)}"
