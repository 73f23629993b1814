"""Why a model was not pushed, in numbers."""

from components.evaluator import config as evaluation_config
from pipeline.config.run import Evaluation


def explain(evaluation_uri: str, settings: Evaluation) -> str:
    """Returns which thresholds of `settings` the model misses by the ModelEvaluation at `evaluation_uri`.

    Raises:
      ValueError: there are no metrics.
    """
    candidate = evaluation_config.read_metrics(evaluation_uri)[settings.metric]
    baseline = evaluation_config.read_metrics(evaluation_uri, of_baseline=True).get(settings.metric)
    return describe_misses(candidate, baseline, settings)


def describe_misses(candidate: float, baseline: float | None, settings: Evaluation) -> str:
    """Returns the same for the values of the candidate and of the baseline, None without one."""
    name, misses = settings.metric, []
    if candidate < settings.minimum:
        misses.append(f"{name} {candidate:.3f} < {settings.minimum:g} (minimum)")
    if baseline is not None and baseline - candidate > settings.max_regression:
        misses.append(
            f"{name} {candidate:.3f} against {baseline:.3f} of the baseline: drop of {baseline - candidate:.3f} > "
            f"{settings.max_regression:g} (max_regression)"
        )
    return "; ".join(misses) or f"{name} {candidate:.3f}"
