"""Logistic regression against scikit-learn's, and against what its optimum has to fulfil."""

import numpy as np
import pytest
import scipy.special

from trainer.probes import logistic

CLASSES = 4


def examples(count: int = 60, width: int = 5, classes: int = CLASSES) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(7)
    labels = (classes * random.random(count) ** 2).astype(int)  # the first ones occur more often
    assert len(np.unique(labels)) == classes
    centres = random.normal(size=(classes, width))
    features = centres[labels] + random.normal(size=(count, width))
    return (features * [1, 10, 0.1, 3, 1] + [0, 5, -1, 100, 0]).astype(np.float32), labels


def solve(features, labels, penalty: float, classes: int = CLASSES):
    ((found, kernel, bias),) = logistic.fit_penalties(features, labels, classes, (penalty,))
    assert found == penalty
    return kernel, bias


@pytest.mark.parametrize("penalty", [10.0, 0.1, 1e-3])
def test_it_is_scikit_learns(penalty):
    linear_model = pytest.importorskip("sklearn.linear_model")
    features, labels = examples(classes=3)
    standardised = (features - features.mean(axis=0)) / features.std(axis=0)
    theirs = linear_model.LogisticRegression(C=1 / (penalty * len(labels)), tol=1e-8, max_iter=10_000)
    expected = theirs.fit(standardised, labels).predict_proba(standardised)
    kernel, bias = solve(features, labels, penalty, classes=3)
    present = np.unique(labels)
    found = scipy.special.softmax(features.astype(np.float64) @ kernel + bias, axis=1)[:, present]
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_a_strong_penalty_gives_the_shares_of_the_labels():
    features, labels = examples(classes=2)
    kernel, bias = solve(features, labels, 1e5, classes=2)
    shares = np.bincount(labels) / len(labels)
    assert shares[0] != shares[1]
    found = scipy.special.softmax(features @ kernel + bias, axis=1)
    np.testing.assert_allclose(found, np.broadcast_to(shares, found.shape), atol=1e-3)


def test_scales_and_offsets_of_features_do_not_matter():
    features, labels = examples()
    changed = (features * [3, 0.5, 20, 1, 7] + [1, -2, 3, 50, 0]).astype(np.float32)
    one, other = (x @ solve(x, labels, 0.01)[0] + solve(x, labels, 0.01)[1] for x in (features, changed))
    np.testing.assert_allclose(one, other, atol=1e-2)


def test_a_feature_that_is_always_the_same_is_not_used():
    features, labels = examples()
    features[:, 2] = 4.0
    kernel, bias = solve(features, labels, 0.01)
    np.testing.assert_array_equal(kernel[2], 0)
    assert np.isfinite(kernel).all() and np.isfinite(bias).all()


def test_a_label_without_examples_has_no_probability():
    features, labels = examples(classes=3)
    labels = np.array([0, 2, 5])[labels]
    for penalty, kernel, bias in logistic.fit_penalties(features, labels, 7, (1.0, 1e-6)):
        logits = features @ kernel + bias
        absent = scipy.special.softmax(logits, axis=1)[:, [1, 3, 4, 6]]
        assert absent.max() < 1e-12, penalty
        np.testing.assert_allclose(
            logits[:, 1], logits[:, np.unique(labels)].mean(axis=1) - 30, atol=1e-3 * np.abs(logits).max()
        )


def test_an_only_label():
    features, _ = examples()
    kernel, bias = solve(features, np.full(len(features), 1), 0.1, classes=2)
    assert scipy.special.softmax(features @ kernel + bias, axis=1)[:, 0].max() < 1e-12


def test_a_path_of_penalties_is_as_good_as_each_alone_and_gives_the_same_again():
    features, labels = examples()
    penalties = (1.0, 0.1, 0.01)
    path, again = (list(logistic.fit_penalties(features, labels, CLASSES, penalties)) for _ in range(2))
    for (penalty, kernel, bias), (_, same_kernel, same_bias) in zip(path, again, strict=True):
        np.testing.assert_array_equal(kernel, same_kernel)
        np.testing.assert_array_equal(bias, same_bias)
        alone = solve(features, labels, penalty)
        np.testing.assert_allclose(features @ kernel + bias, features @ alone[0] + alone[1], atol=2e-2)


def test_the_penalties_are_those_of_the_paper():
    assert len(logistic.PENALTIES) == 45
    assert logistic.PENALTIES[0] == pytest.approx(1e5) and logistic.PENALTIES[-1] == pytest.approx(1e-6)
    assert list(logistic.PENALTIES) == sorted(logistic.PENALTIES, reverse=True)


def test_the_gradient_is_that_of_the_objective():
    features, labels = examples(classes=3)
    _, targets = np.unique(labels, return_inverse=True)
    features = ((features - features.mean(axis=0)) / features.std(axis=0)).astype(np.float64)
    classes = targets.max() + 1
    parameters = np.random.default_rng(3).normal(size=classes * (features.shape[1] + 1))
    # The products are in float32, so the steps are large.
    step = 1e-2
    value = lambda shift: logistic._objective(parameters + shift, features, targets, 0.3)[0]  # noqa: E731
    expected = [(value(step * e) - value(-step * e)) / (2 * step) for e in np.eye(len(parameters))]
    np.testing.assert_allclose(logistic._objective(parameters, features, targets, 0.3)[1], expected, atol=2e-4)
