import apache_beam as beam
import numpy as np
from apache_beam.testing import util
from tensorflow_model_analysis.metrics import metric_specs, metric_types
from tensorflow_model_analysis.proto import config_pb2

from components.evaluator import metrics

# Five, three and two examples, and none of class 3, which is predicted once all the same.
LABELS_AND_PREDICTIONS = [(0, 0)] * 4 + [(0, 1)] + [(1, 1), (1, 0), (1, 3)] + [(2, 2), (2, 0)]
# By its full name, which every Beam version knows.
RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"

MEAN = (4 / 5 + 1 / 3 + 1 / 2) / 3
# Of 10, 6 are right; 5, 3, 2 and 0 are of each class, and 7, 2, 1 and 1 are predicted.
VALUES = {
    "mean_per_class_accuracy": MEAN,
    "f1_macro": (8 / 11 + 2 / 5 + 2 / 3 + 0) / 4,
    "cohen_kappa": (0.6 - 0.38) / (1 - 0.38),
    "matthews": (60 - 38) / ((100 - 38) * (100 - 42)) ** 0.5,
}


def computations(class_name: str = "MeanPerClassAccuracy", module: str = "components.evaluator.metrics"):
    """Returns the combiner and the derived computation that TFMA makes of a MetricConfig."""
    metric = config_pb2.MetricConfig(class_name=class_name, module=module)
    config = config_pb2.EvalConfig(
        model_specs=[config_pb2.ModelSpec()], metrics_specs=[config_pb2.MetricsSpec(metrics=[metric])]
    )
    combined, derived = metric_specs.to_computations(config.metrics_specs, config)
    return combined.combiner, derived


def to_inputs(label: int, probabilities: list[float]) -> metric_types.StandardMetricInputs:
    return metric_types.StandardMetricInputs(
        labels=np.array([label]), predictions=np.array(probabilities), example_weights=np.array([1.0])
    )


def test_in_tfma_the_top_class_counts_however_small_its_probability():
    # The top class has 0.3, below TFMA's default threshold.
    inputs = [
        to_inputs(label, [0.3 if index == predicted else 0.175 for index in range(5)])
        for label, predicted in LABELS_AND_PREDICTIONS
    ]
    with beam.Pipeline(RUNNER) as pipeline:
        created = pipeline | beam.Create(inputs)
        for name, metric in metrics.OF_CONFUSION_MATRIX.items():
            combiner, derived = computations(metric.__name__)
            found = (
                created
                | f"combine {name}" >> beam.CombineGlobally(combiner)
                | f"derive {name}" >> beam.FlatMap(lambda values, derived=derived: derived.result(values).items())
                | f"name {name}" >> beam.MapTuple(lambda key, value: (key.name, round(value, 12)))
            )
            util.assert_that(found, util.equal_to([(name, round(VALUES[name], 12))]), f"check {name}")


def test_all_zero_predictions_are_predictions():
    combiner, derived = computations()
    accumulator = combiner.create_accumulator()
    for label in (0, 1, 1):
        accumulator = combiner.add_input(accumulator, to_inputs(label, [0.0, 0.0]))
    assert list(derived.result(combiner.extract_output(accumulator)).values()) == [0.5]


def test_it_is_registered_by_name_too():
    combiner, _ = computations(module="")
    assert combiner is not None
