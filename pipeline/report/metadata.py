"""What the metadata of a workspace say of artifacts and of the newest run."""

import dataclasses
import os
from collections.abc import Collection

from ml_metadata.metadata_store import ListOptions, OrderByField
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration import metadata

from pipeline import metadata_file

_RUN, _NODE = "pipeline_run", "node"  # TFX's types of contexts


@dataclasses.dataclass(frozen=True)
class Made:
    """An artifact, and how long the execution took that made it, in seconds."""

    artifact: mlmd.Artifact
    seconds: float


@dataclasses.dataclass(frozen=True)
class Execution:
    """An execution of a node: its state, its duration in seconds, and the URIs of its outputs by key."""

    state: str
    seconds: float
    outputs: dict[str, list[str]]


def find_workspace(uri: str) -> str | None:
    """Returns the workspace of an artifact, `<workspace>/artifacts/<node>/<output>/<id>`; None: it has no metadata."""
    folder = os.path.abspath(os.path.join(uri, *[".."] * 4)) if "://" not in uri else ""
    return folder if folder and metadata_file.has_metadata(folder) else None


def read_artifacts(workspace: str, uris: Collection[str]) -> dict[str, Made]:
    """Returns URI → the artifact there, of those that the metadata know; the workspace may have been moved."""
    found: dict[str, Made] = {}
    if not metadata_file.has_metadata(workspace):
        return found
    artifacts = {artifact.id: artifact for artifact in metadata_file.read_artifacts(workspace) if artifact.uri in uris}
    with metadata.Metadata(metadata_file.connect(workspace)) as handle:
        events = handle.store.get_events_by_artifact_ids([*artifacts]) if artifacts else []
        made: dict[int, int] = {}
        for event in events:
            if event.type == mlmd.Event.OUTPUT:  # of several, the first one made it, and the others reused it
                known = made.setdefault(event.artifact_id, event.execution_id)
                made[event.artifact_id] = min(known, event.execution_id)
        executions = {each.id: each for each in handle.store.get_executions_by_id([*made.values()])} if made else {}
    for key, artifact in artifacts.items():
        if key in made:
            found[artifact.uri] = Made(artifact, _seconds_of(executions[made[key]]))
    return found


def read_newest_run(workspace: str) -> dict[str, Execution]:
    """Returns node → its execution in the newest run; nodes that could not run have none."""
    with metadata.Metadata(metadata_file.connect(workspace)) as handle:
        store = handle.store
        newest = store.get_executions(ListOptions(limit=1, order_by=OrderByField.ID, is_asc=False))
        runs = [each for each in store.get_contexts_by_execution(newest[0].id) if each.type == _RUN] if newest else []
        if not runs:
            return {}
        found = {}
        executions = store.get_executions_by_context(runs[0].id)
        outputs = _read_outputs(store, [each.id for each in executions])
        for execution in sorted(executions, key=lambda each: each.id):
            nodes = [each for each in store.get_contexts_by_execution(execution.id) if each.type == _NODE]
            state = mlmd.Execution.State.Name(execution.last_known_state).lower()
            for context in nodes:
                node = context.name.rpartition(".")[2]
                found[node] = Execution(state, _seconds_of(execution), outputs.get(execution.id, {}))
    return found


def _read_outputs(store, executions: list[int]) -> dict[int, dict[str, list[str]]]:
    kinds = (mlmd.Event.OUTPUT, mlmd.Event.INTERNAL_OUTPUT)
    events = [event for event in store.get_events_by_execution_ids(executions) if event.type in kinds]
    uris = {each.id: each.uri for each in store.get_artifacts_by_id([event.artifact_id for event in events])}
    found: dict[int, dict[str, list[str]]] = {}
    for event in events:
        keys = found.setdefault(event.execution_id, {})
        keys.setdefault(event.path.steps[0].key, []).append(uris[event.artifact_id])
    return found


def _seconds_of(execution: mlmd.Execution) -> float:
    return (execution.last_update_time_since_epoch - execution.create_time_since_epoch) / 1000
