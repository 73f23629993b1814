"""How the nodes of a run ended, and which of them read from which.

From the metadata, from what a step on a cluster was given, or from a record.
"""

import os
from collections.abc import Mapping, Sequence

from components.transfer_report import block
from components.transfer_report.executor import ReportArgs
from pipeline import record as records
from pipeline.nodes import ids
from pipeline.report import metadata
from pipeline.runners import task

# What the metadata and the records call a state → what the report calls it.
_STATES = {"complete": "ran", "done": "ran", "cached": "reused", "running": "running", "failed": "failed"}
UNKNOWN = "not known"


def of_metadata(args: ReportArgs, workspace: str) -> dict[str, block.Node]:
    """Returns the nodes of the newest run in the folder `workspace`, which is the one that the report is of."""
    executions = metadata.read_newest_run(workspace)
    nodes = {}
    for name, kind, needs in _list_graph(args.settings):
        execution = executions.get(name)
        if execution is None:
            state = "blocked" if name in args.failed else UNKNOWN
            nodes[name] = block.Node(name, kind, state, needs=needs, note=args.failed.get(name, ""))
            continue
        state = _STATES.get(execution.state, execution.state)
        seconds = execution.seconds if state in ("ran", "failed") else None
        note = args.failed.get(name, "")
        nodes[name] = block.Node(name, kind, state, seconds, needs, execution.outputs, note)
    in_order = [name for name in executions if name in nodes]
    return {name: nodes[name] for name in dict.fromkeys([*in_order, *nodes])}


def of_inputs(args: ReportArgs) -> dict[str, block.Node]:
    """Returns the nodes as far as a step on a cluster knows them: by the artifacts that it was given.

    The durations are those that the steps of the same run have noted.
    """
    outputs: dict[str, dict[str, list[str]]] = {}
    for name, artifact in args.artifacts.items():
        node, _, key = name.partition(".")
        outputs.setdefault(node, {})[key] = [artifact.uri]
    expected = {name.partition(".")[0] for name in args.settings.get("expected", ())}
    noted = _read_notes(args.settings.get("files"))
    needed = {need for name, _, needs in _list_graph(args.settings) if name in outputs for need in needs}
    nodes: dict[str, block.Node] = {}
    for name, kind, needs in _list_graph(args.settings):
        state = UNKNOWN
        if name in outputs or name in needed or name in noted:
            state = "ran"
        elif name in expected:
            state = "failed"
        if state == "failed" and any(nodes[need].state in ("failed", "blocked") for need in needs if need in nodes):
            state = "blocked"
        seconds = noted[name].seconds if name in noted and noted[name].state == "done" else None
        note = "" if state != "failed" else "it left no results; its log on the cluster says why"
        nodes[name] = block.Node(name, kind, state, seconds, needs, outputs.get(name, {}), note)
    return nodes


def of_record(record: records.Record) -> dict[str, block.Node]:
    """Returns the nodes of a record."""
    return {
        name: block.Node(
            name,
            node.kind,
            _STATES.get(node.state, node.state),
            node.seconds if node.state in ("done", "failed") else None,
            node.needs,
            node.outputs,
            node.error,
        )
        for name, node in record.nodes.items()
        if name != ids.REPORT
    }


def _list_graph(settings: Mapping) -> Sequence[tuple[str, str, Sequence[str]]]:
    return [(name, *settings["graph"][name]) for name in settings["order"]]


def _read_notes(files: str | None) -> Mapping[str, records.Node]:
    """Returns what the steps of this run on a cluster have noted, in the folder `files`."""
    run = os.environ.get(task.RUN)
    return records.read_run(files, run).nodes if files and run else {}
