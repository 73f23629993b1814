"""The configuration of the Evaluator, and a reader of its metrics."""

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.proto import config_pb2

from components.artifacts import examples
from components.evaluator import metrics

THRESHOLD_METRICS = ("accuracy", *metrics.OF_CONFUSION_MATRIX)

# Keras computes accuracy in float32, in which 9 / 10 is below 0.9.
_ROUNDING = 1e-6


def eval_config(
    *, metric: str = "accuracy", min_accuracy: float, min_improvement: float | None = 0.0
) -> config_pb2.EvalConfig:
    """Returns the metrics of a single-label classifier, and the thresholds for a blessing.

    The metrics are `accuracy`; `top_5_accuracy`, which is 1 with five classes or fewer; `cross_entropy` in nats, with
    probabilities clipped to 1e-7; those of `components.evaluator.confusion`; `example_count`. The model's signature
    `serving_default` must return `probabilities`, [B, K]. An example has one value of `image/class/label`, the index of
    its class.

    Args:
      metric: the metric of both thresholds, one of `THRESHOLD_METRICS`.
      min_accuracy: smallest `metric` for a blessing, 0 to 1.
      min_improvement: smallest difference of `metric` to the baseline, on the same examples, -1 to 1. 0 blesses a model
        that is as good, 0.01 requires one point more, -0.01 allows one point less. None does not compare. Without a
        baseline there is no comparison either.

    A model that misses a threshold by less than 1e-6 is blessed.

    Raises:
      ValueError: an argument is out of range.
    """
    if metric not in THRESHOLD_METRICS:
        raise ValueError(f"metric: {metric!r}; allowed are {', '.join(THRESHOLD_METRICS)}")
    if not 0 <= min_accuracy <= 1:
        raise ValueError(f"min_accuracy: {min_accuracy}; allowed is 0 to 1")
    if min_improvement is not None and not -1 <= min_improvement <= 1:
        raise ValueError(f"min_improvement: {min_improvement}; allowed is -1 to 1, or None")

    threshold = config_pb2.MetricThreshold(
        value_threshold=config_pb2.GenericValueThreshold(lower_bound={"value": min_accuracy - _ROUNDING})
    )
    if min_improvement is not None:
        threshold.change_threshold.CopyFrom(
            config_pb2.GenericChangeThreshold(
                direction=config_pb2.MetricDirection.HIGHER_IS_BETTER,
                absolute={"value": min_improvement - _ROUNDING},
            )
        )
    metric_configs = [
        config_pb2.MetricConfig(class_name="SparseCategoricalAccuracy", config='{"name": "accuracy"}'),
        config_pb2.MetricConfig(
            class_name="SparseTopKCategoricalAccuracy", config='{"name": "top_5_accuracy", "k": 5}'
        ),
        config_pb2.MetricConfig(class_name="SparseCategoricalCrossentropy", config='{"name": "cross_entropy"}'),
        *(
            config_pb2.MetricConfig(
                class_name=metric_class.__name__, module=metrics.__name__, config=f'{{"name": "{name}"}}'
            )
            for name, metric_class in metrics.OF_CONFUSION_MATRIX.items()
        ),
        config_pb2.MetricConfig(class_name="ExampleCount"),
    ]
    for entry in metric_configs:
        if f'"{metric}"' in entry.config:
            entry.threshold.CopyFrom(threshold)
    return config_pb2.EvalConfig(
        model_specs=[
            config_pb2.ModelSpec(
                signature_name="serving_default", prediction_key="probabilities", label_key=examples.LABELS
            )
        ],
        slicing_specs=[config_pb2.SlicingSpec()],
        metrics_specs=[config_pb2.MetricsSpec(metrics=metric_configs)],
    )


def read_metrics(evaluation_dir: str, *, of_baseline: bool = False) -> dict[str, float]:
    """Returns the metrics of a model over all examples, by name.

    Args:
      evaluation_dir: the URI of a ModelEvaluation artifact.
      of_baseline: whether it is the baseline's metrics, which are empty without one; else the candidate's.

    Raises:
      ValueError: `evaluation_dir` has no metrics of the candidate.
    """
    # Models have names only in a comparison, and example_count belongs to no model.
    models = (constants.BASELINE_KEY,) if of_baseline else ("", constants.CANDIDATE_KEY)
    values = {}
    for record in tfma.load_metrics(evaluation_dir):
        if record.slice_key.single_slice_keys or record.HasField("cross_slice_key"):
            continue
        for item in record.metric_keys_and_values:
            if item.key.model_name in models and not item.key.is_diff:
                values[item.key.name] = item.value.double_value.value
    if not values and not of_baseline:
        raise ValueError(f"evaluation_dir: {evaluation_dir!r} has no metrics; give the `evaluation` of an Evaluator")
    return values
