"""The ids of the pipeline's nodes: `<side>-<kind>`, or `<side>-<arm>-<kind>`, in a-z, 0-9 and -, as Kubeflow demands.

A side is 'source', or the name of a target. Imports nothing, so that whoever looks at a run can ask.
"""

SOURCE = "source"
# What a node does, as the last part of its id says.
EXAMPLES, STATISTICS, SCHEMA, VALIDATION = "examples", "statistics", "schema", "validation"
PREDICTIONS, PRIOR = "predictions", "prior"
RESAMPLE, SPECIALIST, FINETUNE = "resample", "specialist", "finetune"
BASELINE, EVALUATOR, PUSHER = "baseline", "evaluator", "pusher"

CLASSIFIER = f"{SOURCE}-classifier"
# The stages that look for near-duplicates, in their order; each holds what those before it have found, too.
EXCLUSIONS = (f"{SOURCE}-exclusions", f"{SOURCE}-embedding-exclusions")
SOURCE_TRAIN_PREDICTIONS = f"{SOURCE}-train-{PREDICTIONS}"


def side_node(side: str, kind: str) -> str:
    """Returns the id of a node of the source or of a target."""
    return f"{side}-{kind}"


def arm_node(side: str, arm: str, kind: str) -> str:
    """Returns the id of an arm's node; the side is 'source' if the node serves all targets."""
    return f"{side}-{arm.replace('_', '-')}-{kind}"


def known_node(exclusions: str) -> str:
    """Returns the id of the node that replaces what the node `exclusions` gives by earlier exclusions, if equal."""
    return f"{exclusions}-known"


def kind_of(node: str) -> str:
    """Returns what a node does."""
    return node.rpartition("-")[2]
