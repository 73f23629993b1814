"""The record of a run: the artifacts of each node, readable without the metadata store.

A run on this machine writes one file, `runs/<run>.json`. On a cluster each step writes what it knows, its own artifacts
and those that it has read, to `runs/<run>/<step>.json`.
"""

import dataclasses
import json
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from components import storage

FOLDER = "runs"

T = TypeVar("T")


class MissingError(ValueError):
    """A run lacks the requested node or output. Another run of the workspace may have it."""


@dataclasses.dataclass(frozen=True)
class Node:
    """The result of a node: its final state, its duration in seconds, and its artifacts' URIs by output key."""

    state: str
    seconds: float
    outputs: dict[str, list[str]]


@dataclasses.dataclass(frozen=True)
class Record:
    """The record of a run.

    Attributes:
      config: the configuration, with its overrides and defaults.
      nodes: node id → node, in the order of execution.
      ended: whether all nodes have had their turn: the run was not stopped.
      verdicts: target → why its model was not pushed.
      until: what the run ended with, such as 'prior', if that was not its end.
    """

    config: dict
    nodes: dict[str, Node]
    ended: bool = True
    verdicts: dict[str, str] = dataclasses.field(default_factory=dict)
    until: str | None = None

    def uri(self, node: str, output: str) -> str:
        """Returns the URI of an output's artifact.

        Raises:
          MissingError: the run has no such node, or the node has no such output.
        """
        if node not in self.nodes:
            raise MissingError(f"RUN: the run has no node {node!r}; its nodes are {', '.join(self.nodes)}")
        uris = self.nodes[node].outputs.get(output)
        if not uris:
            message = f"RUN: {node} has no output {output}: its state is {self.nodes[node].state}"
            failed = [name for name, other in self.nodes.items() if other.state == "failed" and name != node]
            raise MissingError(f"{message}, and {', '.join(failed)} failed" if failed else message)
        return uris[0]

    def targets(self) -> list[str]:
        """Returns the names of the targets."""
        return list(self.config["targets"])


def write(workspace: str, name: str, record: Record) -> str:
    """Writes `record` as `<workspace>/runs/<name>.json` and returns its path."""
    path = pathlib.Path(workspace, FOLDER, f"{name}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    # Relative, since a workspace may be moved.
    portable = _map_uris(record, lambda uri: uri.removeprefix(os.path.join(workspace, "")))
    temporary.write_text(json.dumps(dataclasses.asdict(portable), indent=1, ensure_ascii=False), encoding="utf-8")
    os.replace(temporary, path)
    return str(path)


def write_part(root: str, run: str, node: str, started: float, record: Record) -> str:
    """Writes what the step `node` of a run on a cluster knows; returns the path.

    Args:
      root: folder of the records' folder.
      run: name of the run.
      node: id of the step.
      started: Unix time at which it began, in seconds.
      record: with the nodes that it knows.
    """
    path = os.path.join(root, FOLDER, run, f"{node}.json")
    storage.write_text(path, json.dumps({**dataclasses.asdict(record), "started": started}, indent=1))
    return path


def read_newest(run: str, read: Callable[[Record], T]) -> tuple[T, str | None]:
    """Returns the result of `read` for the newest record that has it, and a note if newer records lack it.

    Args:
      run: a workspace, a file in its folder of records, or the folder of the files of runs on a cluster.
      read: raises `MissingError` if a record lacks what it reads.

    Raises:
      ValueError: there is no record.
      MissingError: all records lack it; the message is that of the newest one.
    """
    errors: list[MissingError] = []
    newest = ""
    for name, found in _read_one_by_one(run):
        newest = newest or name
        try:
            result = read(found)
        except MissingError as error:
            errors.append(error)
            continue
        if not errors:
            return result, None
        reason = str(errors[0]).removeprefix("RUN: ")
        return result, f"this is from the run {name}; the newest run, {newest}, lacks it: {reason}"
    raise errors[0]


def _read_one_by_one(run: str) -> Iterator[tuple[str, Record]]:
    """Yields the records of `run` with their names, the newest first."""
    remote = _read_parts(run)
    if remote:
        yield from remote
        return
    for path in _paths(run):
        yield path.stem, _read(path)


def _read_parts(root: str) -> list[tuple[str, Record]]:
    """Returns the records of the runs on a cluster whose files are in the folder `root`, the newest first."""
    pattern = os.path.join(root, FOLDER, "*", "*.json")
    if storage.is_remote(root):
        import tensorflow as tf

        paths = tf.io.gfile.glob(pattern)
    else:
        paths = map(str, pathlib.Path(root).glob(f"{FOLDER}/*/*.json"))
    parts: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(paths):
        parts.setdefault(os.path.basename(os.path.dirname(path)), []).append(json.loads(storage.read_text(path)))
    # What a step says of itself counts more than what those say that have read its artifacts.
    found = []
    for name, said in parts.items():
        nodes: dict[str, Node] = {}
        for part in sorted(said, key=lambda part: part["started"]):
            for node, values in part["nodes"].items():
                if values["state"] == "done" or node not in nodes:
                    nodes[node] = Node(**values)
                elif nodes[node].state != "done":
                    nodes[node].outputs.update(values["outputs"])
        started = min(part["started"] for part in said)
        found.append((started, name, Record(said[0]["config"], nodes)))
    return [(name, record) for _, name, record in sorted(found, key=lambda run: run[:2], reverse=True)]


def read_all(workspace: str) -> dict[str, Record]:
    """Returns all records of `workspace` by the names of their runs, the newest first.

    Raises:
      ValueError: there is none.
    """
    return {path.stem: _read(path) for path in _paths(workspace)}


def _paths(run: str) -> list[pathlib.Path]:
    """Returns the records of `run`, the newest first."""
    path = pathlib.Path(run)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ValueError(f"RUN: no workspace or record {run!r}; name a workspace of `specialist run`")
    paths = sorted((path / FOLDER).glob("*.json"), reverse=True)
    if not paths:
        raise ValueError(f"RUN: {run!r} holds no record of a run; name a workspace of `specialist run`")
    return paths


def _read(path: pathlib.Path) -> Record:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        nodes = {name: Node(**node) for name, node in content["nodes"].items()}
        rest = {key: content[key] for key in ("ended", "verdicts", "until") if key in content}  # earlier ones have less
        stored = Record(content["config"], nodes, **rest)
        workspace = path.absolute().parent.parent
        return _map_uris(stored, lambda uri: uri if "://" in uri else os.path.join(workspace, uri))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"RUN: {path} is not the record of a run; name a workspace or a file in its folder runs/"
        ) from error


def _map_uris(record: Record, change: Callable[[str], str]) -> Record:
    nodes = {
        name: dataclasses.replace(node, outputs={key: [*map(change, uris)] for key, uris in node.outputs.items()})
        for name, node in record.nodes.items()
    }
    return dataclasses.replace(record, nodes=nodes)
