"""What a run on a cluster needs: checked before anything is compiled, sent or written."""

import os
import typing
from collections.abc import Iterator

import pydantic

from components.example_gen.readers import tfds_builders
from components.settings import StrictModel, expand_path
from components.storage import is_remote
from pipeline.config.beam import Dataflow, Flink, Portable, Spark
from pipeline.config.remote import COPIED
from pipeline.config.run import Config

_NEEDED = {
    "kubeflow": {"image": "the container image that has this code"},
    "vertex": {
        "image": "the container image that has this code",
        "project": "the project of Google Cloud",
        "region": "the region of Vertex AI, such as europe-west4",
    },
}
_OPENED = ("gs://", "hdfs://", "ram://")  # by TensorFlow, in any container
_LONGEST_NAME = 60
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
    reasons = [*_check_place(config, backend, sending), *_check_beam(config), *_find_local_paths(config)]
    if comparison and config.remote and config.remote.classifier and "classifier" in config.compare.vary:
        reasons.append("remote.classifier: there is one, but compare.vary trains one for each seed; leave one out")
    if reasons:
        raise ValueError("\n".join(reasons))


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
    for key in remote.beam:
        runner = remote.runner_of(key, key)
        place = f"remote.beam.{key}"
        if isinstance(runner, Portable | Flink | Spark | Dataflow) and remote.root.startswith(COPIED):
            yield (
                f"{place}.runner: {runner.runner!r}, but its workers cannot open {remote.root!r}, which Kubeflow "
                "copies into the steps' pods: set remote.root to a folder such as gs://bucket/runs"
            )
        if isinstance(runner, Dataflow):
            if remote.files_root.startswith("/"):
                yield f"{place}.runner: 'dataflow' mounts no volumes: set remote.files to a folder such as gs://bucket/runs"
            for field in Dataflow.NEEDED:
                if getattr(runner, field) is None:
                    yield f"{place}.{field}: missing; set it, or what stands for it in remote"


def _find_local_paths(config: Config) -> Iterator[str]:
    for name, data in config.datasets().items():
        key = "source" if name == "source" else f"targets.{name}.data"
        for field, path in _paths_of(data):
            if not path.startswith(_OPENED):
                yield (
                    f"{key}.{field}: {path!r} is nothing that the containers can open; name a URI that begins with one "
                    f"of {', '.join(_OPENED)}"
                )
        dataset = getattr(data, "dataset", None)
        if dataset is not None and dataset not in tfds_builders.EMBEDDED and getattr(data, "data_dir", None) is None:
            yield f"{key}.data_dir: missing; name the URI of the folder in which {dataset!r} is prepared"


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
