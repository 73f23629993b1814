import math

import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st

from components.prior_estimator import calibration, posteriors

# Four images that the classifier gives the odds e^a : 1; three of them are of the label that it prefers.
CONFIDENT = np.array([[2.5, 0.0]] * 4)
THREE_OF_FOUR = np.array([0, 0, 1, 0])


def test_the_temperature_makes_the_confidence_the_accuracy():
    # softmax(2.5 / T) = ¾ where T = 2.5 / log 3.
    assert calibration.fit_temperature(CONFIDENT, THREE_OF_FOUR) == pytest.approx(2.5 / math.log(3), rel=1e-4)


def test_the_temperature_of_sigmoids():
    # Label 0 is on three images of four, label 1 on one: sigmoid(±2.5 / T) is ¾ and ¼ at the same T.
    logits = np.array([[2.5, -2.5]] * 4)
    fitted = calibration.fit_temperature(logits, THREE_OF_FOUR, activation="sigmoid")
    assert fitted == pytest.approx(2.5 / math.log(3), rel=1e-4)


def test_sigmoids_of_images_with_two_labels():
    # Labels 0 and 1 are both on three images of four.
    logits = np.array([[1.5, 1.5]] * 4)
    fitted = calibration.fit_temperature(
        logits, np.array([0, 1, 0, 1, 0, 1]), rows=np.array([0, 0, 1, 2, 2, 3]), activation="sigmoid"
    )
    assert fitted == pytest.approx(1.5 / math.log(3), rel=1e-4)


def test_a_softmax_image_with_two_labels_counts_for_both():
    # The second image is of labels 0 and 1, so that three pairs of four are of label 0.
    logits = np.array([[2.5, 0.0]] * 3)
    fitted = calibration.fit_temperature(logits, np.array([0, 0, 1, 0]), rows=np.array([0, 1, 1, 2]))
    assert fitted == pytest.approx(2.5 / math.log(3), rel=1e-4)


@pytest.mark.parametrize("true_temperature", [0.4, 1.0, 2.7])
@pytest.mark.parametrize("labels", [3, 1200])
def test_the_temperature_that_labels_were_drawn_at(labels, true_temperature):
    rng = np.random.default_rng(1)
    logits = (3 * rng.normal(size=(1500, labels))).astype(np.float16)
    probabilities = scipy.special.softmax(logits.astype(float) / true_temperature, axis=1)
    drawn = (probabilities.cumsum(axis=1) < rng.random((1500, 1))).sum(axis=1).clip(max=labels - 1)
    assert calibration.fit_temperature(logits, drawn) == pytest.approx(true_temperature, rel=0.08)


@settings(max_examples=25)
@given(st.integers(0, 99), st.floats(0.2, 5))
def test_logits_times_a_factor_have_that_times_the_temperature(seed, factor):
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(40, 3))
    drawn = np.where(rng.random(40) < 0.6, logits.argmax(axis=1), rng.integers(0, 3, 40))
    fitted = calibration.fit_temperature(logits, drawn)
    assert calibration.fit_temperature(factor * logits, drawn) == pytest.approx(factor * fitted, rel=1e-3)


def test_the_size_of_the_chunks_changes_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    logits, drawn = rng.normal(size=(50, 4)), rng.integers(0, 4, 50)
    drawn[:30] = logits.argmax(axis=1)[:30]
    for activation in posteriors.ACTIVATIONS:
        with monkeypatch.context() as patch:
            whole = calibration.fit_temperature(logits, drawn, activation=activation)
            patch.setattr(posteriors, "_CHUNK_CELLS", 9)
            assert calibration.fit_temperature(logits, drawn, activation=activation) == pytest.approx(whole, rel=1e-6)


@pytest.mark.parametrize(
    ("logits", "labels", "options", "message"),
    [
        (np.empty((0, 2)), np.empty(0, int), {}, r"logits: shape \(0, 2\)"),
        (CONFIDENT, np.empty(0, int), {}, "labels: 0 of them for 4 rows"),
        (CONFIDENT, np.array([0, 1]), {}, "labels: 2 of them for 4 rows"),
        (CONFIDENT, np.array([0, 0, 2, 0]), {}, "labels: 2 is outside the vocabulary of 2 labels"),
        (CONFIDENT, np.array([0, 0, -1, 0]), {}, "labels: -1 is outside"),
        (np.array([[0.0, 1.0], [np.nan, 0.0]]), np.array([0, 1]), {}, "logits: row 1 is not finite"),
        (CONFIDENT, THREE_OF_FOUR, {"activation": "relu"}, "activation: 'relu'; choose one of softmax, sigmoid"),
    ],
    ids=["no image", "no label", "too few labels", "label too high", "label below 0", "NaN", "activation"],
)
def test_input_that_is_refused(logits, labels, options, message):
    with pytest.raises(ValueError, match=message):
        calibration.fit_temperature(logits, labels, **options)


@pytest.mark.parametrize(
    ("logits", "labels"),
    [
        (CONFIDENT, np.zeros(4, int)),
        (CONFIDENT, np.array([1, 1, 0, 1])),
        (np.zeros((4, 2)), THREE_OF_FOUR),
        (np.zeros((4, 1)), np.zeros(4, int)),
    ],
    ids=["no mistake", "worse than chance", "knows nothing", "one label"],
)
def test_what_no_temperature_calibrates_is_refused(logits, labels):
    with pytest.raises(ValueError, match=r"logits: no temperature between 0.01 and 100.*larger sample, or a number"):
        calibration.fit_temperature(logits, labels)
