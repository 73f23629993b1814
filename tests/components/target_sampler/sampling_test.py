import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components import hashing
from components.artifacts import index, plan
from components.target_sampler.sampling import draw_copies, labels_table

# Two images of class 0, none of class 1, five of class 2, one of class 3.
LABELS = np.array([2, 0, 2, 2, 3, 0, 2, 2])
KEYS = np.array([index.id_key(f"image {i}") for i in range(8)], np.uint64)


def by_hash(label: int, seed: int, labels: np.ndarray = LABELS, keys: np.ndarray = KEYS, classes: int = 4) -> list[int]:
    """The rows of a class in the order of their hashes."""
    salt = hashing.label_salts(seed, classes)[label]
    rows = np.flatnonzero(labels == label).tolist()
    return sorted(rows, key=lambda row: int(hashing.hashes(keys[[row]], salt)[0]))


def per_class(copies: np.ndarray, labels: np.ndarray = LABELS, classes: int = 4) -> list[int]:
    return np.bincount(labels, weights=copies, minlength=classes).astype(int).tolist()


@pytest.mark.parametrize(("shots", "expected"), [(1, [1, 0, 1, 1]), (2, [2, 0, 2, 1]), (4, [2, 0, 4, 1])])
def test_shots_are_the_first_by_hash(shots, expected):
    for seed in (0, 1, -7):
        copies = draw_copies(LABELS, KEYS, 4, shots=shots, seed=seed)
        assert copies.dtype == np.int32
        assert per_class(copies) == expected
        chosen = {row for label in range(4) for row in by_hash(label, seed)[:shots]}
        assert copies.tolist() == [int(row in chosen) for row in range(8)]


def test_a_replicate_draws_as_many_of_each_class_with_replacement():
    copies = draw_copies(LABELS, KEYS, 4, replicate=True, seed=3)
    assert per_class(copies) == [2, 0, 5, 1]
    expected = np.zeros(8, int)
    for label, size in ((0, 2), (2, 5), (3, 1)):
        rows = by_hash(label, 3)
        salt = hashing.splitmix(hashing.label_salts(3, 4))[label]
        for draw in range(size):
            hashed = int(hashing.hashes(np.array([draw], np.uint64), salt)[0])
            expected[rows[(hashed >> 32) * size >> 32]] += 1
    assert copies.tolist() == expected.tolist()
    assert copies.max() > 1


def test_a_replicate_of_some_shots_holds_no_other_image():
    few = draw_copies(LABELS, KEYS, 4, shots=2, seed=5)
    for seed in range(20):
        few, copies = (draw_copies(LABELS, KEYS, 4, shots=2, replicate=r, seed=seed) for r in (False, True))
        assert per_class(copies) == [2, 0, 2, 1]
        assert not copies[few == 0].any()


def test_replicates_are_uniform():
    labels, keys = np.repeat([0, 1], [6, 4]), np.array([index.id_key(str(i)) for i in range(10)], np.uint64)
    seeds = 3000
    copies = np.array([draw_copies(labels, keys, 2, replicate=True, seed=seed) for seed in range(seeds)])
    # A binomial count of m draws with probability 1/m: mean 1, variance 1 − 1/m. Five standard deviations of the mean.
    assert np.abs(copies.mean(axis=0) - 1).max() < 5 * np.sqrt(1 / seeds)
    for rows, size in ((slice(0, 6), 6), (slice(6, 10), 4)):
        assert np.abs(copies[:, rows].var(axis=0) - (1 - 1 / size)).max() < 0.15
        # Negatively correlated within a class: −1/m² for each of m draws.
        covariance = np.cov(copies[:, rows].T)[np.triu_indices(size, 1)]
        assert np.abs(covariance + 1 / size).max() < 0.1
    # The classes are independent.
    assert np.abs(np.corrcoef(copies.T)[:6, 6:]).max() < 5 / np.sqrt(seeds)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_order_of_the_rows_does_not_matter_and_more_shots_hold_fewer(data):
    classes = data.draw(st.integers(1, 5))
    labels = np.array(data.draw(st.lists(st.integers(0, classes - 1), min_size=1, max_size=30)))
    keys = np.array([index.id_key(f"x{i}") for i in range(len(labels))], np.uint64)
    seed, replicate = data.draw(st.integers(0, 9)), data.draw(st.booleans())
    order = np.array(data.draw(st.permutations(range(len(labels)))))
    smaller = np.zeros(len(labels), bool)
    for shots in range(1, 8):
        copies = draw_copies(labels, keys, classes, shots=shots, replicate=replicate, seed=seed)
        again = draw_copies(labels[order], keys[order], classes, shots=shots, replicate=replicate, seed=seed)
        assert again.tolist() == copies[order].tolist()
        counts = np.bincount(labels, minlength=classes)
        assert per_class(copies, labels, classes) == np.minimum(counts, shots).tolist()
        if not replicate:
            assert set(copies.tolist()) <= {0, 1}
            assert not (smaller & (copies == 0)).any()
            smaller = copies > 0


def test_many_classes():
    labels = np.random.default_rng(4).integers(0, 1200, 30_000)
    keys = np.random.default_rng(5).permutation(30_000).astype(np.uint64)
    counts = np.bincount(labels, minlength=1200)
    few = draw_copies(labels, keys, 1200, shots=20)
    assert per_class(few, labels, 1200) == np.minimum(counts, 20).tolist()
    replicate = draw_copies(labels, keys, 1200, replicate=True)
    assert per_class(replicate, labels, 1200) == counts.tolist()
    assert (replicate > 0).mean() == pytest.approx(1 - (1 - 1 / 25) ** 25, abs=0.01)


@pytest.mark.parametrize(("shots", "message"), [(-1, "shots: -1; give"), (0, "shots: 0 without replicate")])
def test_settings_that_are_refused(shots, message):
    with pytest.raises(ValueError, match=message):
        draw_copies(LABELS, KEYS, 4, shots=shots)


def test_the_table_of_labels(tmp_path):
    copies = np.array([0, 1, 3, 0, 1, 0, 0, 0], np.int32)
    table = labels_table(LABELS, copies, ("a", "b", "c", "d"), shots=3, replicate=True, seed=8)
    pq.write_table(table, tmp_path / plan.LABELS_FILE)
    read = pq.read_table(tmp_path / plan.LABELS_FILE)
    assert read.to_pydict() == {
        "label": [0, 1, 2, 3],
        "name": ["a", "b", "c", "d"],
        "count": [2, 0, 5, 1],
        "quota": [1, 0, 3, 1],
        "unique": [1, 0, 1, 1],
        "repeats": [0, 0, 2, 0],
        "capped": [True, True, False, True],
    }
    assert plan.header_of(read) == {
        "shots": 3,
        "replicate": True,
        "seed": 8,
        "examples": 5,
        "unique_examples": 3,
        "max_copies": 3,
        "capped_labels": 3,
    }
