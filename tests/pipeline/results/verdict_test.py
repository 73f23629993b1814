"""Why a model was not pushed, in numbers."""

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline.config.sections import Evaluation
from pipeline.results import verdict

MINIMUM = "accuracy 0.667 < 0.95 (minimum)"
REGRESSION = "accuracy 0.667 against 0.934 of version 17: drop of 0.267 > 0.02 (max_regression)"


@pytest.mark.parametrize(
    ("baseline", "minimum", "expected"),
    [
        (None, 0.95, MINIMUM),
        (0.934, 0.5, REGRESSION),
        (0.934, 0.95, f"{MINIMUM}; {REGRESSION}"),
        (0.68, 0.95, MINIMUM),
        (0.68, 0.5, "accuracy 0.667"),
    ],
    ids=["no baseline", "worse", "both", "a little worse", "neither"],
)
def test_each_threshold_that_is_missed_is_told_with_its_numbers(baseline, minimum, expected):
    settings = Evaluation(minimum=minimum, max_regression=0.02)
    assert verdict.describe_misses(2 / 3, baseline, "version 17", settings) == expected


def test_a_near_miss_has_the_digits_that_show_it():
    settings = Evaluation(minimum=0.95, max_regression=0.02)
    assert verdict.describe_misses(0.94963, None, "", settings) == "accuracy 0.9496 < 0.95 (minimum)"
    settings = Evaluation(max_regression=0.02)
    text = "accuracy 0.880 against 0.900 of version 1: drop of 0.0203 > 0.02 (max_regression)"
    assert verdict.describe_misses(0.8797, 0.9, "version 1", settings) == text


def test_what_is_not_known_to_be_blessed_is_not_said_to_miss_a_threshold(tmp_path):
    outputs = {key: [mlmd.Artifact(uri=str(tmp_path / key))] for key in ("blessing", "evaluation")}  # no metadata
    assert verdict.judge(outputs, str(tmp_path / "serving"), Evaluation()) == verdict.Verdict()
