"""uniform_labels and reversed_weights."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from components.importance_resampler import quotas
from components.importance_resampler.matchers.reversed_weights import reversed_weights
from components.importance_resampler.matchers.same_distribution import same_distribution
from components.importance_resampler.matchers.top_labels import select_labels
from components.importance_resampler.matchers.uniform_labels import uniform_labels

# Four labels of 1, 2, 4 and 3 examples; label 3's last example has label 1, too. Label 4 has none.
LABELS = [[0], [1], [1], [2], [2], [2], [2], [3], [3], [3, 1]]
PRIOR = np.array([0.05, 0.25, 0.4, 0.1, 0.2])
COUNTS = np.array([1, 3, 4, 3, 0])


@pytest.mark.parametrize(
    ("prior", "top_labels", "expected"),
    [
        (PRIOR, 1, [2]),
        (PRIOR, 3, [2, 1, 3]),  # label 4 has more than label 3, but no example
        (PRIOR, 99, [2, 1, 3, 0]),
        (PRIOR, None, [2, 1, 3]),  # .75 of .8 is more than 90%, and .65 is less
        ([0.1, 0.3, 0.6, 0.0, 9.0], None, [2, 1]),  # 90% exactly, though 0.6 + 0.3 < 0.9 in floating point
        ([0.1, 0.3, 0.6 - 1e-6, 1e-6, 0.0], None, [2, 1, 0]),
        ([0.0, 0.0, 0.0, 0.2, 0.8], None, [3]),
        ([0.0, 0.5, 0.0, 0.5, 0.0], 3, [1, 3]),  # a P_t of 0 is none
        ([0.25, 0.25, 0.25, 0.25, 0.0], 3, [0, 1, 2]),  # ties: the lower label
        ([0.1, 0.3, 0.3, 0.3, 0.0], 2, [1, 2]),
    ],
)
def test_the_labels_with_the_most_mass(prior, top_labels, expected):
    assert select_labels(np.array(prior), COUNTS, top_labels).tolist() == expected


def test_as_many_of_each_label(make_pairs):
    pairs = make_pairs(LABELS, 5)
    sample = uniform_labels(pairs, PRIOR, n=20, seed=0, top_labels=3)
    assert sample.quotas.tolist() == [0, 7, 7, 6, 0]  # equal remainders: the lower labels
    assert sample.copies.sum() == 20
    assert sample.figures == {"chosen_labels": 3, "chosen_mass": pytest.approx(0.75 / 0.8, rel=1e-12)}
    assert uniform_labels(pairs, PRIOR, n=20, seed=0).quotas.tolist() == [0, 7, 7, 6, 0]
    assert uniform_labels(pairs, PRIOR, n=2, seed=0).quotas.tolist() == [0, 1, 1, 0, 0]
    assert uniform_labels(pairs, PRIOR, n=3, seed=0, top_labels=1).copies.tolist()[3:7].count(1) == 3


def test_the_weights_in_reverse_order(make_pairs):
    pairs = make_pairs(LABELS, 5)
    # 2, 1, 3 have .4, .25, .1, and get .1, .25, .4, of .75.
    sample = reversed_weights(pairs, PRIOR, n=30, seed=0, top_labels=3)
    assert sample.quotas.tolist() == [0, 10, 4, 16, 0]
    assert sample.figures == {"chosen_labels": 3, "chosen_mass": pytest.approx(0.75 / 0.8, rel=1e-12)}
    # Of an odd number, the one in the middle keeps its weight; of all four, .05 goes to label 2.
    assert reversed_weights(pairs, PRIOR, n=80, seed=0, top_labels=4).quotas.tolist() == [40, 10, 5, 25, 0]


def test_a_limit(make_pairs):
    pairs = make_pairs(LABELS, 5)
    sample = reversed_weights(pairs, PRIOR, n=12, seed=0, top_labels=4, max_repeats=2)
    # 6, 1.5, .75 and 3.75 are due; label 0 may give 2, and the others take its 4 in proportion.
    assert sample.quotas.tolist() == [2, 3, 1, 6, 0]
    assert sample.capped.tolist() == [True, False, False, True, False]
    assert sample.figures["capped_labels"] == 2 and sample.figures["chosen_labels"] == 4
    with pytest.raises(ValueError, match=r"n: 9 pairs with max_repeats 1, but .* 7 is the largest n"):
        uniform_labels(pairs, PRIOR, n=9, seed=0, top_labels=2, max_repeats=1)


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_both_are_the_same_distribution_of_other_weights(make_pairs, masses, sources, data):
    labels, num_labels = data.draw(sources)
    pairs = make_pairs(labels, num_labels)
    prior = data.draw(masses(num_labels))
    assume(prior[pairs.counts > 0].sum() > 0)
    n, k = data.draw(st.integers(1, 200)), data.draw(st.one_of(st.none(), st.integers(1, 7)))
    uniform, swapped = (draw(pairs, prior, n=n, seed=3, top_labels=k) for draw in (uniform_labels, reversed_weights))

    # One label at a time: the highest that is left, the first of equal ones.
    left = {label: prior[label] for label in range(num_labels) if prior[label] > 0 and pairs.counts[label]}
    total, order = sum(left.values()), []
    while left and (len(order) < k if k else sum(prior[order]) < 0.9 * total - 1e-9 * total):
        order.append(max(left, key=left.get))
        del left[order[-1]]
    weights = np.zeros((2, num_labels))
    weights[0, order] = 1
    weights[1, order] = [prior[label] for label in reversed(order)]
    for sample, expected in zip((uniform, swapped), weights, strict=True):
        assert sample.copies.sum() == sample.quotas.sum() == n
        assert sample.quotas.tolist() == quotas.quotas(expected, pairs.counts, n)[0].tolist()
        assert sample.copies.tolist() == same_distribution(pairs, expected, n=n, seed=3).copies.tolist()
        assert sample.figures["chosen_labels"] == len(order)
        assert sample.figures["chosen_mass"] == pytest.approx(prior[order].sum() / total)
    chosen = uniform.quotas[order]
    assert chosen.max() - chosen.min() <= 1
    # What weighs more in P_t is drawn no more often.
    assert (np.diff(swapped.quotas[order]) >= -1).all()


def test_many_labels(make_pairs):
    # 1,300 labels of one to three examples, but every 13th of none; P_t falls, with ties.
    labels = [[y] for y in range(1300) if y % 13 for _ in range(1 + y % 3)]
    pairs = make_pairs(labels, 1300)
    prior = (1300.0 - np.arange(1300) // 2 * 2) ** 2
    prior /= prior.sum()
    order = [y for y in range(1300) if y % 13][:1000]
    uniform, swapped = (
        draw(pairs, prior, n=100_000, seed=3, top_labels=1000) for draw in (uniform_labels, reversed_weights)
    )
    assert uniform.quotas[order].tolist() == [100] * 1000
    expected = 100_000 * prior[order][::-1] / prior[order].sum()
    assert np.abs(swapped.quotas[order] - expected).max() < 1
    for sample in (uniform, swapped):
        assert sample.quotas.sum() == sample.copies.sum() == 100_000
        assert pairs.label_sums(sample.copies).tolist() == sample.quotas.tolist()


@pytest.mark.parametrize("draw", [uniform_labels, reversed_weights])
@pytest.mark.parametrize(
    ("prior", "message"),
    [
        ([0.5, -0.5, 1.0, 0.0, 0.0], "target_prior: -0.5 for label 1"),
        ([0.5, 0.5], r"target_prior: shape \(2,\) for 5 labels"),
        ([0.0, 0.0, 0.0, 0.0, 1.0], "target_prior: has no mass on any label that has examples"),
    ],
)
def test_wrong_priors(make_pairs, draw, prior, message):
    with pytest.raises(ValueError, match=message):
        draw(make_pairs(LABELS, 5), np.array(prior), n=3, seed=0)
