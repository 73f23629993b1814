"""By what the arms of a target are compared."""

import pathlib

import pytest

import pipeline
from pipeline.compare.results import metric_of
from pipeline.config.load import load

DEMO = str(pathlib.Path(pipeline.__file__).parent / "configs" / "demo.yaml")


@pytest.mark.parametrize(
    ("metric", "compared"),
    [("mean_per_class_accuracy", "mean_per_class_accuracy"), ("accuracy", "accuracy"), ("f1_macro", "accuracy")],
)
def test_the_metric_of_the_evaluation_where_arms_have_it(metric, compared):
    config = load(DEMO, [f"targets.digits.evaluation.metric={metric}"])
    assert metric_of(config, "digits") == compared
