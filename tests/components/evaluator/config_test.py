import pytest
from tensorflow_model_analysis.proto import config_pb2

from components.evaluator import config


def thresholds(eval_config: config_pb2.EvalConfig) -> dict[str, config_pb2.MetricThreshold]:
    (spec,) = eval_config.metrics_specs
    return {metric.config: metric.threshold for metric in spec.metrics if metric.HasField("threshold")}


@pytest.mark.parametrize("metric", ["accuracy", "mean_per_class_accuracy", "f1_macro", "cohen_kappa", "matthews"])
def test_both_thresholds_are_on_the_chosen_metric_only(metric):
    ((name, threshold),) = thresholds(
        config.eval_config(metric=metric, min_accuracy=0.5, min_improvement=-0.25)
    ).items()
    assert name == f'{{"name": "{metric}"}}'
    assert threshold.value_threshold.lower_bound.value == pytest.approx(0.5, abs=1e-5)
    assert not threshold.value_threshold.HasField("upper_bound")
    assert threshold.change_threshold.absolute.value == pytest.approx(-0.25, abs=1e-5)
    assert threshold.change_threshold.direction == config_pb2.MetricDirection.HIGHER_IS_BETTER


def test_no_comparison():
    (threshold,) = thresholds(config.eval_config(min_accuracy=0.5, min_improvement=None)).values()
    assert not threshold.HasField("change_threshold")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metric": "top_5_accuracy", "min_accuracy": 0.5}, "metric.*top_5_accuracy.*mean_per_class_accuracy"),
        ({"min_accuracy": 95}, "min_accuracy.*95.*0 to 1"),
        ({"min_accuracy": -0.1}, "min_accuracy"),
        ({"min_accuracy": float("nan")}, "min_accuracy"),
        ({"min_accuracy": 0.5, "min_improvement": 2}, "min_improvement.*2.*-1 to 1"),
        ({"min_accuracy": 0.5, "min_improvement": -1.5}, "min_improvement"),
    ],
)
def test_arguments_that_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        config.eval_config(**arguments)


def test_a_folder_without_metrics_is_refused(tmp_path):
    with pytest.raises(ValueError, match="evaluation_dir"):
        config.read_metrics(str(tmp_path))
