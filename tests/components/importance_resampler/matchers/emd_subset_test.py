import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.importance_resampler.matchers import emd_subset as emd


def means(points, counts) -> emd.ClassMeans:
    return emd.ClassMeans(np.array(points, np.float64), np.array(counts))


def test_class_means():
    table = pa.table({"source_id": ["a", "b", "c", "d"], "labels": [[2], [0, 2], [0], [1]]})
    table = pa.concat_tables([table.slice(0, 1), table.slice(1)])
    ids = pa.chunked_array([["c"], ["a", "b"]])
    found = emd.class_means(ids, np.array([[1, 2], [10, 20], [100, 200]], np.float16), table, 4)
    # c is of 0, a of 2, b of both.
    assert found.means.tolist() == [[50.5, 101], [0, 0], [55, 110], [0, 0]]
    assert found.counts.tolist() == [2, 0, 2, 0]
    assert len(emd.class_means(ids, np.ones((3, 1)), table).counts) == 3


def test_predictions_of_another_split():
    table = pa.table({"source_id": ["a"], "labels": [[0]]})
    with pytest.raises(ValueError, match="predictions: 1 of 2 ids are not in the index, such as 'x'"):
        emd.class_means(pa.chunked_array([["a", "x"]]), np.ones((2, 3)), table, 1)


@pytest.mark.parametrize(
    ("points", "counts", "message"),
    [
        ([[1.0], [2.0]], [1], "shape"),
        ([[1.0], [np.nan]], [1, 1], "not finite"),
        ([[1.0], [2.0]], [0, 0], "no class has an example"),
    ],
)
def test_wrong_means(points, counts, message):
    with pytest.raises(ValueError, match=message):
        means(points, counts)


def test_distances_are_euclidean_and_asymmetric():
    found = emd.distances(means([[0, 0], [3, 4], [6, 8]], [1, 1, 1]), means([[0, 0], [0, 4]], [1, 1]))
    assert found.tolist() == [[0, 5, 10], [4, 3, np.sqrt(52)]]
    with pytest.raises(ValueError, match="target: embeddings of 1 dimensions, the source's have 2"):
        emd.distances(means([[0, 0]], [1]), means([[0]], [1]))


def test_greedy_order_goes_in_rounds():
    distances = np.array(
        [
            [1.0, 2.0, 3.0, 9.0, 8.0],  # takes 0, then 2 (1 is gone), then 3
            [0.5, 1.0, 9.0, 2.0, 1.5],  # takes 1 (0 is gone), then 4
        ]
    )
    assert emd.greedy_order(distances).tolist() == [0, 1, 2, 4, 3]
    assert distances.max() == 9.0  # left as it was


def test_earth_movers_distance():
    line = np.abs(np.subtract.outer([0.0, 10.0], [0.0, 4.0, 10.0]))
    # Target: 3/4 at 0, 1/4 at 10. Source: 1/2 at 0, 1/2 at 4: 1/4 goes from 0 to 4, 1/4 from 10 to 4.
    assert emd.earth_movers_distance(np.array([3, 1]), np.array([5, 5, 0]), line) == pytest.approx(2.5)
    assert emd.earth_movers_distance(np.array([0, 1]), np.array([1, 0, 0]), line) == pytest.approx(10)
    assert emd.similarity(2.5) == pytest.approx(0.975310, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_earth_movers_distance_of_equal_masses_is_the_best_assignment(seed):
    distances = np.random.default_rng(seed).random((4, 4))
    best = min(distances[range(4), order].mean() for order in itertools.permutations(range(4)))
    assert emd.earth_movers_distance(np.ones(4), np.ones(4), distances) == pytest.approx(best)


SOURCE = means([[0.0], [4.0], [5.0], [0.0], [9.0]], [3, 3, 3, 0, 3])  # no embedding of label 3
TARGET = means([[0.0], [5.0], [0.0]], [10, 30, 0])  # no example of class 2
LABELS = [[0], [0], [1], [1], [2], [2], [2], [3], [4], [4]]


def test_emd_subset(make_pairs):
    sample = emd.emd_subset(make_pairs(LABELS, 5), SOURCE, TARGET, n=6, seed=0)
    # The order is 0 (of class 0), 2 (of class 1), 1, 4.
    assert sample.ranks.tolist() == [0, 2, 1, 5, 3]
    assert sample.quotas.tolist() == [2, 1, 3, 0, 0]
    assert sample.copies[[0, 1, 4, 5, 6]].tolist() == [1] * 5
    assert sample.copies[2:4].sum() == 1
    assert sample.copies[7:].tolist() == [0, 0, 0]
    # Target: 1/4 at 0, 3/4 at 5. Sample: 1/3 at 0, 1/6 at 4, 1/2 at 5: 1/12 goes from 5 to 0, and 1/6 from 5 to 4.
    # Source without label 3: 2/9 at 0, 2/9 at 4, 3/9 at 5, 2/9 at 9: 1/36 from 0 to 4, 7/36 from 5 to 4, 2/9 to 9.
    assert sample.figures == {
        "labels_without_embedding": 1,
        "emd_sample": pytest.approx(5 / 12 + 1 / 6),
        "similarity_sample": pytest.approx(np.exp(-0.01 * 7 / 12)),
        "emd_source": pytest.approx(4 / 36 + 7 / 36 + 8 / 9),
        "similarity_source": pytest.approx(np.exp(-0.01 * (11 / 36 + 8 / 9))),
    }


def test_emd_subset_of_more_than_there_are(make_pairs):
    sample = emd.emd_subset(make_pairs(LABELS, 5), SOURCE, TARGET, n=100, seed=0)
    assert sample.copies.tolist() == [1, 1, 1, 1, 1, 1, 1, 0, 1, 1]
    assert sample.figures["emd_sample"] == pytest.approx(sample.figures["emd_source"])


def test_emd_subset_never_repeats(make_pairs):
    pairs = make_pairs([[0, 1], [1, 2], [2], [0, 4]], 5)
    sample = emd.emd_subset(pairs, SOURCE, TARGET, n=4, seed=0)
    assert sample.copies.tolist() == [1, 1, 1, 1]
    assert sample.quotas.tolist() == [2, 0, 2, 0, 0]  # the first under label 0, the second under label 2


@pytest.mark.parametrize(
    ("labels", "source", "message"),
    [
        ([[0]], means([[1.0]], [1]), "source: mean embeddings of 1 labels, but the source has 5"),
        ([[3], [3]], SOURCE, "source: no label with examples in the train split has a mean embedding"),
    ],
)
def test_emd_subset_errors(make_pairs, labels, source, message):
    with pytest.raises(ValueError, match=message):
        emd.emd_subset(make_pairs(labels, 5), source, TARGET, n=1, seed=0)
