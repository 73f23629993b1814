"""What is kept of a comparison's nodes, from one time to the next, so that its report can be made again."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.compare import files
from pipeline.record import Node, Record, map_uris

FILE_NAME = "record.json"


@dataclasses.dataclass(frozen=True)
class Kept:
    """The record of a comparison.

    Attributes:
      record: its configuration and its nodes.
      cells: as `pipeline.compare.matrix.Nodes.described` has them.
    """

    record: Record
    cells: Sequence[Mapping[str, Any]]

    def keys(self) -> list[str]:
        """Returns the keys of the cells."""
        return sorted(cell["key"] for cell in self.cells)


def read(folder: str) -> Kept | None:
    """Returns what is kept in the folder of a comparison; None: nothing, or it is of another version."""
    workspace = os.path.dirname(os.path.dirname(os.path.abspath(folder)))
    try:
        content = json.loads(pathlib.Path(folder, FILE_NAME).read_text(encoding="utf-8"))
        nodes = {name: Node(**node) for name, node in content["nodes"].items()}
        record = map_uris(Record(content["config"], nodes), lambda uri: os.path.join(workspace, uri))
        return Kept(record, content["cells"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def write(folder: str, kept: Kept) -> None:
    """Keeps the record of a comparison in its folder; what was kept of nodes and cells that it lacks stays."""
    workspace = os.path.dirname(os.path.dirname(os.path.abspath(folder)))
    before = read(folder)
    if before is not None:
        kept = Kept(
            dataclasses.replace(kept.record, nodes={**before.record.nodes, **kept.record.nodes}),
            _merge(before.cells, kept.cells),
        )
    portable = map_uris(kept.record, lambda uri: os.path.relpath(uri, workspace))
    content = {
        "config": portable.config,
        "nodes": {name: dataclasses.asdict(node) for name, node in portable.nodes.items()},
        "cells": list(kept.cells),
    }
    files.write_text(os.path.join(folder, FILE_NAME), json.dumps(content, indent=1, ensure_ascii=False))


def _merge(before: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Returns the cells of `now`; what is known of their nodes from `before`, of the same key, is added."""
    known = {cell["key"]: cell for cell in before}
    return [{**known.get(cell["key"], {}), **cell} for cell in now]
