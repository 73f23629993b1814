"""The custom TFX components. A name is imported when it is first used, so that `import components` is fast.

The examples in the components' docstrings form one pipeline. They assume `from tfx import v1 as tfx`.
"""

from components import exports

_NOT_IN_CACHE_KEYS = "names where the components are"

__getattr__, __dir__, __all__ = exports.lazy(
    __name__,
    {
        # Artifact types are exported because Kubeflow resolves a type as `package.ClassName`, with one dot.
        "ExampleIndex": "components.artifacts.types",
        "Exclusions": "components.artifacts.types",
        "LabelCounts": "components.artifacts.types",
        "LabelPrior": "components.artifacts.types",
        "LabelVocabulary": "components.artifacts.types",
        "Predictions": "components.artifacts.types",
        "Rejected": "components.artifacts.types",
        "ResamplePlan": "components.artifacts.types",
        "CountsImporter": "components.label_counts.component",
        "EmbeddingDuplicateFilter": "components.near_duplicates.component",
        "Evaluator": "components.evaluator.component",
        "ExampleIndexer": "components.example_gen.component",
        "ExampleValidator": "components.example_validator.component",
        "ImportanceResampler": "components.importance_resampler.component",
        "NearDuplicateFilter": "components.near_duplicates.component",
        "Predictor": "components.predictor.component",
        "PriorEstimator": "components.prior_estimator.component",
        "Pusher": "components.pusher.component",
        "SchemaImporter": "components.example_validator.schema",
        "SourceExampleGen": "components.example_gen.component",
        "StatisticsGen": "components.statistics_gen.component",
        "TargetExampleGen": "components.example_gen.component",
        "TargetSampler": "components.target_sampler.component",
    },
)
