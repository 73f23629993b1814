"""What a report suggests to do next, and what it would cost."""

import pathlib

import pytest

from pipeline.compare import matrix
from pipeline.compare.comparison import compare_arms
from pipeline.compare.rows import Cell, Result
from pipeline.config.load import load
from pipeline.report import steps

DEMO = pathlib.Path(__file__).parents[3] / "pipeline" / "configs" / "demo.yaml"
LOOKED_FOR = ["near_duplicates.enabled=true"]
NAMES = ["entire_source", "same_distribution", "entire_source_total", "source_classifier"]
# arm → its own images, the classifier's, seconds of its pre-training and of the classifier
COSTS = {
    "entire_source": (1_000, 0, 10.0, 0.0),
    "same_distribution": (1_000, 4_000, 12.0, 50.0),
    "uniform_subsample": (1_000, 0, 11.0, 0.0),
}


def configure(*overrides: str):
    recipes = ["pretrain.steps=100", "pretrain.batch_size=10", "classifier.steps=400", "classifier.batch_size=10"]
    return load(str(DEMO), [*recipes, *overrides])


def compare(*names: str, best: str = "same_distribution", factor: float = 1.0):
    """Returns how arms with one seed compare, of which each fine-tuning took 3 seconds times `factor`."""
    results = []
    for name in names:
        images, classifier, took, classifier_took = COSTS[name]
        value = 0.9 if name == best else 0.8
        metrics = {("eval", "accuracy"): value, ("test", "accuracy"): value}
        times = [factor * each for each in (took + 3.0, 3.0, classifier_took)]
        cell = Cell("digits", name, 0, None, 0.1)
        results.append(Result(cell, "compact_cnn", "", "random", 0, 100, images, classifier, *times, "", metrics))
    return compare_arms(results, None, names[0])


def suggest(config, outcome, *, kind: str = "run", served: str | None = None, missing: bool = False):
    return steps.suggest_steps(config, "digits", outcome, kind=kind, served=served, missing=missing)


def test_without_a_result():
    config = configure(*LOOKED_FOR)
    assert [step.command for step in suggest(config, None, missing=True)] == ["specialist run CONFIG"]
    assert suggest(config, None, kind="comparison") == []
    (step,) = suggest(config, None, served="s/digits/1")
    assert step.command == "specialist predict s/digits/1 IMAGE.png"


@pytest.mark.parametrize(("kind", "again"), [("run", "run"), ("comparison", "compare")])
def test_near_duplicates_are_looked_for_before_arms_are_compared(kind, again):
    outcome = compare("entire_source", "same_distribution")
    found = suggest(configure("near_duplicates.enabled=false"), outcome, kind=kind)
    assert "`near_duplicates.enabled: true`" in found[0].text and found[0].command == f"specialist {again} CONFIG"
    assert all("near_duplicates" not in step.text for step in suggest(configure(*LOOKED_FOR), outcome, kind=kind))


def test_unequal_budgets_are_settled_by_the_arms_that_lack():
    config = configure(*LOOKED_FOR, "compare.seeds=4")
    (step,) = suggest(config, compare("entire_source", "same_distribution"))
    assert step.command == f"specialist compare CONFIG --arms {','.join(NAMES)} --seeds 4"
    assert step.seconds == steps.estimate_seconds(
        config, compare("entire_source", "same_distribution").targets["digits"], NAMES, 4
    )
    listed = matrix.list_cells(configure(*LOOKED_FOR, f"compare.arms=[{','.join(NAMES)}]", "compare.seeds=4"))
    assert {cell.arm for cell in listed.cells} == set(NAMES)  # the command can be run
    # Without an arm that needs the classifier the budgets are equal.
    (step,) = suggest(config, compare("entire_source", "uniform_subsample", best="uniform_subsample"))
    assert step.command == "specialist compare CONFIG --seeds 4"


def test_arms_that_are_there_are_not_suggested_again():
    found = compare("entire_source", "same_distribution").targets["digits"]
    assert steps.list_equal_budgets(configure(), found, "entire_source") == NAMES[2:]
    found.arms["source_classifier"] = found.arms["entire_source"]
    assert steps.list_equal_budgets(configure(), found, "entire_source") == ["entire_source_total"]
    assert steps.list_equal_budgets(configure(), found, "random_init") == []  # nothing to compare with


def test_the_cost_of_a_comparison():
    found = compare("entire_source", "same_distribution").targets["digits"]
    fixed, varied = configure("compare.vary=[]"), configure("compare.vary=[classifier]")
    trained = 2 * (7_000 * 0.011 + 4 * 3.0)  # entire_source_total sees 5,000 images; 22 s are for 2,000
    assert steps.estimate_seconds(fixed, found, NAMES, 2) == pytest.approx(trained + 50)
    assert steps.estimate_seconds(varied, found, NAMES, 2) == pytest.approx(trained + 100)
    few = configure("compare.vary=[]", "compare.shots=[5]", "compare.learning_rates=[0.1,0.2,0.3]")
    assert steps.estimate_seconds(few, found, NAMES[:1], 2) == pytest.approx(2 * (11 + 6 * 3.0))


def test_the_cost_of_a_comparison_is_not_known():
    unknown = compare("entire_source", "same_distribution", factor=0.0).targets["digits"]
    assert steps.estimate_seconds(configure(), unknown, ["entire_source"], 2) is None
    found = compare("entire_source", "uniform_subsample").targets["digits"]
    assert steps.estimate_seconds(configure(), found, ["same_distribution"], 2) is None  # no classifier was trained
    assert steps.estimate_seconds(configure(), found, ["entire_source"], 2) is not None


@pytest.mark.parametrize(("kind", "served"), [("run", "serving/1"), ("comparison", None)])
def test_four_steps_at_most(kind, served):
    config = configure("near_duplicates.enabled=false", "targets.digits.push=entire_source")
    found = suggest(config, compare("entire_source", "same_distribution"), kind=kind, served=served, missing=True)
    assert len(found) == 4 and len({step.text for step in found}) == 4
