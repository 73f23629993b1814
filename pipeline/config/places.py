"""Texts of a configuration that name a place of a cluster: a folder, a bucket, an address, a container image."""

import re
from typing import Annotated

import pydantic

# The object stores that Kubeflow Pipelines copies artifacts from and to, and TensorFlow cannot open.
COPIED = ("minio://", "s3://")
_OPENED = ("gs://", "hdfs://", "ram://", "/")  # a path is a volume that is mounted in all containers


def _check_folder(value: str, allowed: tuple[str, ...]) -> str:
    if not value.startswith(allowed):
        raise ValueError(f"this is a place on this machine; begin it with one of {', '.join(allowed)}")
    return value if value.endswith(("//", ":/")) or value == "/" else value.rstrip("/")


def _check_address(value: str) -> str:
    port = re.fullmatch(r"[\w.\-]+:(\d{1,5})", value)
    if port is None or not 0 < int(port[1]) < 1 << 16:
        raise ValueError("this is no address; write host:port")
    return value


def _check_image(value: str) -> str:
    if not re.fullmatch(r"[\w.\-/:@]+", value):
        raise ValueError("this is not the name of a container image")
    return value


ArtifactsUri = Annotated[str, pydantic.AfterValidator(lambda value: _check_folder(value, (*COPIED, *_OPENED)))]
FilesUri = Annotated[str, pydantic.AfterValidator(lambda value: _check_folder(value, _OPENED))]
Bucket = Annotated[str, pydantic.Field(pattern=r"^gs://[^/]{3,}/.")]
Address = Annotated[str, pydantic.AfterValidator(_check_address)]
Image = Annotated[str, pydantic.AfterValidator(_check_image)]
