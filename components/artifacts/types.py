"""The custom artifact types.

A type declares no PROPERTIES and is named `package.ClassName` with one dot: Kubeflow v2 accepts nothing else.
"""

from tfx.types import artifact

_NOT_IN_CACHE_KEYS = "the cache key of a node has the types of its inputs anyway"


class ExampleIndex(artifact.Artifact):
    """What is known about each example, without its pixels: `Split-<name>/index-*.parquet`.

    Its files are aligned with the Examples' shards. See `components.artifacts.index` for the columns. Beside them
    lie `counts.csv`, examples by label and split, and `summary.json`; see `components.artifacts.data_report`.
    """

    TYPE_NAME = "components.ExampleIndex"


class LabelVocabulary(artifact.Artifact):
    """The label space: `labels.csv`. See `components.artifacts.vocabulary`."""

    TYPE_NAME = "components.LabelVocabulary"


class LabelCounts(artifact.Artifact):
    """The number of images of each label, of a source whose images are not at hand: `counts.csv`.

    See `components.artifacts.label_counts`.
    """

    TYPE_NAME = "components.LabelCounts"


class Rejected(artifact.Artifact):
    """The rejected images, with the reasons: `Split-<name>/rejected-*.parquet`.

    See `components.artifacts.rejected`.
    """

    TYPE_NAME = "components.Rejected"


class Predictions(artifact.Artifact):
    """Logits of the source classifier for each example: `Split-<name>/predictions-*.parquet`.

    `labels.csv` has the classifier's labels, in the order of the logits; `label_map.csv` says what they stand for where
    they are not the source's. See `components.artifacts.predictions`.
    """

    TYPE_NAME = "components.Predictions"


class LabelPrior(artifact.Artifact):
    """P_s, P_t and the importance weights, one row per source label: `label_prior.parquet`.

    See `components.artifacts.label_prior`.
    """

    TYPE_NAME = "components.LabelPrior"


class Exclusions(artifact.Artifact):
    """The source images that must not be used: `Split-<name>/pairs-*.parquet`, and `summary.json`.

    Its files are aligned with the source's index. See `components.artifacts.exclusions`.
    """

    TYPE_NAME = "components.Exclusions"


class ResamplePlan(artifact.Artifact):
    """How often each example is taken: `Split-train/copies-*.parquet`; and `labels.parquet` if drawn.

    See `components.artifacts.plan`.
    """

    TYPE_NAME = "components.ResamplePlan"
