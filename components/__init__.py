"""The custom TFX components. Names are imported when they are asked for, so that `import components` costs nothing."""

import importlib

_NOT_IN_CACHE_KEYS = "names where the components are"

_MODULE_OF = {
    # Artifact types stand here because Kubeflow resolves a type as `package.ClassName`, with one dot.
    "ExampleIndex": "components.artifacts.types",
    "Exclusions": "components.artifacts.types",
    "LabelPrior": "components.artifacts.types",
    "LabelVocabulary": "components.artifacts.types",
    "Predictions": "components.artifacts.types",
    "Rejected": "components.artifacts.types",
    "ResamplePlan": "components.artifacts.types",
    "EmbeddingDuplicateFilter": "components.near_duplicates.component",
    "Evaluator": "components.evaluator.component",
    "ExampleValidator": "components.example_validator.component",
    "ImportanceResampler": "components.importance_resampler.component",
    "NearDuplicateFilter": "components.near_duplicates.component",
    "Predictor": "components.predictor.component",
    "PriorEstimator": "components.prior_estimator.component",
    "Pusher": "components.pusher.component",
    "SourceExampleGen": "components.example_gen.component",
    "StatisticsGen": "components.statistics_gen.component",
    "TargetExampleGen": "components.example_gen.component",
}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str):
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULE_OF[name]), name)


def __dir__():
    return __all__
