"""What the Evaluator measures, when it blesses, and how to read what it found."""

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.proto import config_pb2

from components.artifacts import examples
from components.evaluator import metrics

THRESHOLD_METRICS = ("accuracy", "mean_per_class_accuracy")

# Keras computes accuracy in float32, where nine out of ten is less than 0.9.
_ROUNDING = 1e-6


def eval_config(
    *, metric: str = "accuracy", min_accuracy: float, min_improvement: float | None = 0.0
) -> config_pb2.EvalConfig:
    """Returns the measurements of a single-label classifier and the thresholds that its blessing takes.

    Measured: `accuracy`; `top_5_accuracy`, which is 1 by definition with five classes or fewer; `cross_entropy` in
    nats, with probabilities clipped to 1e-7; `mean_per_class_accuracy`; `example_count`. The model's `serving_default`
    gives `probabilities`, [B, K]; an example's only value of `image/class/label` is the index of its class.

    Args:
      metric: the metric that both thresholds are on, 'accuracy' or 'mean_per_class_accuracy'.
      min_accuracy: the least value of `metric` to be blessed, 0 to 1.
      min_improvement: the least difference of `metric` to the baseline, on the same examples, -1 to 1: 0 takes a model
        that is as good, 0.01 one that is a point better, -0.01 one that loses no more than a point. None does not
        compare. Without a baseline there is no comparison either.

    A difference to a threshold of less than 1e-6 counts as met.

    Raises:
      ValueError: an argument is none of the above.
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
    measured = [
        config_pb2.MetricConfig(class_name="SparseCategoricalAccuracy", config='{"name": "accuracy"}'),
        config_pb2.MetricConfig(
            class_name="SparseTopKCategoricalAccuracy", config='{"name": "top_5_accuracy", "k": 5}'
        ),
        config_pb2.MetricConfig(class_name="SparseCategoricalCrossentropy", config='{"name": "cross_entropy"}'),
        config_pb2.MetricConfig(
            class_name=metrics.MeanPerClassAccuracy.__name__,
            module=metrics.__name__,
            config='{"name": "mean_per_class_accuracy"}',
        ),
        config_pb2.MetricConfig(class_name="ExampleCount"),
    ]
    for entry in measured:
        if f'"{metric}"' in entry.config:
            entry.threshold.CopyFrom(threshold)
    return config_pb2.EvalConfig(
        model_specs=[
            config_pb2.ModelSpec(
                signature_name="serving_default", prediction_key="probabilities", label_key=examples.LABELS
            )
        ],
        slicing_specs=[config_pb2.SlicingSpec()],
        metrics_specs=[config_pb2.MetricsSpec(metrics=measured)],
    )


def read_metrics(evaluation_dir: str) -> dict[str, float]:
    """Returns the candidate's metrics over all examples, by name.

    Args:
      evaluation_dir: the URI of a ModelEvaluation artifact.

    Raises:
      ValueError: there are none in `evaluation_dir`.
    """
    found = {}
    for record in tfma.load_metrics(evaluation_dir):
        if record.slice_key.single_slice_keys or record.HasField("cross_slice_key"):
            continue
        for item in record.metric_keys_and_values:
            # A model has a name only where there are two; example_count belongs to none.
            if item.key.model_name in ("", constants.CANDIDATE_KEY) and not item.key.is_diff:
                found[item.key.name] = item.value.double_value.value
    if not found:
        raise ValueError(f"evaluation_dir: {evaluation_dir!r} holds no metrics; allowed is the result of an Evaluator")
    return found
