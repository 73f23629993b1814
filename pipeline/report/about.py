"""What a report says of itself: the time, the software, the configuration, the weights that something starts from."""

import datetime
import importlib.metadata
import platform
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from components import storage
from components.transfer_report import block
from pipeline.report.inputs import Inputs

_PACKAGES = ("specialist", "tensorflow", "keras", "tfx", "ml-metadata", "apache-beam", "numpy", "pyarrow")


def make_block(
    inputs: Inputs,
    kind: Literal["run", "comparison"],
    *,
    source: block.Source | None,
    targets: Mapping[str, block.Target],
    missing: Sequence[block.Missing],
    seeds: Sequence[int],
    **others: Any,
) -> block.Block:
    """Returns the data block with what is the same for runs and comparisons.

    Args:
      inputs: what the report is made of.
      kind: which of the two it is.
      source, targets, missing, seeds: as in the block.
      others: further fields of the block.
    """
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    return block.Block(
        title=inputs.config.name if kind == "run" else f"{inputs.config.name}, comparison",
        kind=kind,
        made=now.isoformat().replace("+00:00", "Z"),
        source=source,
        targets=targets,
        missing=missing,
        configuration=inputs.configuration,
        versions=list_versions(),
        seeds=seeds,
        lineage=list(inputs.nodes.values()),
        weights=list_weights(inputs.config.model_dump()),
        **others,
    )


def list_versions() -> dict[str, str]:
    """Returns package → its version, of those that are installed."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # the code may be used without being installed
            continue
    return found


def list_weights(config: Mapping[str, Any]) -> list[block.Weights]:
    """Returns the weights that exist already and that something of a configuration starts from."""
    return [
        block.Weights(
            key,
            found["path"],
            found.get("sha256") or _find_sha256(found["path"]),
            found.get("source") or "",
            found.get("licence") or "",
        )
        for key, found in _find_weights(config, "")
    ]


def _find_weights(value: Any, key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields key and value of what has a path, a source and a licence."""
    if not isinstance(value, Mapping):
        return
    if {"path", "source", "licence"} <= value.keys():
        yield key, value
        return
    for name, each in value.items():
        yield from _find_weights(each, f"{key}.{name}" if key else str(name))


def _find_sha256(path: str) -> str:
    try:
        return storage.find_sha256(path)
    except ValueError:  # they are not there any more
        return ""
