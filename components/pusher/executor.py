"""Pushes a model such that a server never sees an incomplete one."""

import os
import time
from typing import Any

from tfx import types
from tfx.components.evaluator import constants
from tfx.components.pusher import executor
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils, path_utils, proto_utils

from components.artifacts import model_labels, versions
from components.artifacts.pushed_model import NOT_COMPARED, ROLLED_BACK, SERVED_BY, SERVED_INSTEAD
from components.pusher.endpoint import VertexEndpoint

# TensorFlow Serving takes only folders with a numeric name for versions, so it ignores this one.
_STAGING = ".incoming"

WITHOUT_BASELINE, FOLDER, ENDPOINT = "without_baseline", "folder", "endpoint"  # the names of execution properties
BASELINE = "baseline_model"  # the name of an input


class Executor(executor.Executor):
    """Pushes with TFX's executor to a staging folder beside the versions, then renames that folder.

    If the process is killed before the rename, only the staging folder is left, and the next push removes it. If it is
    killed after the rename, the version is complete, and the next run finds that the newest version is this model.

    Object stores cannot rename a folder atomically. There the files are copied to the version's folder, with
    `saved_model.pb` last, because no server loads a folder without it.

    An endpoint of Vertex AI, if there is one, follows the folder: it serves the newest version, whether or not this run
    has pushed it.
    """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Pushes the model if it is blessed and not what is served already.

        A new version is the Unix time in seconds, but above all existing ones.
        """
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(exec_properties[standard_component_specs.PUSH_DESTINATION_KEY], destination)
        folder = exec_properties.get(FOLDER) or destination.filesystem.base_directory
        self._push(input_dict, output_dict, exec_properties, destination, folder)
        newest = versions.list_versions(folder).newest
        if exec_properties.get(ENDPOINT) and newest is not None:
            from components.pusher import registry

            endpoint = VertexEndpoint.model_validate_json(exec_properties[ENDPOINT])
            pushed_model = artifact_utils.get_single_instance(output_dict[standard_component_specs.PUSHED_MODEL_KEY])
            pushed_model.set_string_custom_property(SERVED_BY, registry.serve(endpoint, os.path.join(folder, newest)))

    def _push(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
        destination: pusher_pb2.PushDestination,
        folder: str,
    ) -> None:
        staging = os.path.join(folder, _STAGING)
        _remove(staging)
        pushed_model = artifact_utils.get_single_instance(output_dict[standard_component_specs.PUSHED_MODEL_KEY])
        newest = versions.list_versions(folder).newest
        if newest is not None and self.CheckBlessing(input_dict):
            model, target = self.GetModelPath(input_dict), os.path.join(folder, newest)
            if versions.holds(target, model):
                io_utils.copy_dir(model, pushed_model.uri)
                self._MarkPushed(pushed_model, pushed_destination=target, pushed_version=newest)
                versions.note_push(folder, newest, model)
                return
            # What is this model, but damaged, is replaced in any case.
            is_other = not versions.is_version_of(folder, newest, model)
            if is_other and _note_objections(input_dict, exec_properties, model, target, pushed_model):
                pushed_model.set_string_custom_property(SERVED_INSTEAD, target)
                self._MarkNotPushed(pushed_model)
                return
        destination.filesystem.base_directory = staging
        staged = {standard_component_specs.PUSH_DESTINATION_KEY: proto_utils.proto_to_json(destination)}
        super().Do(input_dict, output_dict, {**exec_properties, **staged})

        if pushed_model.get_int_custom_property("pushed"):
            version = str(next_version(folder))
            target = os.path.join(folder, version)
            publish(pushed_model.get_string_custom_property("pushed_destination"), target)
            self._MarkPushed(pushed_model, pushed_destination=target, pushed_version=version)
            versions.note_push(folder, version, self.GetModelPath(input_dict))
            _remove(staging)


def _note_objections(
    input_dict: dict[str, list[types.Artifact]],
    exec_properties: dict[str, Any],
    model: str,
    served: str,
    pushed_model: types.Artifact,
) -> bool:
    """Writes to `pushed_model` what speaks against replacing the version `served`; returns whether it forbids that."""
    folder, newest = os.path.split(served)
    not_compared = _explain_missing_comparison(input_dict, model, served)
    if not_compared:
        pushed_model.set_string_custom_property(NOT_COMPARED, not_compared)
    rolled_back = _find_rolled_back(folder, model, newest)
    if rolled_back:
        io_utils.copy_dir(model, pushed_model.uri)  # from which the version can be brought back
        pushed_model.set_string_custom_property(ROLLED_BACK, os.path.join(folder, rolled_back))
    return bool(rolled_back or (not_compared and exec_properties.get(WITHOUT_BASELINE) == "stop"))


def _find_rolled_back(folder: str, model: str, served: str) -> str | None:
    """Returns the version, above the one that is `served`, as which `model` was pushed, and which was removed."""
    digest = versions.hash_files(model)
    removed = (
        version
        for version, pushed in versions.read_pushes(folder).items()
        if pushed == digest and int(version) > int(served) and not fileio.exists(os.path.join(folder, version))
    )
    return max(removed, key=int, default=None)


def _explain_missing_comparison(input_dict: dict[str, list[types.Artifact]], model: str, served: str) -> str:
    """Returns why the Evaluator has not compared `model` with the version `served`; "" if it has, or there is none."""
    blessings = input_dict.get(standard_component_specs.MODEL_BLESSING_KEY)
    if not blessings:
        return ""
    folder, version = os.path.split(served)
    if blessings[0].has_custom_property(constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY):
        baselines = [path_utils.serving_model_path(each.uri) for each in input_dict.get(BASELINE) or []]
        if not baselines or versions.is_version_of(folder, version, baselines[0]):
            return ""
        return f"version {version} is served, but the comparison was with another model"
    names, served_names = model_labels.read(model) or (), model_labels.read(served)
    if served_names in (None, names):
        return f"version {version} is served, which is no model of this pipeline, or one whose files are gone"
    changes = [
        f"{sign}{name}"
        for sign, one, other in (("+", names, served_names), ("-", served_names, names))
        for name in one
        if name not in other
    ]
    return f"version {version} is served, which has other labels: {', '.join(changes) or 'another order'}"


def next_version(folder: str) -> int:
    """Returns the Unix time in seconds, or 1 above the highest version in `folder` if that is later."""
    found = versions.list_versions(folder)
    return max([int(time.time()), *(int(version) + 1 for version in (*found.complete, *found.broken))])


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
