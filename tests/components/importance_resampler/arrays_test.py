"""The matchers on arrays. `executor_test` compares them with what the component draws."""

import re
import subprocess
import sys

import numpy as np
import pytest

from components import importance_resampler as on_arrays

LABELS = np.repeat([0, 1, 2], [6, 3, 1])
PRIOR = np.array([0.25, 0.5, 0.25])


def copies_by_label(copies: np.ndarray) -> list[int]:
    return np.bincount(LABELS, weights=copies).astype(int).tolist()


def test_same_distribution():
    copies = on_arrays.same_distribution(LABELS, PRIOR, n=8)
    assert copies.dtype == np.int32
    assert copies_by_label(copies) == [2, 4, 2]
    assert sorted(copies[6:9]) == [1, 1, 2] and copies[9] == 2
    # The limit of 1 leaves the labels 3 and 1; label 0 gets the rest.
    assert copies_by_label(on_arrays.same_distribution(LABELS, PRIOR, n=8, max_repeats=1)) == [4, 3, 1]
    assert not np.array_equal(copies, on_arrays.same_distribution(LABELS, PRIOR, n=8, seed=1))


def test_the_others():
    # w is 5/12, 5/3 and 5/2: label 2 first, then one of label 1.
    assert copies_by_label(on_arrays.elastic_distribution(LABELS, PRIOR, n=2)) == [0, 1, 1]
    assert copies_by_label(on_arrays.label_subset(LABELS, [2, 0], n=99)) == [6, 0, 1]
    assert copies_by_label(on_arrays.label_subset(LABELS, [2, 7], n=1)) == [0, 0, 1]
    assert on_arrays.uniform_subsample(LABELS, n=4).sum() == 4
    prior = [0.3, 0.6, 0.1]  # the first two hold 90%
    assert copies_by_label(on_arrays.uniform_labels(LABELS, prior, n=9)) == [5, 4, 0]
    assert copies_by_label(on_arrays.uniform_labels(LABELS, prior, n=9, top_labels=3, max_repeats=2)) == [4, 3, 2]
    assert copies_by_label(on_arrays.reversed_weights(LABELS, prior, n=9)) == [6, 3, 0]
    assert copies_by_label(on_arrays.reversed_weights(LABELS, prior, n=10, top_labels=3)) == [3, 1, 6]
    weights = on_arrays.weighted_loss(LABELS, PRIOR)
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights, np.repeat([5 / 12, 5 / 3, 5 / 2], [6, 3, 1]), rtol=1e-6)
    # The target's only class lies at 1: label 1 is nearest, then label 2.
    source, of_source = np.array([[5.0], [2.0], [4.0], [0.0]]), [2, 1, 2, 0]
    target = np.array([[1.5], [2.5]])
    assert copies_by_label(on_arrays.emd_subset(LABELS, source, of_source, target, [0, 0], n=3)) == [0, 3, 0]
    assert copies_by_label(on_arrays.emd_subset(LABELS, source, of_source, target + 1, [0, 0], n=4)) == [0, 3, 1]


def test_an_example_with_several_labels_counts_for_each():
    # Quotas of 5, 4 and 1; label 1 is drawn twice from each of its two examples.
    copies = on_arrays.same_distribution([[0], [2, 1], [1]], np.array([0.5, 0.4, 0.1]), n=10)
    assert copies.tolist() == [5, 3, 2]
    assert on_arrays.same_distribution(np.array([[0, 1], [1, 2]]), PRIOR, n=4).sum() == 4


def test_ids_decide_and_not_the_order():
    order = np.array([3, 9, 0, 7, 1, 8, 2, 6, 5, 4])
    ids = np.array([f"image {i}" for i in range(10)])
    for draw in (on_arrays.same_distribution, on_arrays.elastic_distribution):
        copies = draw(LABELS, PRIOR, n=2, ids=ids)
        assert copies[order].tolist() == draw(LABELS[order], PRIOR, n=2, ids=ids[order]).tolist()
    numbered = on_arrays.uniform_subsample(LABELS, n=4)
    assert numbered.tolist() == on_arrays.uniform_subsample(LABELS, n=4, ids=[str(i) for i in range(10)]).tolist()
    assert numbered.tolist() != on_arrays.uniform_subsample(LABELS, n=4, ids=ids).tolist()


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: on_arrays.same_distribution(["owl", "cat"], PRIOR, n=2), "labels: <U3 such as 'owl'; give integers"),
        (lambda: on_arrays.same_distribution([0.5], PRIOR, n=2), "labels: float64 such as 0.5; give integers"),
        (lambda: on_arrays.same_distribution([[0], []], PRIOR, n=2), "rows: the example in row 1 has no label"),
        (lambda: on_arrays.same_distribution([], PRIOR, n=2), "keys: the source's train split has no examples"),
        (lambda: on_arrays.same_distribution([1, -1], PRIOR, n=2), "labels: -1 is outside the vocabulary"),
        (lambda: on_arrays.same_distribution([1, 3], PRIOR, n=2), "target_prior: shape (3,) for 4 labels"),
        (lambda: on_arrays.same_distribution([1, 0], [PRIOR], n=2), "target_prior: shape (1, 3) for 3 labels"),
        (lambda: on_arrays.same_distribution([1, 0], -PRIOR, n=2), "target_prior: -0.25 for label 0"),
        (lambda: on_arrays.same_distribution([1, 0], PRIOR, n=0), "n: 0; a sample has at least 1 example"),
        (lambda: on_arrays.same_distribution([1, 0], PRIOR, n=2, ids=["a"]), "ids: 1 of them for 2 examples"),
        (lambda: on_arrays.same_distribution([1, 0], PRIOR, n=2, ids=["a", "a"]), "keys: the examples in rows 0 and 1"),
        (lambda: on_arrays.elastic_distribution([0, 0], [0.0, 1.0], n=2), "target_prior: has no mass on any label"),
        (lambda: on_arrays.label_subset([0, 1], [1, 1], n=2), "chosen: [1, 1]; give labels"),
        (lambda: on_arrays.label_subset([0, 1], [-1], n=2), "chosen: [-1]; give labels"),
        (lambda: on_arrays.label_subset([0, 1], [4], n=2), "labels: no example carries any of the 1 labels chosen"),
        (
            lambda: on_arrays.emd_subset([0, 1], np.ones((2, 3)), [0], np.ones((1, 3)), [0], n=1),
            "source_labels: 1 of them for 2 embeddings",
        ),
    ],
)
def test_wrong_arguments(draw, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        draw()


def test_importing_them_imports_nothing_heavy():
    code = (
        "import sys; from components.importance_resampler import *; from components.prior_estimator import *; "
        "print(bbse, bootstrap, em, emd_subset, file=sys.stderr); "
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert not {"tensorflow", "keras", "tfx", "apache_beam", "pandas"} & set(done.stdout.split())
    assert "numpy" in done.stdout.split()
