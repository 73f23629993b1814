"""The metrics of `components.evaluator.confusion` for TFMA.

Labels are class indices, one an example. Predictions are [K] values of any scale, of which the largest counts.
"""

from collections.abc import Callable

from tensorflow_model_analysis.metrics import metric_types, metric_util, multi_class_confusion_matrix_metrics
from tensorflow_model_analysis.proto import config_pb2

from components.evaluator import confusion


class _OfConfusionMatrix(metric_types.Metric):
    def __init__(self, compute: Callable[[confusion.Matrix], float], name: str):
        def computations(
            name: str,
            eval_config: config_pb2.EvalConfig | None = None,
            model_name: str = "",
            output_name: str = "",
            example_weighted: bool = False,
        ) -> metric_types.MetricComputations:
            keys = {"model_name": model_name, "output_name": output_name, "example_weighted": example_weighted}
            # With TFMA's default threshold of 0.5, a most probable class below one half would be no prediction.
            matrices = multi_class_confusion_matrix_metrics.multi_class_confusion_matrices(
                thresholds=[float("-inf")], name=f"_{name}_confusion_matrix", eval_config=eval_config, **keys
            )
            matrices_key = matrices[-1].keys[-1]
            key = metric_types.MetricKey(name=name, **keys)

            def result(metrics: dict) -> dict[metric_types.MetricKey, float]:
                (matrix,) = metrics[matrices_key].values()
                return {key: compute(matrix)}

            return [*matrices, metric_types.DerivedMetricComputation(keys=[key], result=result)]

        super().__init__(metric_util.merge_per_key_computations(computations), name=name)


class MeanPerClassAccuracy(_OfConfusionMatrix):
    """The mean of the classes' accuracies. Rare classes count as much as frequent ones."""

    def __init__(self, name: str = "mean_per_class_accuracy"):
        super().__init__(confusion.mean_per_class_accuracy, name)


class F1Macro(_OfConfusionMatrix):
    """The mean of the classes' F1 scores."""

    def __init__(self, name: str = "f1_macro"):
        super().__init__(confusion.f1_macro, name)


class CohenKappa(_OfConfusionMatrix):
    """Cohen's κ: by how much the accuracy exceeds that of a guess."""

    def __init__(self, name: str = "cohen_kappa"):
        super().__init__(confusion.cohen_kappa, name)


class Matthews(_OfConfusionMatrix):
    """The correlation of actual and predicted classes."""

    def __init__(self, name: str = "matthews"):
        super().__init__(confusion.matthews, name)


OF_CONFUSION_MATRIX = {
    "mean_per_class_accuracy": MeanPerClassAccuracy,
    "f1_macro": F1Macro,
    "cohen_kappa": CohenKappa,
    "matthews": Matthews,
}
for metric in OF_CONFUSION_MATRIX.values():
    metric_types.register_metric(metric)
