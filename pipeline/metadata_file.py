"""The metadata of a workspace, which may be renamed, moved or copied, and from which files may be removed.

They have absolute URIs, so that workers anywhere can open them. When a workspace is opened in a new place, they are
changed; and what decides whether a result is reused does not have the place in it. Results whose files are gone are
never reused.
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
from tfx.types import Artifact

_FILE = "metadata.sqlite"
_PLACE = ".place"  # a file with the path of the workspace when it was opened last


def connect(workspace: str) -> mlmd.ConnectionConfig:
    """Returns the connection to the metadata in the folder `workspace`."""
    return metadata.sqlite_metadata_connection_config(os.path.join(workspace, _FILE))


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
            if artifact.state == mlmd.Artifact.LIVE and not _exists(artifact.uri):
                artifact.state = mlmd.Artifact.DELETED
            changed += [artifact] if artifact != old else []
        if changed:
            handle.store.put_artifacts(changed)


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
