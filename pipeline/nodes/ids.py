"""The ids of the pipeline's nodes: `<side>-<kind>`, or `<side>-<arm>-<kind>`, in a-z, 0-9 and -, as Kubeflow requires.

A side is 'source' or the name of a target. Imports nothing heavy, so that commands that read a run stay fast.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

SOURCE = "source"
# The last part of an id: the kind of the node.
EXAMPLES, STATISTICS, SCHEMA, VALIDATION = "examples", "statistics", "schema", "validation"
COUNTS = "counts"  # of the source, in place of its examples
PREDICTIONS, PRIOR = "predictions", "prior"
RESAMPLE, SPECIALIST, FINETUNE = "resample", "specialist", "finetune"
SUBSET = "subset"  # of a target's train images
DRAFT = "draft"  # a sample that nothing is trained on: it shows in time that it can be drawn
BASELINE, EVALUATOR, PUSHER = "baseline", "evaluator", "pusher"

CLASSIFIER_KIND = "classifier"
PUBLISHED = f"{SOURCE}-published"
CLASSIFIER = f"{SOURCE}-{CLASSIFIER_KIND}"
# The stages of the near-duplicate filter, in order. Each contains the exclusions of the earlier ones.
EXCLUSIONS = (f"{SOURCE}-exclusions", f"{SOURCE}-embedding-exclusions")
SOURCE_TRAIN_PREDICTIONS = f"{SOURCE}-train-{PREDICTIONS}"


def side_node(side: str, kind: str, part: str = "") -> str:
    """Returns the id of a node of the source or of a target; `part` sets it apart from others of its kind."""
    return arm_node(side, "", kind, part)


def arm_node(side: str, arm: str, kind: str, part: str = "") -> str:
    """Returns the id of an arm's node; the side is 'source' if the node serves all targets.

    `part` sets it apart from others of its kind, such as those of other seeds.
    """
    return "-".join(filter(None, [side, arm.replace("_", "-"), part, kind]))


def sample_node(target: str, arm: str, kind: str, shared: Mapping[str, Any] | None, part: str = "") -> str:
    """Returns the id of a node that draws an arm's sample, or trains on it.

    Args:
      shared: the settings that the sample shares with all targets that have the same ones; None: it depends on the
        target.
      part: as `arm_node` takes it.
    """
    if shared is None:
        return arm_node(target, arm, kind, part)
    digest = hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()[:6]
    return arm_node(SOURCE, f"{arm}-{digest}" if shared else arm, kind, part)


def known_node(exclusions: str) -> str:
    """Returns the id of the node that replaces the outputs of the node `exclusions` by earlier, equal ones."""
    return f"{exclusions}-known"


def kind_of(node: str) -> str:
    """Returns the kind of a node."""
    return node.rpartition("-")[2]
