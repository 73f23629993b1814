import math
import pathlib

import pytest
from sklearn import metrics as reference
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import json_utils, proto_utils

import components
from components import code_version
from components.evaluator import config, executor

# Ten examples: five, three and two of the classes 0, 1 and 2; none of the classes 3 to 6.
# By its full name, which every Beam version knows.
RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
LABELS = [0, 0, 0, 0, 0, 1, 1, 1, 2, 2]
BY_RANK = [0.4, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03]
RANKS = [0, 0, 0, 0, 1, 0, 2, 5, 0, 6]  # six right, eight among the top five
ACCURACY, MEAN_PER_CLASS = 0.6, (4 / 5 + 1 / 3 + 1 / 2) / 3
ONE_BETTER = [0, 0, 0, 0, 0, 0, 2, 5, 0, 6]
ONE_WORSE = [0, 0, 0, 1, 1, 0, 2, 5, 0, 6]


class Evaluation:
    """TFX's executor on Examples and models that are written for it."""

    def __init__(self, root: pathlib.Path, write_examples, write_model):
        self.root = root
        self._write_model = write_model
        self.examples = standard_artifacts.Examples()
        self.examples.uri = str(root / "examples")
        self.examples.split_names = artifact_utils.encode_split_names(["train", "eval"])
        self.examples.set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")
        write_examples(self.examples.uri, "eval", LABELS)
        write_examples(self.examples.uri, "train", [6])  # of no class of eval: it would show in every metric

    def model(self, name: str, ranks: list[int], by_rank: list[float] = BY_RANK) -> types.Artifact:
        model = standard_artifacts.Model()
        model.uri = str(self.root / name)
        self._write_model(model.uri, LABELS, ranks, by_rank)
        return model

    def __call__(self, ranks, by_rank=BY_RANK, baseline=None, **thresholds) -> tuple[dict[str, float], bool]:
        """Returns the metrics and the verdict."""
        inputs = {"examples": [self.examples], "model": [self.model("candidate", ranks, by_rank)]}
        inputs["baseline_model"] = [] if baseline is None else [self.model("baseline", baseline)]
        evaluation, blessing = standard_artifacts.ModelEvaluation(), standard_artifacts.ModelBlessing()
        evaluation.uri, blessing.uri = str(self.root / "evaluation"), str(self.root / "blessing")
        context = base_beam_executor.BaseBeamExecutor.Context(
            beam_pipeline_args=[f"--runner={RUNNER}"], tmp_dir=str(self.root / "tmp"), unique_id="1"
        )
        executor.Executor(context).Do(
            inputs,
            {"evaluation": [evaluation], "blessing": [blessing]},
            {
                "eval_config": proto_utils.proto_to_json(config.eval_config(**thresholds)),
                "example_splits": json_utils.dumps(["eval"]),
                "fairness_indicator_thresholds": "null",
            },
        )
        return config.read_metrics(evaluation.uri), blessing.get_int_custom_property("blessed") == 1


@pytest.fixture
def evaluation(tmp_path, write_examples, write_model) -> Evaluation:
    return Evaluation(tmp_path, write_examples, write_model)


def test_metrics_are_exact_and_a_value_on_the_threshold_is_blessed(evaluation):
    metrics, blessed = evaluation(RANKS, min_accuracy=ACCURACY)
    # The first other class has the highest probability where the right one has not.
    predicted = [label if rank == 0 else int(label == 0) for label, rank in zip(LABELS, RANKS, strict=True)]
    assert metrics == {
        "accuracy": pytest.approx(ACCURACY, abs=1e-6),
        "top_5_accuracy": pytest.approx(0.8, abs=1e-6),
        "cross_entropy": pytest.approx(-sum(math.log(BY_RANK[rank]) for rank in RANKS) / 10, abs=1e-5),
        "mean_per_class_accuracy": pytest.approx(MEAN_PER_CLASS, abs=1e-9),
        "f1_macro": pytest.approx(reference.f1_score(LABELS, predicted, average="macro"), abs=1e-9),
        "cohen_kappa": pytest.approx(reference.cohen_kappa_score(LABELS, predicted), abs=1e-9),
        "matthews": pytest.approx(reference.matthews_corrcoef(LABELS, predicted), abs=1e-9),
        "example_count": 10,
    }
    assert blessed


def test_below_the_threshold_is_not_blessed(evaluation):
    _, blessed = evaluation(RANKS, min_accuracy=ACCURACY + 0.001)
    assert not blessed


def test_a_threshold_on_mean_per_class_accuracy(evaluation):
    # The accuracy of 0.6 would pass, the mean of 0.54 does not.
    _, blessed = evaluation(RANKS, metric="mean_per_class_accuracy", min_accuracy=0.55)
    assert not blessed


def test_nine_out_of_ten_meets_a_threshold_of_nine_tenths(evaluation):
    _, blessed = evaluation([0, 0, 0, 0, 0, 0, 0, 0, 0, 1], min_accuracy=0.9)
    assert blessed


@pytest.mark.parametrize(
    ("baseline", "min_improvement", "expected"),
    [
        (ONE_BETTER, 0.0, False),
        (ONE_BETTER, -0.1, True),
        (ONE_BETTER, None, True),
        (RANKS, 0.0, True),
        (ONE_WORSE, 0.1, True),
        (ONE_WORSE, 0.11, False),
    ],
)
def test_against_a_baseline(evaluation, baseline, min_improvement, expected):
    metrics, blessed = evaluation(RANKS, baseline=baseline, min_accuracy=0.5, min_improvement=min_improvement)
    assert blessed is expected
    assert metrics["accuracy"] == pytest.approx(ACCURACY, abs=1e-6)  # the candidate's, not the baseline's
    assert metrics["example_count"] == 10
    found = config.read_metrics(str(evaluation.root / "evaluation"), of_baseline=True)
    assert found["accuracy"] == pytest.approx(baseline.count(0) / 10)


def test_the_value_threshold_holds_however_bad_the_baseline(evaluation):
    _, blessed = evaluation(RANKS, baseline=ONE_WORSE, min_accuracy=0.65)
    assert not blessed


def test_fewer_classes_than_five(evaluation):
    metrics, _ = evaluation([0, 0, 0, 0, 1, 0, 2, 2, 0, 1], by_rank=[0.5, 0.3, 0.2], min_accuracy=0.5)
    assert metrics["top_5_accuracy"] == 1
    assert metrics["accuracy"] == pytest.approx(0.6, abs=1e-6)
    assert metrics["mean_per_class_accuracy"] == pytest.approx(MEAN_PER_CLASS, abs=1e-9)


def component(**changes) -> components.Evaluator:
    arguments = {
        "examples": types.Channel(type=standard_artifacts.Examples),
        "model": types.Channel(type=standard_artifacts.Model),
        "eval_config": config.eval_config(min_accuracy=0.5),
    }
    return components.Evaluator(**{**arguments, **changes})


def test_the_component_is_keyed_on_the_metrics_code():
    evaluator = component()
    assert evaluator.exec_properties["code_version"] == code_version.code_version(
        "components.evaluator.metrics", "components.evaluator.executor"
    )
    assert evaluator.executor_spec.executor_class is executor.Executor
    assert set(evaluator.inputs) == {"examples", "model"}
    assert set(evaluator.outputs) == {"evaluation", "blessing"}
    assert json_utils.loads(evaluator.exec_properties["example_splits"]) == ["eval"]


def test_no_splits_are_refused():
    with pytest.raises(ValueError, match="splits"):
        component(splits=())
