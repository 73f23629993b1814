import numpy as np
import pytest

from components.prior_estimator import assumption, posteriors

DIMENSIONS = 24


def embeddings(labels: np.ndarray, seed: int, shift: float = 0.0, spread: float = 1.0) -> np.ndarray:
    """Around a centre for each label; dimensions have scales from 0.1 to 10, and the last one is always 0."""
    centres = 3 * np.random.default_rng(99).normal(size=(labels.max() + 1, DIMENSIONS))
    noise = np.random.default_rng(seed).normal(size=(len(labels), DIMENSIONS))
    scales = np.append(np.geomspace(0.1, 10, DIMENSIONS - 1), 0)
    return ((centres[labels] + shift + spread * noise) * scales).astype(np.float16)


def test_by_hand():
    # Images of label 0 lie 1.5, 0 and 1.5 from the mean of the two others: squared, 1.5 on average. Label 1 has one
    # image, so that it takes the pooled variance, 1, twice: once for a new image, once for the mean.
    source, labels = np.array([[0.0], [1.0], [2.0], [10.0]]), np.array([0, 0, 0, 1])
    target, predicted = np.array([[4.0], [1.0], [6.0]]), np.array([0, 0, 1])
    checked = assumption.check(source, labels, target, predicted, 3, threshold=1.5, min_images=1)
    assert checked.ratio[:2] == pytest.approx([np.sqrt((9 + 0) / 2 / 1.5), np.sqrt(16 / 2)], abs=1e-12)
    assert np.isnan(checked.ratio[2])
    assert checked.target_images.tolist() == [2, 1, 0]
    assert checked.flagged.tolist() == [True, True, False]


def test_images_of_the_same_distribution_have_ratios_about_one():
    labels = np.arange(2000) % 40
    checked = assumption.check(embeddings(labels, 0), labels, embeddings(labels, 1), labels, 40)
    assert np.median(checked.ratio) == pytest.approx(1, abs=0.02)
    assert np.all(np.abs(checked.ratio - 1) < 0.15)
    assert not checked.flagged.any()
    assert checked.target_images.tolist() == [50] * 40


def test_only_labels_that_look_different_are_flagged():
    labels = np.arange(600) % 6
    target = embeddings(labels, 1)
    target[labels == 2] = embeddings(labels, 1, shift=2.0)[labels == 2]
    target[labels == 4] = embeddings(labels, 1, spread=3.0)[labels == 4]
    checked = assumption.check(embeddings(labels, 0), labels, target, labels, 6)
    assert checked.flagged.tolist() == [False, False, True, False, True, False]
    assert checked.ratio[4] == pytest.approx(3, rel=0.1)


@pytest.mark.parametrize(("threshold", "min_images", "flagged"), [(1.5, 4, True), (1.5, 5, False), (9.0, 4, False)])
def test_threshold_and_number_of_images(threshold, min_images, flagged):
    labels = np.arange(100) % 5
    target = embeddings(np.array([0, 1, 2, 3]), 1, spread=3.0)
    checked = assumption.check(
        embeddings(labels, 0), labels, target, np.full(4, 3), 5, threshold=threshold, min_images=min_images
    )
    assert checked.flagged.tolist() == [False, False, False, flagged, False]
    assert 2 < checked.ratio[3] < 9


def test_a_unit_that_is_silent_on_the_source_is_noticed():
    labels = np.arange(100) % 2
    target = embeddings(labels, 1)
    target[:, -1] = 100
    checked = assumption.check(embeddings(labels, 0), labels, target, labels, 2)
    assert checked.flagged.all()
    assert np.isfinite(checked.ratio).all()


def test_a_label_with_few_source_images_takes_the_spread_of_all():
    # The four images of label 0 happen to lie close together: on their own they would condemn anything else.
    labels = np.concatenate([np.zeros(4, int), np.ones(200, int)])
    source = embeddings(labels, 0)
    source[:4] = embeddings(labels, 0, spread=0.01)[:4]
    new = np.zeros(50, int)
    target = embeddings(np.concatenate([new, [1]]), 1)[:50]
    of_all = assumption.check(source, labels, target, new, 2, min_images=5)
    of_its_own = assumption.check(source, labels, target, new, 2, min_images=4)
    assert of_all.ratio[0] == pytest.approx(1, abs=0.15)
    assert of_its_own.ratio[0] > 30


def test_an_image_of_two_labels_counts_for_both():
    rows, labels = np.array([0, 0, 1, 2, 3]), np.array([0, 1, 0, 1, 1])
    source = np.random.default_rng(0).normal(size=(4, 3))
    target, predicted = np.random.default_rng(1).normal(size=(4, 3)), np.array([0, 1, 1, 0])
    by_rows = assumption.check(source, labels, target, predicted, 2, source_rows=rows)
    by_copies = assumption.check(source[rows], labels, target, predicted, 2)
    assert by_rows.ratio == pytest.approx(by_copies.ratio, abs=1e-12)


def test_a_thousand_labels_in_chunks(monkeypatch):
    rng = np.random.default_rng(0)
    labels, predicted = np.arange(3000) % 1500, rng.integers(0, 1500, 500)
    arguments = (embeddings(labels, 0), labels, embeddings(predicted, 1), predicted, 1501)
    whole = assumption.check(*arguments)
    monkeypatch.setattr(posteriors, "_CHUNK_CELLS", 1000)
    chunked = assumption.check(*arguments)
    assert chunked.ratio == pytest.approx(whole.ratio, nan_ok=True, abs=1e-9)
    assert np.isnan(whole.ratio).sum() == 1501 - len(np.unique(predicted))
    assert whole.target_images.sum() == 500
    assert np.nanmedian(whole.ratio) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("source", "labels"),
    [(np.ones((3, 2)), [0, 0, 1]), (np.array([[0.0, 1.0], [2.0, 5.0], [4.0, 4.0]]), [0, 1, 2])],
    ids=["all images are equal", "an image a label"],
)
def test_without_any_spread_nothing_is_said(source, labels):
    target, predicted = np.arange(20.0).reshape(10, 2), np.array([0] * 6 + [1] * 4)
    found = assumption.check(source, np.array(labels), target, predicted, 3)
    assert found.target_images.tolist() == [6, 4, 0]
    assert np.isnan(found.ratio).tolist() == [True] * 3
    assert found.flagged.tolist() == [False] * 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target_embeddings": np.ones((2, 3))}, "target_embeddings: 3 dimensions, but source_embeddings: 2"),
        ({"target_embeddings": np.array([[1.0, 2.0], [np.inf, 2.0]])}, "target_embeddings: row 1 is not finite"),
        ({"target_embeddings": np.empty((0, 2)), "predicted": np.empty(0, int)}, r"target_embeddings: shape \(0, 2\)"),
        ({"source_embeddings": np.array([[np.nan, 0.0]] * 3)}, "source_embeddings: row 0 is not finite"),
        ({"source_labels": np.array([0, 0, 3])}, "labels: 3 is outside the vocabulary of 3"),
        ({"predicted": np.array([0, 5])}, "labels: 5 is outside the vocabulary of 3"),
        ({"threshold": 0.0}, "threshold: 0.0"),
        ({"min_images": 0}, "min_images: 0"),
    ],
)
def test_input_that_is_refused(changes, message):
    arguments = {
        "source_embeddings": np.array([[0.0, 1.0], [2.0, 5.0], [4.0, 4.0]]),
        "source_labels": np.array([0, 0, 1]),
        "target_embeddings": np.array([[1.0, 2.0], [3.0, 4.0]]),
        "predicted": np.array([0, 1]),
        "num_labels": 3,
        **changes,
    }
    with pytest.raises(ValueError, match=message):
        assumption.check(**arguments)
