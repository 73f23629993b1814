"""Pushes a model such that a server never sees an incomplete one."""

import os
import time
from typing import Any

from tfx import types
from tfx.components.pusher import executor
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils, proto_utils

# TensorFlow Serving takes only folders with a numeric name for versions, so it ignores this one.
_STAGING = ".incoming"


class Executor(executor.Executor):
    """Pushes with TFX's executor to a staging folder beside the versions, then renames that folder.

    If the process is killed before the rename, only the staging folder is left, and the next push removes it. If it is
    killed after the rename, the version is complete, and the next run finds that the newest version is this model.

    Object stores cannot rename a folder atomically. There the files are copied to the version's folder, with
    `saved_model.pb` last, because no server loads a folder without it.
    """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Pushes the model if it is blessed and not what the newest version is already.

        A new version is the Unix time in seconds, but above all existing ones.
        """
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(exec_properties[standard_component_specs.PUSH_DESTINATION_KEY], destination)
        folder = destination.filesystem.base_directory
        staging = os.path.join(folder, _STAGING)
        _remove(staging)
        pushed_model = artifact_utils.get_single_instance(output_dict[standard_component_specs.PUSHED_MODEL_KEY])
        newest = max(_versions(folder), default=None)
        model = self.GetModelPath(input_dict)
        if newest is not None and self.CheckBlessing(input_dict):
            target = os.path.join(folder, str(newest))
            if is_same(target, model):
                io_utils.copy_dir(model, pushed_model.uri)
                self._MarkPushed(pushed_model, pushed_destination=target, pushed_version=str(newest))
                return
        destination.filesystem.base_directory = staging
        staged = {standard_component_specs.PUSH_DESTINATION_KEY: proto_utils.proto_to_json(destination)}
        super().Do(input_dict, output_dict, {**exec_properties, **staged})

        if pushed_model.get_int_custom_property("pushed"):
            version = str(next_version(folder))
            target = os.path.join(folder, version)
            publish(pushed_model.get_string_custom_property("pushed_destination"), target)
            self._MarkPushed(pushed_model, pushed_destination=target, pushed_version=version)
            _remove(staging)


def next_version(folder: str) -> int:
    """Returns the Unix time in seconds, or 1 above the highest version in `folder` if that is later."""
    return max([int(time.time()), *(version + 1 for version in _versions(folder))])


def is_same(one: str, other: str) -> bool:
    """Returns whether two folders have files of the same paths and content."""
    files = _files(one)
    return files == _files(other) and all(
        _read(os.path.join(one, path)) == _read(os.path.join(other, path)) for path in files
    )


def _versions(folder: str) -> list[int]:
    names = [os.fsdecode(name).rstrip("/") for name in fileio.listdir(folder)] if fileio.exists(folder) else []
    return [int(name) for name in names if name.isdecimal() and name.isascii()]


def _files(folder: str) -> list[str]:
    return sorted(
        os.path.relpath(os.path.join(os.fsdecode(parent), os.fsdecode(name)), folder)
        for parent, _, names in fileio.walk(folder)
        for name in names
    )


def _read(path: str) -> bytes:
    with fileio.open(path, "rb") as file:
        return file.read()


def publish(source: str, target: str) -> None:
    """Moves the SavedModel folder `source` to `target`, which must not exist and is on the same file system."""
    if renames_folders(target):
        fileio.rename(source, target)
        return
    io_utils.copy_dir(source, target, deny_regex_patterns=[r"/saved_model\.pb$"])
    io_utils.copy_file(os.path.join(source, "saved_model.pb"), os.path.join(target, "saved_model.pb"))


def renames_folders(path: str) -> bool:
    """Returns whether the file system of `path` renames folders atomically."""
    return "://" not in path or path.startswith("hdfs://")


def _remove(folder: str) -> None:
    if fileio.exists(folder):
        fileio.rmtree(folder)
