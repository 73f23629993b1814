"""What a report says of arms besides their results."""

import pathlib

import pytest

from components.transfer_report import block
from pipeline.compare.comparison import compare_arms
from pipeline.compare.rows import Cell, Result
from pipeline.config.arms import DESCRIPTIONS, PRESETS
from pipeline.config.load import load
from pipeline.report import arms

DEMO = pathlib.Path(__file__).parents[3] / "pipeline" / "configs" / "demo.yaml"
NAMES = ["entire_source", "entire_source_2x", "same_distribution", "weighted_loss", "random_init", "own"]


@pytest.fixture(scope="module")
def config():
    return load(str(DEMO), ["arms.own={matcher: same_distribution, n: 500, start: classifier}", "resample.n=300"])


def describe(config, known: arms.Known) -> dict[str, tuple[int | None, str]]:
    found = arms.describe_arms(config, "digits", NAMES, None, known)
    return {arm.name: (arm.pool, arm.pool_kind) for arm in found}


def test_the_pool_is_what_the_pretraining_could_draw_from(config):
    source = block.Source({"train": 1_000, "eval": 50}, 7, excluded={"train": 4, "eval": 1})
    samples = {"same_distribution": block.Achieved(examples=290)}  # fewer than were asked for
    assert describe(config, arms.Known(source, samples)) == {
        "entire_source": (996, "source"),
        "entire_source_2x": (996, "source"),
        "same_distribution": (290, "sample"),
        "weighted_loss": (996, "source"),
        "random_init": (None, ""),
        "own": (500, "sample"),
    }


def test_what_is_not_known_of_the_pool(config):
    found = describe(config, arms.Known())
    assert found["entire_source"] == (None, "source") and found["same_distribution"] == (300, "sample")


def test_each_preset_is_described():
    assert DESCRIPTIONS.keys() == PRESETS.keys()


def test_own_arms_are_described_by_their_matcher(config):
    assert arms.describe_arm(config, "entire_source") == DESCRIPTIONS["entire_source"]
    own = arms.describe_arm(config, "own")
    assert own.startswith(DESCRIPTIONS["same_distribution"]) and "source classifier" in own.removeprefix(
        DESCRIPTIONS["same_distribution"]
    )


def test_what_the_pushed_model_has_to_reach():
    def describe_of(outcome, passed, *overrides):
        return arms.describe_criterion(load(str(DEMO), list(overrides)), "digits", outcome, passed)

    results = [
        Result(
            Cell("digits", name, 0, None, 0.1),
            *("compact_cnn", "", "random", 0, 1, 1, 0, 1.0, 1.0, 0.0, ""),
            {("eval", "accuracy"): value, ("test", "accuracy"): 0.5},
        )
        for name, value in (("entire_source", 0.75), ("same_distribution", 0.875))
    ]
    outcome = compare_arms(results, None, "entire_source")
    push = "targets.digits.push=entire_source"
    assert describe_of(outcome, True, push, "targets.digits.evaluation.minimum=0.625") == block.Criterion(
        "accuracy", 0.625, 0.75, True
    )
    other = describe_of(outcome, False, push, "targets.digits.evaluation.metric=f1_macro")
    assert (other.metric, other.value, other.passed) == ("f1_macro", None, False)  # the results lack it
    assert describe_of(None, None, push).value is None
    assert describe_of(outcome, True, "targets.digits.push=null") is None


def test_no_interval_of_an_accuracy_leaves_what_accuracies_can_be(config):
    results = [
        Result(
            Cell("digits", arm, seed, None, 0.1),
            "cnn",
            "",
            "random",
            9,
            9,
            9,
            0,
            1.0,
            1.0,
            0.0,
            "",
            {(split, "accuracy"): value for split in ("eval", "test")},
        )
        for arm, values in {"entire_source": (0.9, 0.98), "random_init": (0.02, 0.1)}.items()
        for seed, value in enumerate(values)
    ]
    outcome = compare_arms(results, None, "entire_source")
    high, low = arms.describe_arms(config, "digits", ["entire_source", "random_init"], outcome, arms.Known())
    assert high.high == 1.0 and 0.0 < high.low < 0.9
    assert low.low == 0.0 and 0.1 < low.high < 1.0
