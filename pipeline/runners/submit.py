"""Sends a compiled run to Kubeflow Pipelines or Vertex AI, and finds what it is compared with."""

import os
import pathlib
import re
import tempfile
import time
from collections.abc import Iterable, Mapping
from typing import Any

import tensorflow as tf
from tfx.utils import io_utils, path_utils

from components.artifacts import versions
from components.storage import is_remote
from pipeline.config.run import Config
from pipeline.place import Place
from pipeline.runners import task as tasks
from pipeline.runners.compile import Compiled


def find_baselines(config: Config, backend: str) -> dict[str, str]:
    """Returns target → URI of the Model that a new one is compared with: where `copy_baselines` puts it, if need be.

    A configured one counts; else it is the newest version in the folder of the target's server, if that is a URI: an
    input of Kubeflow's steps cannot be on a volume.
    """
    remote, place = config.require_remote(), Place.remote(config, {})
    found = dict(remote.baselines)
    for name, target in config.targets.items():
        if target.push is None or name in found or (backend == "kubeflow" and not is_remote(remote.files_root)):
            continue
        newest = _newest_version(place.serving_of(name))
        if newest is not None:
            found[name] = os.path.join(remote.files_root, "baselines", name, newest)
    return found


def copy_baselines(config: Config, baselines: Mapping[str, str]) -> None:
    """Copies the newest versions of the models that are served to `baselines`, as Models of a pipeline."""
    remote, place = config.require_remote(), Place.remote(config, {})
    for name, uri in baselines.items():
        target = path_utils.serving_model_dir(uri)
        if name not in remote.baselines and not versions.is_complete(target):
            io_utils.copy_dir(os.path.join(place.serving_of(name), os.path.basename(uri)), target)


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
            if not is_remote(text) and not os.path.isabs(text):
                raise ValueError(f"--parameter: {name} = {text!r}; name a URI, or a path at which a volume is mounted")
            found[name] = text
            continue
        if not re.fullmatch(r"\d{1,9}", text) or (name != "seed" and int(text) == 0):
            least = 0 if name == "seed" else 1
            raise ValueError(f"--parameter: {name} = {text!r}; it must be a whole number, at least {least}")
        found[name] = int(text)
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
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "pipeline.json" if compiled.backend == "vertex" else "pipeline.yaml")
        path.write_text(compiled.to_text(), encoding="utf-8")
        send = _send_to_vertex if compiled.backend == "vertex" else _send_to_kubeflow
        return send(config, compiled, str(path), parameters, wait)


def _send_to_kubeflow(config: Config, compiled: Compiled, path: str, parameters: Mapping[str, Any], wait: bool) -> str:
    import kfp

    remote = config.require_remote()
    token = pathlib.Path(remote.token_file).read_text(encoding="utf-8").strip() if remote.token_file else None
    client = kfp.Client(host=remote.host, namespace=remote.namespace or "kubeflow", existing_token=token)
    name = name_of(compiled, parameters)
    run_id = _find_kubeflow_run(client, config, name)
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
    page = f"{remote.host}/#/runs/details/{run_id}"
    while wait and (state := client.get_run(run_id).state) != "SUCCEEDED":
        if state in _FAILED:  # kfp's own waiting does not end for a run that was cancelled
            raise RuntimeError(f"the run {run_id} has ended as {state}; look at {page}")
        time.sleep(_POLLING_SECONDS)
    return page


def _find_kubeflow_run(client: Any, config: Config, name: str) -> str | None:
    """Returns the id of a run of that name that has not failed.

    Raises:
      ValueError: another run of the configuration is going on.
    """
    listed = (
        client.list_runs(namespace=config.require_remote().namespace, page_size=100, sort_by="created_at desc").runs
        or []
    )
    for run in listed:
        if run.display_name == name and run.state not in _FAILED:
            return str(run.run_id)
    _check_alone(config, [run.display_name for run in listed if run.state not in (*_FAILED, "SUCCEEDED", "SKIPPED")])
    return None


def _check_alone(config: Config, running: Iterable[str]) -> None:
    """Checks that no other run of a configuration is going on: they would have the same working files.

    Raises:
      ValueError: one is.
    """
    for name in running:
        if re.fullmatch(rf"{config.name}(-[0-9a-f]{{8}}){{1,2}}(-\d+)?", name):
            raise ValueError(f"name: {name}, a run of {config.name!r}, is going on; wait for its end, or cancel it")


_FAILED = ("FAILED", "CANCELED", "CANCELING")
_FAILED_ON_VERTEX = ("PIPELINE_STATE_FAILED", "PIPELINE_STATE_CANCELLED", "PIPELINE_STATE_CANCELLING")
_POLLING_SECONDS = 30


def _send_to_vertex(config: Config, compiled: Compiled, path: str, parameters: Mapping[str, Any], wait: bool) -> str:
    from google.cloud import aiplatform

    remote = config.require_remote()
    place: dict[str, Any] = {"project": remote.project, "location": remote.region}
    names = [name_of(compiled, parameters)]
    while job := _find_vertex_run(names[-1], place):
        if job.state.name not in _FAILED_ON_VERTEX:
            break
        names.append(f"{names[0]}-{len(names) + 1}")  # a name is used once
    if job is None:
        running = aiplatform.PipelineJob.list(filter='state="PIPELINE_STATE_RUNNING"', **place)
        _check_alone(config, [each.display_name for each in running])
        assert compiled.tasks_folder is not None, "it is so on Vertex AI"
        tasks.write(compiled.tasks_folder, names[-1], compiled.tasks)
        job = make_vertex_job(config, names[-1], path, parameters)
        job.submit(service_account=remote.service_account, network=remote.network)
    if wait:
        job.wait()
    page = "https://console.cloud.google.com/vertex-ai/locations"
    return f"{page}/{remote.region}/pipelines/runs/{names[-1]}?project={remote.project}"


def _find_vertex_run(name: str, place: Mapping[str, Any]) -> Any:
    """Returns the run of that name; None: there is none."""
    from google.api_core import exceptions
    from google.cloud import aiplatform

    try:
        return aiplatform.PipelineJob.get(name, **place)
    except exceptions.NotFound:
        return None


def make_vertex_job(config: Config, name: str, path: str, parameters: Mapping[str, Any], credentials: Any = None):
    """Returns the PipelineJob of Vertex AI's client for the compiled file `path`; nothing is sent."""
    from google.cloud import aiplatform

    remote = config.require_remote()
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
