"""Compiles a pipeline for Kubeflow Pipelines or Vertex AI."""

import dataclasses
import json
import os
from collections.abc import Mapping
from typing import Any

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common import importer
from tfx.dsl.experimental.node_execution_options.utils import TriggerStrategy
from tfx.orchestration import data_types
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner

from components.code_version import hash_packages
from components.example_gen import policy as ingest_policy
from pipeline.config import steps
from pipeline.config.remote import Resources
from pipeline.config.run import Config
from pipeline.nodes import beam
from pipeline.place import Place
from pipeline.runners import kubernetes, resources
from pipeline.runners.task import Task, digest, environment
from trainer.loop.checkpoints import POLICY_FILE

BACKENDS = ("kubeflow", "vertex")
_ENTRY_POINT = ("python", "-m", "pipeline.runners.entrypoint")


@dataclasses.dataclass(frozen=True)
class Compiled:
    """A compiled run.

    Attributes:
      backend: 'kubeflow' or 'vertex'.
      name: of the run; runs with the same configuration, parameters and code have the same one.
      job: the PipelineJob, as JSON.
      platforms: what only Kubernetes understands, by executor.
      tasks: node → what its container is told.
      tasks_folder: URI of the folder in which it is told; None: it is in the containers' environment.
      baselines: target → URI of the Model that a new one is compared with.
    """

    backend: str
    name: str
    job: dict[str, Any]
    platforms: dict[str, Any]
    tasks: Mapping[str, Task]
    tasks_folder: str | None
    baselines: Mapping[str, str]

    def to_text(self) -> str:
        """Returns what the backend reads: for Kubeflow YAML, for Vertex AI JSON."""
        if self.backend == "vertex":
            return json.dumps(self.job, indent=1, sort_keys=True) + "\n"
        documents = [self.job["pipelineSpec"]]
        if self.platforms:
            executors = {"executors": self.platforms}
            documents.append({"platforms": {"kubernetes": {"deploymentSpec": executors}}})
        return yaml.safe_dump_all(documents, sort_keys=True, allow_unicode=True)

    def parameters(self) -> dict[str, Any]:
        """Returns the parameters of the run with their defaults."""
        given = self.job["runtimeConfig"].get("parameterValues", {})  # in which protobuf has all numbers as floats
        return {name: int(value) if isinstance(value, float) else value for name, value in sorted(given.items())}


def compile_pipeline(pipeline: tfx_pipeline.Pipeline, config: Config, place: Place, backend: str) -> Compiled:
    """Compiles a pipeline; nothing is written.

    Args:
      pipeline: of a remote place.
      config: its configuration, which has a section `remote`.
      place: where its files are.
      backend: one of `BACKENDS`.

    Raises:
      ValueError: the backend cannot run it as configured.
    """
    remote = config.require_remote()
    if remote.image is None:
        raise ValueError("remote.image: missing; name the container image that has this code")
    nodes = {node.id: node for node in pipeline.components}
    runners = {key: remote.complete(runner) for key, runner in remote.beam.items()}
    beam.check("remote.beam", runners, beam.find_jobs(nodes.values()))
    wanted = _find_resources(config, nodes, backend)
    runner = kubeflow_v2_dag_runner.KubeflowV2DagRunner(
        kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(
            display_name=config.name,
            default_image=remote.image,
            default_commands=list(_ENTRY_POINT),
            use_pipeline_spec_2_1=True,
        )
    )
    defaults = _find_defaults(nodes.values())
    job = runner.run(pipeline, parameter_values=defaults, write_out=False)
    spec = job["pipelineSpec"]
    for name, value in defaults.items():  # TFX leaves them out
        spec["root"]["inputDefinitions"]["parameters"][name]["defaultValue"] = value
    _let_wait_for_the_end(spec, nodes)
    folder = os.path.join(place.files, "tasks") if backend == "vertex" else None
    tasks = _make_tasks(spec, nodes, config, place, wanted, backend)
    platforms = {}
    for node, task in tasks.items():
        executor = spec["components"][node]["executorLabel"]
        container = spec["deploymentSpec"]["executors"][executor]["container"]
        container["env"] = environment(task, place.artifacts, folder)
        # The container of a CustomJob only waits for it.
        if given := {} if task.job else resources.container_resources(wanted[node], backend):
            message = json_format.ParseDict(
                given, pipeline_spec_pb2.PipelineDeploymentConfig.PipelineContainerSpec.ResourceSpec()
            )
            container["resources"] = json_format.MessageToDict(message)
        if wanted[node].retries:
            spec["root"]["dag"]["tasks"][node]["retryPolicy"] = {"maxRetryCount": wanted[node].retries}
        if backend == "kubeflow" and (platform := kubernetes.executor_config(wanted[node], node)):
            platforms[executor] = platform
    name = f"{config.name}-{digest([job, platforms, {node: task.model_dump() for node, task in tasks.items()}])}"
    return Compiled(backend, name, job, platforms, tasks, folder, place.baselines)


def _let_wait_for_the_end(spec: dict[str, Any], nodes: Mapping[str, BaseNode]) -> None:
    """Writes into `spec` which nodes wait for the end of what they need, not for its success: TFX leaves it out.

    Such a task starts without the artifacts of what failed, if its component declares them optional.
    """
    for name, node in nodes.items():
        options = node.node_execution_options
        if options and options.trigger_strategy == TriggerStrategy.ALL_UPSTREAM_NODES_COMPLETED:
            policy = pipeline_spec_pb2.PipelineTaskSpec.TriggerPolicy
            strategy = policy.TriggerStrategy.Name(policy.ALL_UPSTREAM_TASKS_COMPLETED)
            spec["root"]["dag"]["tasks"][name]["triggerPolicy"] = {"strategy": strategy}
            for found in spec["components"][name]["inputDefinitions"]["artifacts"].values():
                found["isOptional"] = True


def _find_resources(config: Config, nodes: Mapping[str, BaseNode], backend: str) -> dict[str, Resources]:
    """Returns what each node is given that has a container."""
    classes = {name: type(node).__name__ for name, node in nodes.items() if not isinstance(node, importer.Importer)}
    steps.check_keys("resources", config.resources, classes, steps.COMPONENTS)
    found = {name: resources.find_resources(config.resources, name, kind) for name, kind in classes.items()}
    for name, each in found.items():
        resources.check_resources(each, name, classes[name], backend)
    return found


def _find_defaults(nodes) -> dict[str, Any]:
    """Returns the parameters of a pipeline with their defaults."""
    found: dict[str, Any] = {}
    for node in nodes:
        for value in node.exec_properties.values():
            if isinstance(value, data_types.RuntimeParameter):
                assert found.setdefault(value.name, value.default) == value.default, f"{value.name} has two defaults"
    return found


def _make_tasks(
    spec: Mapping[str, Any],
    nodes: Mapping[str, BaseNode],
    config: Config,
    place: Place,
    wanted: Mapping[str, Resources],
    backend: str,
) -> dict[str, Task]:
    remote = config.require_remote()
    beam_jobs = beam.find_jobs(nodes.values())
    code = hash_packages()
    # The rest would only make the pipeline larger, and say where things are on this machine.
    settings = config.model_dump(mode="json", include={"name", "arms", "targets"})
    for target in settings["targets"].values():
        del target["data"]
    tasks = {}
    for name in wanted:
        component = spec["components"][name]
        inputs = spec["root"]["dag"]["tasks"][name].get("inputs", {}).get("artifacts", {})
        given = {}
        if backend == "vertex" and resources.is_custom_job(wanted[name]):
            given = _make_job(config, wanted[name], name)
        tasks[name] = Task(
            node=name,
            code=code,
            inputs=_titles(component.get("inputDefinitions", {})),
            outputs=_titles(component.get("outputDefinitions", {})),
            producers={
                key: (found["taskOutputArtifact"]["producerTask"], found["taskOutputArtifact"]["outputArtifactKey"])
                for key, found in inputs.items()
            },
            files=place.files,
            policies=_policies(nodes[name], config, place),
            config=settings,
            beam=remote.runner_of(name, type(nodes[name]).__name__).arguments() if name in beam_jobs else [],
            job=given,
            region=remote.region if given else None,
            project=remote.project if given else None,
        )
    return tasks


def _titles(definitions: Mapping[str, Any]) -> dict[str, str]:
    """Returns key → type of the artifacts that a component takes or gives."""
    return {
        key: yaml.safe_load(found["artifactType"]["instanceSchema"])["title"]
        for key, found in definitions.get("artifacts", {}).items()
    }


def _policies(node: BaseNode, config: Config, place: Place) -> dict[str, str]:
    """Returns path → content of the files that tell a node how to go about its work."""
    if "checkpoints" in node.exec_properties:
        return {os.path.join(place.checkpoints, POLICY_FILE): config.checkpoint.model_dump_json()}
    if "working" in node.exec_properties:
        side = node.id.rpartition("-")[0]
        data = config.datasets()[side]
        settings = ingest_policy.Policy(max_rejected=data.max_rejected, threads=data.threads)
        return {ingest_policy.path_of(place.working_of(node.id)): settings.model_dump_json()}
    return {}


def _make_job(config: Config, wanted: Resources, node: str) -> dict[str, Any]:
    """Returns the CustomJob of Vertex AI for a training, without the command."""
    remote = config.require_remote()
    assert remote.image is not None, "the caller has checked it"
    job: dict[str, Any] = {
        "display_name": f"{config.name}-{node}",
        "job_spec": {"worker_pool_specs": resources.worker_pools(wanted, remote.image)},
    }
    scheduling: dict[str, Any] = {}
    if wanted.timeout is not None:
        scheduling["timeout"] = f"{round(3600 * wanted.timeout)}s"
    if wanted.machines > 1:  # of which none can go on alone
        scheduling["restart_job_on_worker_restart"] = True
    if scheduling:
        job["job_spec"]["scheduling"] = scheduling
    for key in ("service_account", "network"):
        if value := getattr(remote, key):
            job["job_spec"][key] = value
    if remote.encryption_key:
        job["encryption_spec"] = {"kms_key_name": remote.encryption_key}
    return job
