"""The choice of the learning rates, and what an arm is worth and has cost."""

import dataclasses
import math

import numpy as np
import pytest
import scipy.stats

from pipeline.compare import arms


def test_the_rate_is_chosen_on_eval_by_the_mean_over_seeds(make_result):
    results = [
        make_result("same_distribution", 0.9, 0.6, seed=0, learning_rate=0.1),
        make_result("same_distribution", 0.8, 0.7, seed=1, learning_rate=0.1),
        # Better on test, and for the first seed on eval; but not in the mean on eval.
        make_result("same_distribution", 0.99, 0.65, seed=0, learning_rate=0.01),
        make_result("same_distribution", 0.99, 0.6, seed=1, learning_rate=0.01),
        make_result("entire_source", 0.7, 0.5, seed=1, learning_rate=0.1),
        make_result("entire_source", 0.5, 0.5, seed=0, learning_rate=0.1),
        make_result("entire_source", 0.6, 0.5, seed=0, learning_rate=0.01),
        make_result("entire_source", 0.4, 0.5, seed=1, learning_rate=0.01),
    ]
    selection = arms.select(results)
    assert selection.notes == ()
    assert list(selection.arms["digits"]) == ["same_distribution", "entire_source"]
    same, entire = selection.arms["digits"].values()
    assert (same.learning_rate, same.rates, same.seeds, same.values) == (0.1, (0.01, 0.1), (0, 1), (0.9, 0.8))
    assert same.value == pytest.approx(0.85)
    assert same.eval_value == pytest.approx(0.65)
    assert (entire.learning_rate, entire.seeds, entire.values) == (0.01, (0, 1), (0.6, 0.4))  # equal: the lowest


def test_a_pretraining_counts_once_and_a_finetuning_for_each_rate(make_result):
    results = [
        make_result("same_distribution", seed=0, learning_rate=0.1, seconds=31.0, finetune_seconds=6.0),
        make_result("same_distribution", seed=0, learning_rate=0.2, seconds=33.0, finetune_seconds=8.0),
        make_result("same_distribution", seed=1, learning_rate=0.1, seconds=40.0, finetune_seconds=10.0),
        make_result("same_distribution", seed=1, learning_rate=0.2, seconds=42.0, finetune_seconds=12.0),
    ]
    arm = arms.select(results).arms["digits"]["same_distribution"]
    assert arm.seconds == ((25 + 6 + 8) + (30 + 10 + 12)) / 2
    assert (arm.images, arm.classifier_images, arm.total_images) == (38_400, 192_000, 230_400)
    assert arm.total_seconds == arm.seconds + 140


def test_all_arms_choose_from_the_same_rates(make_result):
    results = [
        make_result("same_distribution", 0.9, 0.9, learning_rate=1.0),
        make_result("same_distribution", 0.8, 0.7, learning_rate=0.1),
        make_result("same_distribution", 0.7, 0.8, learning_rate=0.3),
        make_result("entire_source", learning_rate=0.1),
        make_result("entire_source", learning_rate=0.3),
    ]
    selection = arms.select(results)
    assert selection.arms["digits"]["same_distribution"].rates == (0.1, 0.3)
    assert selection.arms["digits"]["same_distribution"].learning_rate == 0.3
    assert selection.notes == (
        "digits, same_distribution: the learning rates 1 are not used, since not all arms have them",
    )


def test_arms_without_a_common_rate_choose_from_theirs(make_result):
    selection = arms.select(
        [make_result("same_distribution", learning_rate=1.0), make_result("entire_source", learning_rate=0.5)]
    )
    assert [arm.learning_rate for arm in selection.arms["digits"].values()] == [1.0, 0.5]
    assert selection.notes == (
        "digits, same_distribution: chosen from the learning rates 1; the other arms had others",
        "digits, entire_source: chosen from the learning rates 0.5; the other arms had others",
    )


def test_what_is_incomplete_is_named(make_result):
    results = [
        *(make_result("entire_source", seed=seed, learning_rate=rate) for seed in range(3) for rate in (0.1, 0.2)),
        *(make_result("same_distribution", seed=0, learning_rate=rate) for rate in (0.1, 0.2)),
        make_result("same_distribution", seed=1, learning_rate=0.2),
        make_result("emd_subset", seed=0, learning_rate=0.1),
        make_result("emd_subset", seed=1, learning_rate=0.2),
    ]
    selection = arms.select(results)
    assert {name: arm.seeds for name, arm in selection.arms["digits"].items()} == {
        "entire_source": (0, 1, 2),
        "same_distribution": (0,),
    }
    assert selection.notes == (
        "digits, same_distribution: seeds that are missing: 1, 2; used: 0",
        "digits, emd_subset: is not used, since no seed has all of the learning rates 0.1, 0.2",
    )


def test_shots_are_apart(make_result):
    results = [make_result("same_distribution", 0.1 * shots, shots=shots) for shots in (5, 2)]
    results.append(make_result("same_distribution", 0.9))
    assert arms.list_shots(results) == [2, 5, None]
    assert arms.select(results).arms["digits"]["same_distribution"].value == 0.9
    assert arms.select(results, shots=5).arms["digits"]["same_distribution"].value == 0.5
    with pytest.raises(ValueError, match="shots: no result with 7 images a class; there are some with 2, 5, all"):
        arms.select(results, shots=7)


def test_targets_are_apart_and_one_without_a_test_split_reports_eval(make_result):
    selection = arms.select([make_result("emd_subset", 0.3), make_result("emd_subset", None, 0.4, target="pets")])
    assert [(target, arm["emd_subset"].split, arm["emd_subset"].value) for target, arm in selection.arms.items()] == [
        ("digits", "test", 0.3),
        ("pets", "eval", 0.4),
    ]
    assert selection.notes == (
        "pets: has no test split; eval is reported, which also chose the learning rates, so that the values are a "
        "little too high",
    )


def test_the_half_width_is_that_of_a_t_interval():
    values = [0.5, 0.7, 0.9]
    low, _ = scipy.stats.t.interval(0.95, 2, np.mean(values), scipy.stats.sem(values))
    assert arms.find_half_width(values) == pytest.approx(0.7 - low)
    assert math.isnan(arms.find_half_width([0.5]))


def test_results_that_do_not_fit_are_an_error(make_result):
    result = make_result("entire_source")
    with pytest.raises(ValueError, match="metric: 'top_5'; must be one of accuracy, mean_per_class_accuracy"):
        arms.select([result], "top_5")
    with pytest.raises(ValueError, match="there are some with none at all"):
        arms.select([])
    with pytest.raises(ValueError, match="results: of the backbones compact_cnn, resnet; give those of one"):
        arms.select([result, make_result("emd_subset", backbone="resnet")])
    unfinished = make_result("emd_subset", None)
    with pytest.raises(ValueError, match=r"results: that of digits, emd_subset, .* has no accuracy on test; run"):
        arms.select([result, unfinished])
    diverged = dataclasses.replace(result, metrics={**result.metrics, ("eval", "accuracy"): math.nan})
    with pytest.raises(ValueError, match=r"has no accuracy on eval"):
        arms.select([diverged])
