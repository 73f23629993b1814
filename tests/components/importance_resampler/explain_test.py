import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from components.artifacts import predictions, vocabulary
from components.artifacts.label_prior import LabelPrior
from components.importance_resampler import matchers
from components.importance_resampler.explain import explain_example
from components.importance_resampler.labels_table import labels_table
from components.importance_resampler.matchers.matcher import Inputs, Predicted

LABELS = [[0], [1, 0], [1], [2, 1], [2], [2], [2, 0]]


def explain(make_pairs, labels, target_prior, row, *, matcher, n=0, seed=0, predicted=None, **settings):
    """Draws, and explains one row; returns what the plan says of it too."""
    pairs = make_pairs(labels, len(target_prior))
    names = tuple("abcdefgh"[: len(target_prior)])
    target_prior = np.array(target_prior) / np.sum(target_prior)
    prior = LabelPrior(names, pairs.counts, target_prior, "mean_prediction", 2.0, 1)
    hierarchy = vocabulary.make_vocabulary(names, {"b": ["above"], "c": ["above"]})
    inputs = Inputs(pairs, prior, hierarchy, predicted, predicted)
    sample = matchers.make_matcher(matcher, **settings).draw(inputs, n=n, seed=seed)
    table = labels_table(sample, pairs, prior, {"matcher": matcher, "n": n, "seed": seed, **settings})
    weight = 1.0 if sample.weights is None else sample.weights[row]
    return explain_example(table, pairs, f"example {row}"), sample.copies[row], weight


def predicted(num_labels: int) -> Predicted:
    """An image of each label, at the squares of 0, 1, 2, …"""
    ids = [f"image {label}" for label in range(num_labels)]
    points = np.arange(num_labels, dtype=float)[:, np.newaxis] ** 2
    table = predictions.table(ids, np.zeros((num_labels, 1)), points)
    return Predicted(table, pa.table({"source_id": ids, "labels": [[label] for label in range(num_labels)]}))


@pytest.mark.parametrize(
    "arguments",
    [
        {"matcher": "same_distribution"},
        {"matcher": "elastic_distribution"},
        {"matcher": "uniform_subsample"},
        {"matcher": "label_subset", "label_subset": ["a"]},
        {"matcher": "emd_subset"},
        {"matcher": "uniform_labels"},
        {"matcher": "reversed_weights", "top_labels": 3},
        {"matcher": "weighted_loss"},
    ],
    ids=lambda arguments: arguments["matcher"],
)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_an_explanation_adds_up_to_the_plan(make_pairs, masses, sources, arguments, data):
    labels, num_labels = data.draw(sources)
    assume(any(0 in own for own in labels))
    prior = data.draw(masses(num_labels))
    prior[0] += 1e-3
    if arguments["matcher"] != "weighted_loss":
        most = 50
        if arguments["matcher"] == "uniform_subsample":  # which leaves some out
            assume(len(labels) > 1)
            most = len(labels) - 1
        arguments = {**arguments, "n": data.draw(st.integers(1, most)), "seed": data.draw(st.integers(0, 9))}
    row = data.draw(st.integers(0, len(labels) - 1))
    found, copies, weight = explain(make_pairs, labels, prior, row, predicted=predicted(num_labels), **arguments)
    assert found.copies == copies
    assert found.weight == pytest.approx(weight, rel=1e-6)
    assert found.labels == tuple("abcdefgh"[label] for label in labels[row])


def test_same_distribution(make_pairs):
    found, copies, _ = explain(make_pairs, LABELS, [0.1, 0.5, 0.4], row=3, matcher="same_distribution", n=20, seed=1)
    second, first = found.draws  # the order of the example's labels: c, b
    assert (second.label, second.pool, second.quota, second.base, second.odd) == ("c", 4, 8, 2, 0)
    assert (first.label, first.pool, first.quota, first.base, first.odd) == ("b", 3, 10, 3, 1)
    assert 1 <= first.rank <= 3
    assert copies == second.copies + first.copies == 2 + 3 + (first.rank == 1)
    assert str(second) == "label 'c': 8 copies for 4 examples, 2 each: 2"
    assert str(first) == (
        f"label 'b': 10 copies for 3 examples, 3 each, one more for the first 1; this is number {first.rank}: "
        f"{first.copies}"
    )


def test_a_label_that_is_not_one_of_the_top_labels(make_pairs):
    drawing = {"matcher": "reversed_weights", "n": 20, "seed": 1, "top_labels": 2}
    found, copies, _ = explain(make_pairs, LABELS, [0.1, 0.6, 0.3], row=1, **drawing)
    first, second = found.draws
    # A third of 20 for b, which has three examples; none for a.
    assert (first.label, first.quota, first.base, first.odd) == ("b", 7, 2, 1)
    assert str(second) == "label 'a': 0 copies for 3 examples, 0 each: 0"
    assert copies == first.copies == 2 + (first.rank == 1)


def test_the_ranks_of_a_label_are_all_different(make_pairs):
    ranks = [
        explain(make_pairs, LABELS, [0, 0, 1.0], row, matcher="same_distribution", n=2)[0].draws[0].rank
        for row in range(3, 7)
    ]
    assert sorted(ranks) == [1, 2, 3, 4]


def test_elastic_distribution(make_pairs):
    # w is highest for b (rows 1, 2, 3), then a (rows 0 and 6), then c (rows 4 and 5).
    drawing = {"matcher": "elastic_distribution", "n": 4, "seed": 0}
    whole, _, _ = explain(make_pairs, LABELS, [0.3, 0.6, 0.1], 1, **drawing)
    assert [str(draw) for draw in whole.draws] == ["label 'b': 3 copies for 3 examples, 1 each: 1"]
    part, copies, _ = explain(make_pairs, LABELS, [0.3, 0.6, 0.1], 6, **drawing)
    (draw,) = part.draws
    assert str(draw) == (
        f"label 'a': 1 copies for 2 examples, one for the first 1; this is number {draw.rank}: {copies}"
    )
    none, copies, _ = explain(make_pairs, LABELS, [0.3, 0.6, 0.1], 4, **drawing)
    assert [str(draw) for draw in none.draws] == ["label 'c': 0 copies for 2 examples, 0 each: 0"]
    assert copies == 0


def test_label_subset(make_pairs):
    chosen = {"matcher": "label_subset", "n": 3, "label_subset": ["above"]}
    found, _, _ = explain(make_pairs, LABELS, [1, 1, 1], 4, **chosen)
    (draw,) = found.draws
    assert (draw.label, draw.pool, draw.quota) == (None, 6, 3)
    found, copies, _ = explain(make_pairs, LABELS, [1, 1, 1], 0, **chosen)
    assert (found.draws, copies) == ((), 0)


def test_weighted_loss(make_pairs):
    found, copies, weight = explain(make_pairs, LABELS, [0.1, 0.5, 0.4], 1, matcher="weighted_loss")
    # Sums of P_t / N_y over the labels: a 1/30, b 1/6, c 1/10; the mean over the 7 examples is 1/7.
    assert weight == pytest.approx((1 / 30 + 1 / 6) * 7)
    assert found.weight == pytest.approx(weight)
    assert copies == 1


def test_another_index(make_pairs):
    pairs = make_pairs(LABELS, 3)
    prior = LabelPrior(("a", "b", "c"), pairs.counts, np.array([0.2, 0.3, 0.5]), "mean_prediction", 2.0, 1)
    sample = matchers.make_matcher("uniform_subsample").draw(Inputs(pairs, prior), n=2, seed=0)
    table = labels_table(sample, pairs, prior, {"matcher": "uniform_subsample", "n": 2, "seed": 0})
    with pytest.raises(ValueError, match="the counts of this plan are not those of the index"):
        explain_example(table, make_pairs(LABELS[1:], 3), "example 0")


def test_an_id_of_no_example(make_pairs):
    pairs = make_pairs(LABELS, 3)
    prior = LabelPrior(("a", "b", "c"), pairs.counts, np.array([0.2, 0.3, 0.5]), "mean_prediction", 2.0, 1)
    sample = matchers.make_matcher("uniform_subsample").draw(Inputs(pairs, prior), n=2, seed=0)
    table = labels_table(sample, pairs, prior, {"matcher": "uniform_subsample", "n": 2, "seed": 0})
    with pytest.raises(ValueError, match="source_id: 'example 7' is none of the 7 examples"):
        explain_example(table, pairs, "example 7")
