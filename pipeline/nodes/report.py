"""The node that reports on a run or on a comparison. It reads what is there, also where other nodes failed."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from tfx.orchestration import data_types
from tfx.types import BaseChannel, standard_artifacts

from components.transfer_report.component import READABLE, TransferReport
from pipeline.config.run import Config
from pipeline.nodes import ids
from pipeline.nodes.registry import Registry
from pipeline.place import Place

RUN, COMPARISON = "pipeline.report.run.report_fn", "pipeline.report.comparison.report_fn"
# Nodes of which a report reads nothing: large tables, samples that nothing is trained on, and repeated results.
_UNREAD = (ids.DRAFT, ids.SUBSET, "known")
# The parameters of a pipeline that take the place of settings.
SETTABLE = ("seed", "n", "classifier_steps", "pretrain_steps", "finetune_steps")
# What decides where and how something is run, and nothing of what it gives.
_NOT_SHOWN: Any = {
    **dict.fromkeys(("remote", "resources", "beam", "checkpoint"), True),
    "source": {"threads"},
    "targets": {"__all__": {"data": {"threads"}}},
}


def add_report(nodes: Registry, config: Config, place: Place, report_fn: str, **settings: Any) -> None:
    """Adds the node that reports on all other nodes.

    Args:
      nodes: of the pipeline; this function adds to it.
      config: the configuration.
      place: where its files are.
      report_fn: `RUN` or `COMPARISON`.
      settings: what else the report_fn takes.
    """
    graph = {node.id: [type(node).__name__, sorted(nodes.upstream_of(node))] for node in nodes}
    artifacts = dict(_list_artifacts(nodes, config.report.images))
    settings |= {"configuration": to_yaml(config), "graph": graph, "order": [*graph], "expected": sorted(artifacts)}
    if place.metadata is None:  # a step on a cluster reads there what the others have noted
        settings["files"] = place.files
    report = TransferReport(
        report_fn=report_fn,
        artifacts=artifacts,
        settings=settings,
        parameters=_list_parameters(nodes),
    )
    nodes.add(report.with_id(ids.REPORT))


def name_of(node: str, output: str) -> str:
    """Returns the name under which a report_fn finds an artifact."""
    return f"{node}.{output}"


def to_yaml(config: Config) -> str:
    """Returns what is set in a configuration, without what has its default and what decides nothing of the results."""
    content = config.model_dump(mode="json", exclude_unset=True, exclude=_NOT_SHOWN)
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)


def _list_artifacts(nodes: Registry, images: str) -> Iterator[tuple[str, BaseChannel]]:
    for node in nodes:
        if ids.kind_of(node.id) in _UNREAD or _is_of_source_images(node.id):
            continue
        for key, channel in node.outputs.items():
            if channel.type is standard_artifacts.Examples and not _shows(images, node.id):
                continue
            if channel.type in READABLE and not (node.id in ids.EXCLUSIONS and key == "plan"):
                yield name_of(node.id, key), channel


def _is_of_source_images(node: str) -> bool:
    """Returns whether the node gives predictions of the source's images, of which there may be many."""
    return node.startswith(f"{ids.SOURCE}-") and ids.kind_of(node) == ids.PREDICTIONS


def _shows(images: str, node: str) -> bool:
    """Returns whether the report shows images of the Examples of `node`."""
    if ids.kind_of(node) != ids.EXAMPLES:  # a sample that was written
        return False
    return images == "all" or (images == "source" and node == ids.side_node(ids.SOURCE, ids.EXAMPLES))


def _list_parameters(nodes: Registry) -> Mapping[str, data_types.RuntimeParameter]:
    """Returns the parameters of the pipeline that change what its configuration says."""
    values = (value for node in nodes for value in node.exec_properties.values())
    found = {value.name: value for value in values if isinstance(value, data_types.RuntimeParameter)}
    return {name: found[name] for name in SETTABLE if name in found}
