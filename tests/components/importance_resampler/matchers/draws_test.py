import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from components import hashing
from components.importance_resampler import quotas
from components.importance_resampler.matchers.elastic_distribution import elastic_distribution
from components.importance_resampler.matchers.label_subset import label_subset
from components.importance_resampler.matchers.same_distribution import same_distribution, select_lowest
from components.importance_resampler.matchers.uniform_subsample import uniform_subsample
from components.importance_resampler.matchers.weighted_loss import weighted_loss
from components.importance_resampler.pairs import Pairs

ONE_EACH = [[0], [1], [1], [2], [2], [2], [2]]
SEVERAL = [[0], [1, 0], [1], [2, 1], [2], [2], [2, 0]]
MANY_LABELS = 18_291

PROPERTIES = settings(max_examples=80, deadline=None)


def same_distribution_by_hand(labels, ids, target_prior, n, seed, make_pairs):
    """One label at a time, by sorting its examples."""
    pairs = make_pairs(labels, len(target_prior), ids)
    drawn, _ = quotas.quotas(target_prior, pairs.counts, n)
    copies = [0] * len(labels)
    for label, salt in enumerate(hashing.label_salts(seed, len(target_prior))):
        own = [row for row, its in enumerate(labels) if label in its]
        own.sort(key=lambda row: int(hashing.hashes(pairs.keys[[row]], salt)[0]))
        for place, row in enumerate(own):
            copies[row] += drawn[label] // len(own) + (place < drawn[label] % len(own))
    return copies


@PROPERTIES
@given(st.data())
def test_same_distribution(make_pairs, masses, sources, data):
    labels, num_labels = data.draw(sources)
    pairs = make_pairs(labels, num_labels)
    prior = data.draw(masses(num_labels))
    assume(prior[pairs.counts > 0].sum() > 0)
    n, seed = data.draw(st.integers(1, 300)), data.draw(st.integers(-5, 5))
    sample = same_distribution(pairs, prior, n=n, seed=seed)
    assert sample.copies.sum() == sample.quotas.sum() == n
    assert sample.copies.dtype == np.int32
    assert sample.quotas.tolist() == quotas.quotas(prior, pairs.counts, n)[0].tolist()
    assert sample.copies.tolist() == same_distribution_by_hand(labels, None, prior, n, seed, make_pairs)
    if pairs.single_label:
        for label in range(num_labels):
            own = sample.copies[pairs.labels == label]
            assert own.sum() == sample.quotas[label]
            assert not len(own) or own.max() - own.min() <= 1


@PROPERTIES
@given(st.data())
def test_same_distribution_with_a_limit(make_pairs, masses, sources, data):
    labels, num_labels = data.draw(sources)
    pairs = make_pairs(labels, num_labels)
    prior = data.draw(masses(num_labels))
    reachable = pairs.counts[prior > 0].sum()
    assume(reachable)
    max_repeats = data.draw(st.integers(1, 3))
    n = data.draw(st.integers(1, int(max_repeats * reachable)))
    sample = same_distribution(pairs, prior, n=n, seed=0, max_repeats=max_repeats)
    assert sample.copies.sum() == n
    assert (sample.quotas <= max_repeats * pairs.counts).all()
    own_labels = np.bincount(pairs.rows)
    assert (sample.copies <= max_repeats * own_labels).all()
    assert sample.figures["capped_labels"] == sample.capped.sum()
    assert 0 <= sample.figures["capped_mass"] <= 1


def draw(matcher, pairs, masses, n, seed):
    if matcher is uniform_subsample:
        return uniform_subsample(pairs, n=n, seed=seed)
    if matcher is label_subset:
        return label_subset(pairs, np.flatnonzero(masses), n=n, seed=seed)
    return matcher(pairs, masses, n=n, seed=seed)


MATCHERS = [same_distribution, elastic_distribution, uniform_subsample, label_subset]


@pytest.mark.parametrize("matcher", MATCHERS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_the_order_of_rows_and_pairs_does_not_matter(make_pairs, masses, sources, matcher, data):
    labels, num_labels = data.draw(sources)
    pairs = make_pairs(labels, num_labels)
    mass = data.draw(masses(num_labels))
    assume(mass[pairs.counts > 0].sum() > 0)
    assume(matcher is not uniform_subsample or len(labels) > 1)
    n = data.draw(st.integers(1, 60 if matcher is not uniform_subsample else len(labels) - 1))
    expected = draw(matcher, pairs, mass, n, seed=3)
    order = data.draw(st.permutations(range(len(labels))))
    shuffled = make_pairs([labels[i][::-1] for i in order], num_labels, ids=order)
    sample = draw(matcher, shuffled, mass, n, seed=3)
    assert sample.copies.tolist() == expected.copies[list(order)].tolist()
    assert sample.quotas.tolist() == expected.quotas.tolist()


@pytest.mark.parametrize("matcher", MATCHERS)
def test_another_seed_gives_another_sample_of_the_same_quotas(make_pairs, matcher):
    pairs = make_pairs([[i % 7] for i in range(700)], 7)
    masses = np.array([0.3, 0.2, 0.15, 0.05, 0.25, 0.05, 0.0])
    first, second = (draw(matcher, pairs, masses, 150, seed) for seed in (0, 1))
    assert (first.copies != second.copies).any()
    assert draw(matcher, pairs, masses, 150, 0).copies.tolist() == first.copies.tolist()
    assert first.copies.sum() == second.copies.sum() == 150
    if matcher in (same_distribution, elastic_distribution):
        assert first.quotas.tolist() == second.quotas.tolist()


def test_same_distribution_where_an_example_has_several_labels(make_pairs):
    sample = same_distribution(make_pairs(SEVERAL, 3), np.array([0.0, 0.75, 0.25]), n=16, seed=1)
    # 12 copies for the three of label 1, 4 for the four of label 2, none for label 0.
    assert sample.quotas.tolist() == [0, 12, 4]
    assert sample.copies.tolist() == [0, 4, 4, 4 + 1, 1, 1, 1]


def test_a_label_with_one_example_gets_its_whole_quota(make_pairs):
    sample = same_distribution(make_pairs(ONE_EACH, 3), np.array([0.5, 0.2, 0.3]), n=1000, seed=0)
    assert sample.copies.tolist()[:3] == [500, 100, 100]
    assert sorted(sample.copies.tolist()[3:]) == [75, 75, 75, 75]


def test_a_sample_smaller_than_the_number_of_labels(make_pairs):
    pairs = make_pairs([[i % 50] for i in range(100)], 50)
    prior = np.linspace(1, 2, 50)
    sample = same_distribution(pairs, prior / prior.sum(), n=7, seed=0)
    assert sample.quotas.tolist() == [0] * 43 + [1] * 7
    assert sample.copies.sum() == 7


def test_a_limit_and_what_it_reports(make_pairs):
    pairs = make_pairs(ONE_EACH, 4)
    prior = np.array([0.4, 0.2, 0.2, 0.2])  # a fifth is out of reach
    sample = same_distribution(pairs, prior, n=8, seed=0, max_repeats=2)
    # 4, 2 and 2 were due; label 0 may give 2, and the others take its 2 by halves.
    assert sample.quotas.tolist() == [2, 3, 3, 0]
    assert sample.capped.tolist() == [True, False, False, False]
    assert sample.figures == {"capped_labels": 1, "capped_mass": pytest.approx(0.25, abs=1e-12)}


def test_many_labels():
    rng = np.random.default_rng(5)
    labels = rng.integers(0, MANY_LABELS, 100_000)
    labels[labels < 10] = 10  # ten labels without an example
    pairs = Pairs(
        rows=np.arange(100_000, dtype=np.int32),
        labels=labels.astype(np.int32),
        keys=rng.permutation(100_000).astype(np.uint64),
        num_labels=MANY_LABELS,
    )
    prior = rng.dirichlet(np.full(MANY_LABELS, 0.05))
    sample = same_distribution(pairs, prior, n=250_000, seed=2)
    assert sample.copies.sum() == sample.quotas.sum() == 250_000
    assert pairs.label_sums(sample.copies).tolist() == sample.quotas.tolist()
    assert not sample.quotas[:10].any()
    base = sample.quotas // np.maximum(pairs.counts, 1)
    assert set((sample.copies - base[labels]).tolist()) <= {0, 1}


@pytest.mark.parametrize("num_labels", [1, 3, 700], ids=["long lists", "some", "short lists"])
def test_lowest_is_a_sort(num_labels, make_pairs):
    rng = np.random.default_rng(num_labels)
    labels = [[int(num_labels * y**3)] for y in rng.random(5000)]  # of very different size
    pairs = make_pairs(labels, num_labels)
    wanted = rng.integers(0, pairs.counts + 1)
    wanted[:: max(num_labels // 3, 1)] = pairs.counts[:: max(num_labels // 3, 1)]
    chosen = select_lowest(pairs, wanted, seed=4)
    hashes = hashing.hashes(pairs.keys, hashing.label_salts(4, num_labels)[pairs.labels])
    for label in range(num_labels):
        own = pairs.labels == label
        assert chosen[own].sum() == wanted[label]
        if 0 < wanted[label] < pairs.counts[label]:
            assert hashes[own & chosen].max() < hashes[own & ~chosen].min()


@PROPERTIES
@given(st.data())
def test_elastic_distribution(make_pairs, masses, sources, data):
    labels, num_labels = data.draw(sources)
    pairs = make_pairs(labels, num_labels)
    weights = data.draw(masses(num_labels))
    assume(weights[pairs.counts > 0].sum() > 0)
    n = data.draw(st.integers(1, 40))
    sample = elastic_distribution(pairs, weights, n=n, seed=0)
    available = {row for row, own in enumerate(labels) if any(weights[label] > 0 for label in own)}
    taken = set(np.flatnonzero(sample.copies).tolist())
    assert set(sample.copies.tolist()) <= {0, 1}
    assert taken <= available
    assert len(taken) == min(n, len(available)) == sample.quotas.sum()
    # Nobody that was left out counts under a label of higher weight than somebody that was taken.
    best = [max(weights[label] for label in own) for own in labels]
    if taken != available:
        assert min(best[row] for row in taken) >= max(best[row] for row in available - taken)


@pytest.mark.parametrize(
    ("n", "expected", "quotas_expected"),
    [
        (1, None, [0, 1, 0]),
        (3, [0, 1, 1, 1, 0, 0, 0], [0, 3, 0]),  # the three of label 1, whole
        (5, [1, 1, 1, 1, 0, 0, 1], [2, 3, 0]),  # one of label 0 counts under label 1 already
        (6, None, [2, 3, 1]),
        (7, [1] * 7, [2, 3, 2]),
        (100, [1] * 7, [2, 3, 2]),
    ],
)
def test_elastic_takes_whole_labels_by_weight(make_pairs, n, expected, quotas_expected):
    sample = elastic_distribution(make_pairs(SEVERAL, 3), np.array([2.0, 3.0, 1.0]), n=n, seed=0)
    assert sample.quotas.tolist() == quotas_expected
    assert sample.ranks.tolist() == [1, 0, 2]
    if expected is not None:
        assert sample.copies.tolist() == expected


def test_elastic_breaks_ties_by_label_and_never_takes_a_weight_of_zero(make_pairs):
    sample = elastic_distribution(make_pairs(ONE_EACH, 4), np.array([0.0, 1.5, 1.5, 9.0]), n=50, seed=0)
    assert sample.copies.tolist() == [0, 1, 1, 1, 1, 1, 1]
    assert sample.ranks.tolist() == [4, 0, 1, 4]  # label 3 has no examples


@pytest.mark.parametrize("matcher", MATCHERS[1:])
def test_larger_samples_hold_the_smaller_ones(make_pairs, matcher):
    pairs = make_pairs([[i % 5] for i in range(60)], 5)
    masses = np.array([0.1, 0.4, 0.2, 0.0, 0.3])
    smaller = np.zeros(60, bool)
    for n in range(1, 70 if matcher is not uniform_subsample else len(pairs.keys)):
        taken = draw(matcher, pairs, masses, n, 0).copies > 0
        assert not (smaller & ~taken).any()
        smaller = taken


def test_uniform_subsample(make_pairs):
    pairs = make_pairs([[i % 3, 3] for i in range(9000)], 4)
    sample = uniform_subsample(pairs, n=3000, seed=0)
    assert sample.copies.sum() == 3000 == sample.quotas.sum()
    assert sample.copies.max() == 1
    assert sample.quotas[3] == 0  # counted under their first label
    # Five standard deviations of a hypergeometric count of mean 1,000.
    assert np.abs(sample.quotas[:3] - 1000).max() < 5 * np.sqrt(3000 * (1 / 3) * (2 / 3) * (2 / 3))


def test_uniform_subsample_leaves_some_out(make_pairs):
    pairs = make_pairs(SEVERAL, 3)
    assert sorted(uniform_subsample(pairs, n=6, seed=0).copies) == [0] + [1] * 6
    for n in (7, 2_000_000):
        with pytest.raises(ValueError, match=f"n: {n:,}, but the source has 7 examples"):
            uniform_subsample(pairs, n=n, seed=0)


def test_label_subset(make_pairs):
    pairs = make_pairs(SEVERAL, 4)
    everyone = label_subset(pairs, np.array([1, 0]), n=99, seed=0)
    assert everyone.copies.tolist() == [1, 1, 1, 1, 0, 0, 1]
    assert everyone.quotas.tolist() == [2, 3, 0, 0]  # the second counts under label 1, which is named first
    some = label_subset(pairs, np.array([1, 0]), n=2, seed=0)
    assert some.copies.sum() == 2
    assert not some.copies[everyone.copies == 0].any()
    with pytest.raises(ValueError, match="no example carries any of the 1 labels chosen"):
        label_subset(pairs, np.array([3]), n=1, seed=0)


@PROPERTIES
@given(st.data())
def test_weighted_loss(make_pairs, masses, sources, data):
    labels, num_labels = data.draw(sources)
    pairs = make_pairs(labels, num_labels)
    weights = data.draw(masses(num_labels))
    assume(weights[pairs.counts > 0].sum() > 0)
    sample = weighted_loss(pairs, weights)
    sums = np.array([sum(weights[label] for label in own) for own in labels])
    assert sample.copies.tolist() == [1] * len(labels)
    assert sample.weights.dtype == np.float32
    np.testing.assert_allclose(sample.weights, sums / sums.mean(), rtol=1e-6)
    assert sample.weights.mean(dtype=np.float64) == pytest.approx(1, abs=1e-6)
    assert sample.quotas.tolist() == pairs.counts.tolist()


@pytest.mark.parametrize("matcher", MATCHERS)
@pytest.mark.parametrize("n", [0, -1])
def test_n_is_at_least_one(make_pairs, matcher, n):
    with pytest.raises(ValueError, match=f"n: {n};"):
        draw(matcher, make_pairs(ONE_EACH, 3), np.ones(3), n, 0)


@pytest.mark.parametrize("matcher", [elastic_distribution, weighted_loss])
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, -0.5, 1.0, 1.0], "weights: -0.5 for label 1"),
        ([1.0, 1.0, np.nan, 1.0], "weights: nan for label 2"),
        ([1.0, 1.0, 1.0], r"weights: shape \(3,\) for 4 labels"),
        ([0.0, 0.0, 0.0, 0.0], "weights: is 0 for every label"),
        ([0.0, 0.0, 0.0, 1.0], "weights: are 0 for every label that has examples"),
    ],
)
def test_wrong_weights(make_pairs, matcher, weights, message):
    drawing = {"n": 1, "seed": 0} if matcher is elastic_distribution else {}
    with pytest.raises(ValueError, match=message):
        matcher(make_pairs(ONE_EACH, 4), np.array(weights), **drawing)
