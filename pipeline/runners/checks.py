"""What a run on a cluster needs: checked before anything is compiled, sent or written."""

import os
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import pydantic

from components.example_gen.readers import tfds_builders
from components.settings import StrictModel, expand_path
from components.storage import is_remote
from pipeline.config import accelerators
from pipeline.config.beam import Dataflow, WorkersElsewhere
from pipeline.config.places import COPIED
from pipeline.config.run import Config
from pipeline.nodes import ids
from pipeline.runners import resources

_NEEDED_FOR_ENDPOINTS = {
    "project": "the project of Google Cloud",
    "region": "the region of Vertex AI, such as europe-west4",
}
_NEEDED = {
    "kubeflow": {"image": "the container image that has this code"},
    "vertex": {"image": "the container image that has this code", **_NEEDED_FOR_ENDPOINTS},
}
_OPENED = ("gs://", "hdfs://", "ram://")  # by TensorFlow, in any container
_LONGEST_NAME = 60
_LONGEST_ENDPOINT = 63
_NEEDED_TO_SEND = {"kubeflow": {"host": "the URL of Kubeflow Pipelines"}, "vertex": {}}


def check(config: Config, backend: str, *, comparison: bool = False, sending: bool = False) -> None:
    """Checks that a backend can run a configuration.

    Args:
      config: the configuration.
      backend: 'kubeflow' or 'vertex'.
      comparison: whether it is a comparison.
      sending: whether the run is to be sent.

    Raises:
      ValueError: it cannot; the message has one line for each reason.
    """
    reasons = [
        *_check_place(config, backend, sending),
        *_check_endpoints(config, backend),
        *_check_beam(config),
        *_find_local_paths(config),
    ]
    if comparison and config.remote and config.remote.classifier and "classifier" in config.compare.vary:
        reasons.append("remote.classifier: there is one, but compare.vary trains one for each seed; leave one out")
    if config.remote and config.remote.classifier and config.trained_classifier is None:
        reasons.append("remote.classifier: there is one, but classifier names one that exists, too; leave one out")
    if reasons:
        raise ValueError("\n".join(reasons))


def check_parameters(config: Config, parameters: Mapping[str, Any]) -> None:
    """Checks the parameters of a run that is to be sent.

    Raises:
      ValueError: a target that has an endpoint would be pushed elsewhere than to a bucket.
    """
    for target in config.require_remote().endpoints:
        folder = parameters.get(key := f"push_destination_{target}", "gs://")
        if not folder.startswith("gs://"):
            raise ValueError(f"--parameter: {key} = {folder!r}; {target} has an endpoint, so name a folder gs://…")


def _check_place(config: Config, backend: str, sending: bool) -> Iterator[str]:
    try:
        remote = config.require_remote()
    except ValueError as error:
        yield str(error)
        return
    for key, what in {**_NEEDED[backend], **(_NEEDED_TO_SEND[backend] if sending else {})}.items():
        if getattr(remote, key) is None:
            yield f"remote.{key}: missing; name {what}"
    if backend == "vertex" and not remote.root.startswith("gs://"):
        yield f"remote.root: {remote.root!r}; Vertex AI has artifacts in a bucket: name a folder such as gs://bucket/runs"
    if backend == "vertex" and remote.files and not remote.files.startswith("gs://"):
        yield f"remote.files: {remote.files!r}; Vertex AI mounts no volumes: name a folder such as gs://bucket/runs"
    if backend == "kubeflow" and not remote.root.startswith(("gs://", *COPIED)):
        yield f"remote.root: {remote.root!r}; Kubeflow has artifacts in gs://, minio:// or s3://: name a folder there"
    for key in ("root", "files"):
        uri = getattr(remote, key) or ""
        if uri.startswith(("gs://", *COPIED)) and len(uri.partition("://")[2].split("/")[0]) < 3:
            yield f"remote.{key}: {uri!r} names no bucket; name a folder such as gs://bucket/runs"
    if backend == "kubeflow" and remote.files_root.startswith("/"):
        everywhere = config.resources.get("all")
        mounts = everywhere.volumes.values() if everywhere else ()
        if not any(f"{remote.files_root}/".startswith(f"{path.rstrip('/')}/") for path in mounts):
            yield (
                f"remote.files: {remote.files_root!r} is on no volume that all steps mount; set resources.all.volumes, "
                "from the name of a claim to the path"
            )
    if sending and remote.token_file and not os.path.isfile(remote.token_file):
        yield f"remote.token_file: no file {remote.token_file!r}; name one with a token, or leave it out"
    for target in remote.baselines.keys() - config.targets.keys():
        yield f"remote.baselines: {target!r} is not one of the targets {', '.join(config.targets)}"
    given = {"classifier": remote.classifier, **{f"baselines.{name}": uri for name, uri in remote.baselines.items()}}
    for key, uri in given.items():
        if uri is not None and not is_remote(uri):
            yield f"remote.{key}: {uri!r} is a place on this machine; name a URI that the containers can open"
    if not config.name[0].isalpha() or len(config.name) > _LONGEST_NAME:
        yield f"name: {config.name!r}; on a cluster it begins with a letter and has at most {_LONGEST_NAME} characters"


def _check_beam(config: Config) -> Iterator[str]:
    if (remote := config.remote) is None:
        return
    for key, configured in remote.beam.items():
        runner = remote.complete(configured)
        place = f"remote.beam.{key}"
        if isinstance(runner, WorkersElsewhere | Dataflow) and remote.root.startswith(COPIED):
            yield (
                f"{place}.runner: {runner.runner!r}, but its workers cannot open {remote.root!r}, which Kubeflow "
                "copies into the steps' pods: set remote.root to a folder such as gs://bucket/runs"
            )
        if isinstance(runner, WorkersElsewhere) and runner.image and remote.files_root.startswith("/"):
            yield (
                f"{place}.image: {runner.image!r}; containers that Beam starts mount no volumes, but remote.files is "
                f"{remote.files_root!r}: name a worker_pool that mounts it, or a folder such as gs://bucket/runs"
            )
        if isinstance(runner, Dataflow):
            if remote.files_root.startswith("/"):
                yield f"{place}.runner: 'dataflow' mounts no volumes: set remote.files to a folder such as gs://bucket/runs"
            for field in Dataflow.NEEDED:
                if getattr(runner, field) is None:
                    yield f"{place}.{field}: missing; set it, or what stands for it in remote"


def _check_endpoints(config: Config, backend: str) -> Iterator[str]:
    remote = config.remote
    if remote is None or not remote.endpoints:
        return
    for key, what in _NEEDED_FOR_ENDPOINTS.items():
        if getattr(remote, key) is None and key not in _NEEDED[backend]:
            yield f"remote.{key}: missing; name {what}, since there are endpoints"
    if not remote.files_root.startswith("gs://"):
        yield (
            f"remote.files: {remote.files_root!r}; an endpoint takes its model from a bucket: name a folder such as "
            "gs://bucket/runs"
        )
    ids_of: dict[str, str] = {}
    for name, endpoint in remote.endpoints.items():
        key = f"remote.endpoints.{name}"
        other = ids_of.setdefault(config.endpoint_name(name), name)
        if other != name:
            yield f"{key}.name: {config.endpoint_name(name)!r} is that of {other!r}, too; name an endpoint of its own"
        target = config.targets.get(name)
        if target is None:
            yield f"remote.endpoints: {name!r} is not one of the targets {', '.join(config.targets)}"
            continue
        if target.push is None:
            yield f"{key}: no model of {name!r} is pushed; set targets.{name}.push, or leave the endpoint out"
        if len(config.endpoint_name(name)) > _LONGEST_ENDPOINT or config.endpoint_name(name).endswith("-"):
            yield (
                f"{key}.name: {config.endpoint_name(name)!r} is no id of an endpoint, which has at most "
                f"{_LONGEST_ENDPOINT} characters and ends with one of a-z, 0-9; set another one"
            )
        if endpoint.accelerator is not None:
            try:
                accelerators.check_gpus(endpoint.accelerator, endpoint.count, "an endpoint", f"{key}.")
            except ValueError as error:
                yield str(error)
        yield from _check_credentials(config, backend, name)


def _check_credentials(config: Config, backend: str, target: str) -> Iterator[str]:
    given = config.require_remote().endpoints[target].credentials
    key = f"remote.endpoints.{target}.credentials"
    if backend == "vertex":
        if given is not None:
            yield f"{key}: {given!r}; on Vertex AI the steps have an account, remote.service_account: leave it out"
        return
    pusher = ids.side_node(target, ids.PUSHER)
    if given is None:
        yield (
            f"{key}: missing; name the file of a service account's key, which resources.{pusher}.secrets mounts, or "
            "write metadata if Google's nodes give the pod an identity"
        )
    elif given != "metadata":
        folders = resources.find_resources(config.resources, pusher, "Pusher").secrets.values()
        if not any(given.startswith(f"{folder.rstrip('/')}/") for folder in folders):
            yield f"{key}: {given!r} is in no folder of resources.{pusher}.secrets; mount the secret that has it there"


def _find_local_paths(config: Config) -> Iterator[str]:
    keys = {name: "source" if name == "source" else f"targets.{name}.data" for name in config.datasets()}
    sections: list[tuple[str, StrictModel]] = [("classifier", config.classifier), ("backbone", config.backbone)]
    sections += [(keys[name], data) for name, data in config.datasets().items()]
    for key, section in sections:
        for field, path in _paths_of(section):
            if not path.startswith(_OPENED):
                yield (
                    f"{key}.{field}: {path!r} is nothing that the containers can open; name a URI that begins with one "
                    f"of {', '.join(_OPENED)}"
                )
    for name, data in config.datasets().items():
        dataset = getattr(data, "dataset", None)
        if dataset is not None and dataset not in tfds_builders.EMBEDDED and getattr(data, "data_dir", None) is None:
            yield f"{keys[name]}.data_dir: missing; name the URI of the folder in which {dataset!r} is prepared"


def _paths_of(model: StrictModel, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yields the keys of `model` that are paths, with their values."""
    for key, field in type(model).model_fields.items():
        value = getattr(model, key)
        if isinstance(value, StrictModel):
            yield from _paths_of(value, f"{prefix}{key}.")
        elif isinstance(value, str) and _is_path(field):
            yield f"{prefix}{key}", value


def _is_path(field: pydantic.fields.FieldInfo) -> bool:
    nested = (each for part in typing.get_args(field.annotation) for each in getattr(part, "__metadata__", ()))
    return any(getattr(each, "func", None) is expand_path for each in (*field.metadata, *nested))
