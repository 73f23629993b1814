"""A metric that TFMA lacks: mean per-class accuracy."""

import collections

from tensorflow_model_analysis.metrics import metric_types, metric_util, multi_class_confusion_matrix_metrics
from tensorflow_model_analysis.proto import config_pb2


class MeanPerClassAccuracy(metric_types.Metric):
    """The mean of the classes' accuracies, over classes with examples. Rare classes count as much as frequent ones.

    Labels are class indices, one an example. Predictions are [K] values of any scale, of which the largest counts.
    The metric is NaN if no example has a positive weight.
    """

    def __init__(self, name: str = "mean_per_class_accuracy"):
        super().__init__(metric_util.merge_per_key_computations(_computations), name=name)


metric_types.register_metric(MeanPerClassAccuracy)


def _computations(
    name: str,
    eval_config: config_pb2.EvalConfig | None = None,
    model_name: str = "",
    output_name: str = "",
    example_weighted: bool = False,
) -> metric_types.MetricComputations:
    keys = {"model_name": model_name, "output_name": output_name, "example_weighted": example_weighted}
    # With TFMA's default threshold of 0.5, a most probable class below one half would not count as a prediction.
    matrices = multi_class_confusion_matrix_metrics.multi_class_confusion_matrices(
        thresholds=[float("-inf")], name=f"_{name}_confusion_matrix", eval_config=eval_config, **keys
    )
    matrices_key = matrices[-1].keys[-1]
    key = metric_types.MetricKey(name=name, **keys)

    def result(metrics: dict) -> dict[metric_types.MetricKey, float]:
        (matrix,) = metrics[matrices_key].values()
        return {key: mean_per_class_accuracy(matrix)}

    return [*matrices, metric_types.DerivedMetricComputation(keys=[key], result=result)]


def mean_per_class_accuracy(matrix: dict[tuple[int, int], float]) -> float:
    """Returns the mean over classes of correct / examples.

    Args:
      matrix: weighted number of examples by (actual class, predicted class); classes without examples may be absent.
    """
    examples: dict[int, float] = collections.defaultdict(float)
    correct: dict[int, float] = collections.defaultdict(float)
    for (actual, predicted), weight in matrix.items():
        examples[actual] += weight
        correct[actual] += weight * (actual == predicted)
    accuracies = [correct[label] / examples[label] for label in sorted(examples) if examples[label] > 0]
    return sum(accuracies) / len(accuracies) if accuracies else float("nan")
