"""What a section of the configuration says of `all` steps, of those of a component, or of one by its id."""

from collections.abc import Iterable

from components.settings import did_you_mean

ALL = "all"
BEAM_COMPONENTS = (
    "SourceExampleGen",
    "TargetExampleGen",
    "StatisticsGen",
    "NearDuplicateFilter",
    "EmbeddingDuplicateFilter",
    "Predictor",
    "ImportanceResampler",
    "Evaluator",
)
# Also those that a run may lack, so that a comparison takes the same section.
COMPONENTS = (
    *BEAM_COMPONENTS,
    "SchemaImporter",
    "CountsImporter",
    "ExampleValidator",
    "ModelImporter",
    "Trainer",
    "PriorEstimator",
    "TargetSampler",
    "Pusher",
)


def check_keys(section: str, configured: Iterable[str], nodes: Iterable[str], components: Iterable[str]) -> None:
    """Checks that the keys of a section name something.

    Args:
      section: its name.
      configured: the keys.
      nodes: ids of the nodes that the section may speak of.
      components: their classes.

    Raises:
      ValueError: there is no such component or node.
    """
    known = [ALL, *components, *nodes]
    for key in configured:
        if key not in known:
            hint = did_you_mean(key, known, repr)
            raise ValueError(
                f"{section}: {key!r} is neither a component nor a node of the run{hint}; the components are "
                f"{', '.join(components)}"
            )
