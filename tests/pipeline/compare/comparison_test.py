"""Each arm against the reference."""

import dataclasses

import numpy as np
import pytest

from pipeline.compare import statistics, verdict
from pipeline.compare.comparison import compare_arms

IMAGES = 200


@pytest.fixture
def make(make_result, write_predictions, tmp_path):
    """Makes a result with predictions: right on all test images but the given ones."""

    def make(arm, wrong, evaluation=0.5, *, test_images=IMAGES, labels=None, **fields):
        right = np.ones(test_images)
        right[list(wrong)] = 0
        classes = np.zeros(test_images, int) if labels is None else np.asarray(labels)
        result = make_result(arm, 0.0, evaluation, **fields)
        metrics = {
            ("eval", "accuracy"): evaluation,
            ("eval", "mean_per_class_accuracy"): evaluation,
            ("test", "accuracy"): right.mean(),
            ("test", "mean_per_class_accuracy"): np.mean([right[classes == c].mean() for c in np.unique(classes)]),
        }
        result = dataclasses.replace(result, metrics=metrics)
        write_predictions(tmp_path, result.cell, right, labels)
        return result

    return make


def differ(arm, reference, images=IMAGES):
    """Returns [seeds, images], the differences of correctness, from the images on which each seed is wrong."""
    rows = np.zeros((len(arm), images))
    for row, wrong, wrong_reference in zip(rows, arm, reference, strict=True):
        row[list(wrong)] -= 1
        row[list(wrong_reference)] += 1
    return rows


WRONG = {
    "entire_source": [range(0, 60), range(3, 70), range(1, 62)],
    "same_distribution": [range(20, 40), range(25, 48), range(18, 41)],
    "random_init": [range(0, 90), range(5, 99), range(2, 95)],
}


def test_differences_are_those_of_the_aligned_predictions(make, tmp_path):
    results = [make(arm, wrong, seed=seed) for arm, seeds in WRONG.items() for seed, wrong in enumerate(seeds)]
    outcome = compare_arms(results, tmp_path)
    target = outcome.targets["digits"]
    expected = {
        name: statistics.compare(differ(WRONG[name], WRONG["entire_source"]))
        for name in ("same_distribution", "random_init")
    }
    assert {name: found.comparison for name, found in target.compared.items()} == expected
    assert [found.verdict for found in target.compared.values()] == verdict.judge(list(expected.values()))
    assert [found.verdict.kind for found in target.compared.values()] == ["better", "worse"]
    better = expected["same_distribution"]
    assert str(target.compared["same_distribution"]) == (
        f"+20.3 points [{100 * better.low:.1f}, {100 * better.high:.1f}] over entire_source: better"
    )
    assert target.compared["random_init"].seeds == (0, 1, 2)
    assert target.arms["same_distribution"].value == pytest.approx(1 - (20 + 23 + 23) / 600)
    assert (outcome.mean, outcome.notes) == ({}, ())


def test_classes_weigh_the_same_in_the_mean_per_class(make, tmp_path):
    labels = [0] * 150 + [1] * 50
    results = [
        make(arm, wrong, seed=seed, labels=labels) for arm, seeds in WRONG.items() for seed, wrong in enumerate(seeds)
    ]
    outcome = compare_arms(results, tmp_path, metric="mean_per_class_accuracy")
    expected = statistics.compare(differ(WRONG["random_init"], WRONG["entire_source"]), np.array(labels))
    assert outcome.targets["digits"].compared["random_init"].comparison == expected
    assert expected.difference != statistics.compare(differ(WRONG["random_init"], WRONG["entire_source"])).difference


def test_common_seeds_are_compared_and_the_missing_ones_named(make, tmp_path):
    results = [make("entire_source", WRONG["entire_source"][seed], seed=seed) for seed in (2, 0)]
    results += [make("same_distribution", WRONG["same_distribution"][seed], seed=seed) for seed in (0, 1, 2)]
    results += [make("emd_subset", [1], seed=1)]
    outcome = compare_arms(results, tmp_path)
    found = outcome.targets["digits"].compared
    assert list(found) == ["same_distribution"]
    assert found["same_distribution"].seeds == (0, 2)
    assert found["same_distribution"].comparison == statistics.compare(
        differ(WRONG["same_distribution"][::2], WRONG["entire_source"][::2])
    )
    assert outcome.notes == (
        "digits, entire_source: seeds that are missing: 1; used: 0, 2",
        "digits, emd_subset: seeds that are missing: 0, 2; used: 1",
        "digits, emd_subset: has no seed in common with entire_source; not compared",
    )


def test_the_predictions_of_the_chosen_rate_are_compared(make, tmp_path):
    results = [
        make("entire_source", range(50), 0.5, seed=seed, learning_rate=rate) for seed in (0, 1) for rate in (0.1, 0.2)
    ]
    results += [make("emd_subset", range(30), 0.9, seed=seed, learning_rate=0.2) for seed in (0, 1)]
    results += [make("emd_subset", range(10), 0.8, seed=seed, learning_rate=0.1) for seed in (0, 1)]
    found = compare_arms(results, tmp_path).targets["digits"].compared["emd_subset"]
    assert found.comparison.difference == pytest.approx(0.1)


def test_the_mean_is_over_the_targets_that_all_have_the_arm(make, tmp_path):
    fewer = {"entire_source": [range(9), range(8)], "same_distribution": [range(4), range(6)]}
    results = [
        make(arm, wrong, seed=seed) for arm, seeds in WRONG.items() for seed, wrong in enumerate(seeds) if seed < 2
    ]
    results += [
        make(arm, wrong, seed=seed, target="pets", test_images=40)
        for arm, seeds in fewer.items()
        for seed, wrong in enumerate(seeds)
    ]
    outcome = compare_arms(results, tmp_path)
    parts = [
        statistics.compare(differ(WRONG["same_distribution"][:2], WRONG["entire_source"][:2])),
        statistics.compare(differ(fewer["same_distribution"], fewer["entire_source"], 40)),
    ]
    assert {name: found.comparison for name, found in outcome.mean.items()} == {
        "same_distribution": statistics.combine(parts)
    }
    assert outcome.mean["same_distribution"].comparison.difference == pytest.approx((42 / 200 + 3.5 / 40) / 2)
    assert outcome.notes == ("random_init: is in no mean over the targets, since not all of them have it",)


def test_budgets_are_arms_with_equal_steps_or_equal_images_in_all(make_result):
    results = [
        make_result("random_init"),
        make_result("entire_source"),
        make_result("same_distribution"),
        make_result("entire_source_total", matcher="", classifier_images=0, steps=1_750, images=224_000),
        make_result("entire_source_4x", matcher="", classifier_images=0, steps=1_200, images=153_600),
        make_result("source_classifier"),
    ]
    budgets = compare_arms(results, None).targets["digits"].budgets
    assert [(budget.kind, budget.amount, budget.arms) for budget in budgets] == [
        ("steps", 300, ("entire_source", "same_distribution")),
        ("total images", 224_000, ("entire_source_total", "same_distribution")),
    ]


def test_a_budget_has_a_reference_and_comparisons_of_its_own(make, tmp_path):
    results = [
        make(arm, wrong, seed=seed, **fields)
        for arm, seeds, fields in [
            ("entire_source", [range(60), range(66)], {}),
            ("same_distribution", [range(20), range(25)], {}),
            (
                "long",
                [range(10), range(13)],
                {"matcher": "", "classifier_images": 0, "images": 230_400, "steps": 1_800},
            ),
        ]
        for seed, wrong in enumerate(seeds)
    ]
    steps, total = compare_arms(results, tmp_path).targets["digits"].budgets
    assert (steps.reference, steps.arms) == ("entire_source", ("entire_source", "same_distribution"))
    assert (total.reference, total.arms) == ("long", ("long", "same_distribution"))
    assert total.compared["same_distribution"].comparison.difference == pytest.approx(-(10 + 12) / 400)
    assert total.compared["same_distribution"].reference == "long"


def test_the_best_is_chosen_on_eval_and_compared_with_what_is_cheaper(make, tmp_path):
    evals = {"entire_source": 0.7, "same_distribution": 0.9, "random_init": 0.6}
    results = [
        make(arm, wrong, evals[arm], seed=seed) for arm, seeds in WRONG.items() for seed, wrong in enumerate(seeds)
    ]
    wrong = [range(60, 110), range(61, 115), range(58, 108)]  # not the best on test
    results += [make("emd_subset", wrong[seed], 0.9, seed=seed, classifier_images=10) for seed in range(3)]
    target = compare_arms(results, tmp_path).targets["digits"]
    assert target.best == "emd_subset"  # as good on eval as same_distribution, with fewer images
    assert list(target.cheaper) == ["entire_source", "random_init"]
    assert target.cheaper["entire_source"].reference == "emd_subset"
    assert target.cheaper["entire_source"].comparison == statistics.compare(differ(WRONG["entire_source"], wrong))


def test_arms_that_are_compared_at_equal_steps_are_not_compared_again(make_result):
    results = [make_result("same_distribution"), make_result("elastic_distribution")]
    budgets = compare_arms(results, None, "same_distribution").targets["digits"].budgets
    assert [(budget.kind, budget.arms) for budget in budgets] == [
        ("steps", ("same_distribution", "elastic_distribution"))
    ]


def test_without_predictions_nothing_is_compared(make_result):
    outcome = compare_arms([make_result("entire_source", 0.4), make_result("emd_subset", 0.6)], None)
    target = outcome.targets["digits"]
    assert (target.compared, target.cheaper, outcome.mean) == ({}, {}, {})
    assert {name: arm.value for name, arm in target.arms.items()} == {"entire_source": 0.4, "emd_subset": 0.6}


def test_a_shared_classifier_is_told_unless_it_varies(make_result):
    results = [make_result(arm) for arm in ("entire_source", "warm_start", "source_classifier", "same_distribution")]
    (note,) = compare_arms(results, None).notes
    assert note.startswith(
        "warm_start, source_classifier: all seeds start from the same classifier, so that the spread"
    )
    assert compare_arms(results, None, varied_classifier=True).notes == ()


@pytest.mark.parametrize("varied", [True, False])
def test_a_published_network_is_shared_whatever_varies(make_result, varied):
    """Its own training has one seed. Both notes name their own arms."""
    started = {"published_finetune": "published", "knn": "published", "warm_start": "classifier"}
    results = [make_result("entire_source"), *(make_result(arm, start=start) for arm, start in started.items())]
    notes = compare_arms(results, None, varied_classifier=varied).notes
    assert notes[0].startswith("published_finetune, knn: all seeds start from the same published network, so that")
    assert [note.partition(":")[0] for note in notes[1:]] == ([] if varied else ["warm_start"])


def test_a_target_without_the_reference_is_told(make_result):
    outcome = compare_arms([make_result("entire_source"), make_result("emd_subset", target="pets")], None)
    assert outcome.notes == ("pets: has no result of entire_source; its arms are not compared",)


def test_errors_say_how_to_go_on(make, make_result, tmp_path):
    results = [make("entire_source", range(60)), make("emd_subset", range(50))]
    with pytest.raises(
        ValueError, match=r"reference: 'entire' is no arm with results.* choose one of entire_source, emd"
    ):
        compare_arms(results, tmp_path, "entire")
    stale = [results[0], dataclasses.replace(results[1], metrics={**results[1].metrics, ("test", "accuracy"): 0.8})]
    with pytest.raises(
        ValueError, match=r"emd_subset.*parquet: its accuracy is 0\.7500, but the results have 0\.8000; "
    ):
        compare_arms(stale, tmp_path)
    with pytest.raises(ValueError, match=r"random_init.*: not there; run `specialist compare` again"):
        compare_arms([*results, make_result("random_init")], tmp_path)
