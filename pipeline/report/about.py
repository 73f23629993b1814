"""What a report says of itself: the time, the software, the configuration, the weights that something starts from."""

import datetime
import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from components.transfer_report import block
from pipeline.config.run import Config
from pipeline.config.weights import Weights
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
        weights=list_weights(inputs.config),
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


def list_weights(config: Config) -> list[block.Weights]:
    """Returns the weights that are there before a run, and that something of it starts from."""
    return [
        block.Weights(key, each.path, each.sha256 or _find_sha256(each), each.source or "", each.licence or "")
        for key, each in config.list_weights().items()
    ]


def _find_sha256(weights: Weights) -> str:
    try:
        return weights.fingerprint()
    except ValueError:  # they are not there any more
        return ""
