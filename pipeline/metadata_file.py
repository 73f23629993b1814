"""The metadata of a workspace, which may be renamed, moved or copied, and from which files may be removed.

They have absolute URIs, so that workers anywhere can open them. When a workspace is opened in a new place, they are
changed; and what decides whether a result is reused does not have the place in it. Results whose files are gone are
never reused, nor is a push whose version is gone, unless somebody went back to an older version.
"""

import contextlib
import copy
import json
import os
import re
import sqlite3
import urllib.parse
from collections.abc import Collection, Iterator

from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration import metadata
from tfx.orchestration.portable import cache_utils
from tfx.types import Artifact, standard_artifacts

from components.artifacts import versions
from components.artifacts.pushed_model import SERVED_INSTEAD

_FILE = "metadata.sqlite"
_PLACE = ".place"  # a file with the path of the workspace when it was opened last


def connect(workspace: str) -> mlmd.ConnectionConfig:
    """Returns the connection to the metadata in the folder `workspace`."""
    return metadata.sqlite_metadata_connection_config(os.path.join(workspace, _FILE))


def has_metadata(workspace: str) -> bool:
    """Returns whether there are metadata in the folder `workspace`."""
    return os.path.exists(os.path.join(workspace, _FILE))


def update(connection: mlmd.ConnectionConfig, workspace: str) -> None:
    """Makes the metadata at `connection` agree with where `workspace` is now, and with the files that are there.

    A process that is killed in between has changed all URIs or none.
    """
    before = _read_place(workspace)
    with metadata.Metadata(connection) as handle:
        changed = []
        for artifact in handle.store.get_artifacts():
            old = copy.deepcopy(artifact)
            _move(artifact, before, workspace)
            if artifact.state == mlmd.Artifact.LIVE and (not _exists(artifact.uri) or _must_be_pushed_again(artifact)):
                artifact.state = mlmd.Artifact.DELETED
            changed += [artifact] if artifact != old else []
        if changed:
            handle.store.put_artifacts(changed)


def read_artifacts(workspace: str) -> list[mlmd.Artifact]:
    """Returns all artifacts with the paths that they have where `workspace` is now; the file stays as it is."""
    before = _read_place(workspace)
    with metadata.Metadata(connect(workspace)) as handle:
        artifacts: list[mlmd.Artifact] = handle.store.get_artifacts()
    for artifact in artifacts:
        _move(artifact, before, workspace)
    return artifacts


def note_place(workspace: str) -> None:
    """Notes, after `update`, where `workspace` is."""
    path = os.path.join(workspace, _PLACE)
    with open(f"{path}.tmp", "w", encoding="utf-8") as file:
        file.write(workspace)
    os.replace(f"{path}.tmp", path)


def copy_file(workspace: str, target: str) -> None:
    """Copies the metadata of `workspace`, if it has any, as they are now: also while a run goes on."""
    source = os.path.join(workspace, _FILE)
    if os.path.exists(source):
        with (
            contextlib.closing(sqlite3.connect(f"file:{urllib.parse.quote(source)}?mode=ro", uri=True)) as before,
            contextlib.closing(sqlite3.connect(os.path.join(target, _FILE))) as after,
        ):
            before.backup(after)


def _read_place(workspace: str) -> str:
    try:
        with open(os.path.join(workspace, _PLACE), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return workspace


def forget(workspace: str, paths: Collection[str]) -> None:
    """Says in the metadata of `workspace` that the artifacts at `paths` are deleted, so that nothing reuses them."""
    with metadata.Metadata(connect(workspace)) as handle:
        deleted = [artifact for artifact in handle.store.get_artifacts() if artifact.uri in paths]
        for artifact in deleted:
            artifact.state = mlmd.Artifact.DELETED
        if deleted:
            handle.store.put_artifacts(deleted)


def _exists(uri: str) -> bool:
    return "://" in uri or os.path.exists(uri)


def _must_be_pushed_again(artifact: mlmd.Artifact) -> bool:
    """Returns whether `artifact` is a push whose outcome would be another now, but for a version that was removed while
    an older one stayed: that was somebody's decision."""
    if artifact.type != standard_artifacts.PushedModel.TYPE_NAME:
        return False
    properties = copy.deepcopy(artifact).custom_properties  # to read what is not there would add it
    if not properties["pushed"].int_value:
        stood_in_the_way = properties[SERVED_INSTEAD].string_value
        return bool(stood_in_the_way) and _newest(os.path.dirname(stood_in_the_way)) != stood_in_the_way
    destination = properties["pushed_destination"].string_value
    newest = _newest(os.path.dirname(destination))
    if newest == destination:
        return not versions.holds(destination, artifact.uri)
    return newest is None or (_exists(destination) and not versions.is_complete(destination))


def _newest(folder: str) -> str | None:
    version = versions.list_versions(folder).newest
    return None if version is None else os.path.join(folder, version)


@contextlib.contextmanager
def use_keys_without_place(workspace: str) -> Iterator[None]:
    """In the block, results are reused whatever the path of `workspace` is, and whenever its metadata were changed."""
    get_cache_context = cache_utils.get_cache_context

    def get_cache_context_without_place(*, input_artifacts, parameters, **others):
        inputs = {
            key: [_without_place(artifact, workspace) for artifact in artifacts]
            for key, artifacts in (input_artifacts or {}).items()
        }
        texts = {key: _replace(str(value), workspace, "") for key, value in (parameters or {}).items()}
        return get_cache_context(input_artifacts=inputs, parameters=texts, **others)

    setattr(cache_utils, "get_cache_context", get_cache_context_without_place)  # noqa: B010 - mypy takes no other
    try:
        yield
    finally:
        setattr(cache_utils, "get_cache_context", get_cache_context)  # noqa: B010


def _without_place(artifact: Artifact, workspace: str) -> Artifact:
    portable = copy.deepcopy(artifact)
    _move(portable.mlmd_artifact, workspace, "")
    portable.mlmd_artifact.ClearField("create_time_since_epoch")
    portable.mlmd_artifact.ClearField("last_update_time_since_epoch")
    return portable


def _move(artifact: mlmd.Artifact, before: str, after: str) -> None:
    artifact.uri = _replace(artifact.uri, before, after)
    for value in artifact.custom_properties.values():
        if value.HasField("string_value"):
            value.string_value = _replace(value.string_value, before, after)


def _replace(text: str, before: str, after: str) -> str:
    """Replaces the path `before` in `text`, where it stands for a whole folder, if `after` does not stand there yet."""
    pairs = {before: after}
    if text.startswith(("{", "[")):  # JSON, with or without escapes
        pairs = {
            json.dumps(before, ensure_ascii=escapes)[1:-1]: json.dumps(after, ensure_ascii=escapes)[1:-1]
            for escapes in (True, False)
        }
    for old, new in pairs.items():
        if not new or not re.search(_path_pattern(new), text):
            text = re.sub(_path_pattern(old), new.replace("\\", r"\\"), text)
    return text


def _path_pattern(path: str) -> str:
    return rf"(?<![^\"'=,\s\[]){re.escape(path)}(?![^/\"',\s\]])"
