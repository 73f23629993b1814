import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from components.prior_estimator import posteriors, priors

# Posteriors of three images over three labels; as logits at a temperature of 2.
POSTERIORS = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8], [0.6, 0.2, 0.2]])
LOGITS = 2 * np.log(POSTERIORS) + np.array([[3.0], [-2.0], [0.0]])
THIRDS = np.full(3, 1 / 3)
JFT = 18_291  # labels

logits_strategy = hnp.arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 5)), elements=st.floats(-30, 30))


def uneven(labels: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(labels))


def step_in_log_space(logits: np.ndarray, prior: np.ndarray, source_prior: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return scipy.special.softmax(logits + np.log(prior) - np.log(source_prior), axis=1).mean(axis=0)


# --- mean prediction


def test_mean_prediction_of_softmaxes():
    assert priors.mean_prediction(LOGITS, 2.0) == pytest.approx([1.2 / 3, 0.6 / 3, 1.2 / 3], abs=1e-15)


def test_a_higher_temperature_softens():
    softened = np.sqrt(POSTERIORS) / np.sqrt(POSTERIORS).sum(axis=1, keepdims=True)
    assert priors.mean_prediction(LOGITS, 4.0) == pytest.approx(softened.mean(axis=0), abs=1e-15)


def test_mean_prediction_of_sigmoids_is_the_share_of_pairs():
    # 1.2 labels expected on the first image, 2.0 on the second: it counts for more.
    probabilities = np.array([[0.9, 0.2, 0.1], [0.6, 0.5, 0.9]])
    logits = 1.5 * scipy.special.logit(probabilities)
    expected = np.array([1.5, 0.7, 1.0]) / 3.2
    assert priors.mean_prediction(logits, 1.5, activation="sigmoid") == pytest.approx(expected, abs=1e-15)


def test_weights_count_images():
    expected = (3 * POSTERIORS[0] + POSTERIORS[2]) / 4
    assert priors.mean_prediction(LOGITS, 2.0, weights=np.array([1.5, 0, 0.5])) == pytest.approx(expected, abs=1e-15)


def test_many_sets_of_weights_at_once():
    weights = np.array([[1, 0, 0], [0, 0, 7], [1, 1, 0]])
    expected = [POSTERIORS[0], POSTERIORS[2], (POSTERIORS[0] + POSTERIORS[1]) / 2]
    assert priors.mean_prediction(LOGITS, 2.0, weights=weights) == pytest.approx(np.array(expected), abs=1e-15)


@given(logits_strategy, st.floats(0.1, 10))
def test_mean_prediction_is_a_distribution_whatever_is_added_to_an_image(logits, temperature):
    prior = priors.mean_prediction(logits, temperature)
    assert prior.sum() == pytest.approx(1, abs=1e-12)
    shifted = logits + np.arange(len(logits))[:, None]
    assert priors.mean_prediction(shifted, temperature) == pytest.approx(prior, abs=1e-9)


def test_18291_labels_in_float16_do_not_underflow():
    # 4 images that are sure of one label each, and 1 that knows nothing: its 1/18291 are below float16's least number.
    logits = np.zeros((5, JFT), np.float16)
    logits[np.arange(4), [7, 7, 7, 11]] = 40
    prior = priors.mean_prediction(logits, 1.0)
    assert prior[[7, 11, 12]] == pytest.approx([0.6, 0.2, 0.2 / JFT], rel=1e-4)
    assert prior.sum() == pytest.approx(1, abs=1e-12)


# --- EM


def test_the_first_step_is_mean_prediction():
    source_prior = np.array([0.6, 0.3, 0.1])
    first = priors.em(LOGITS, source_prior, 2.0, max_iterations=1)
    assert first.prior == pytest.approx(priors.mean_prediction(LOGITS, 2.0), abs=1e-15)
    assert (first.iterations, first.converged) == (1, False)


def test_the_steps_are_those_of_the_paper():
    source_prior = np.array([0.6, 0.3, 0.1])
    expected = source_prior
    for _ in range(4):
        expected = step_in_log_space(LOGITS / 2, expected, source_prior)
    assert priors.em(LOGITS, source_prior, 2.0, max_iterations=4).prior == pytest.approx(expected, abs=1e-14)


def test_two_labels_solved_by_hand():
    # With r = P_t(0) / P_t(1) the likelihood is (r + 4) (2 r + 1)³ / (r + 1)⁴, which has its maximum at r = 3.
    logits = np.log(np.array([[1, 4], [2, 1], [2, 1], [2, 1]]))
    result = priors.em(logits, np.array([0.5, 0.5]), 1.0, tolerance=1e-12)
    assert result.converged
    assert result.prior == pytest.approx([0.75, 0.25], abs=1e-9)


def test_the_prior_under_which_the_posteriors_hold_is_divided_out():
    # The same images as above, seen by a classifier that learned from one and a half times as many of label 0.
    logits = np.log(np.array([[1.5, 4], [3, 1], [3, 1], [3, 1]]))
    result = priors.em(logits, np.array([0.6, 0.4]), 1.0, tolerance=1e-12)
    assert result.prior == pytest.approx([0.75, 0.25], abs=1e-9)


def test_certain_posteriors_are_counted():
    logits = np.full((5, 3), -200.0)
    logits[np.arange(5), [0, 2, 2, 2, 0]] = 200
    result = priors.em(logits, np.array([0.1, 0.8, 0.1]), 1.0)
    assert result.prior == pytest.approx([0.4, 0.0, 0.6], abs=1e-15)
    assert (result.iterations, result.converged) == (2, True)


@given(logits_strategy, st.integers(0, 3))
def test_em_never_makes_the_images_less_likely(logits, seed):
    source_prior = uneven(logits.shape[1], seed)
    density = scipy.special.softmax(logits, axis=1) / source_prior
    likelihoods = [
        np.log(density @ priors.em(logits, source_prior, 1.0, tolerance=0, max_iterations=steps).prior).sum()
        for steps in (1, 2, 3, 10)
    ]
    assert np.diff(likelihoods).min() >= -1e-9
    assert likelihoods[0] >= np.log(density @ source_prior).sum() - 1e-9


@given(logits_strategy)
def test_em_weights_count_images(logits):
    source_prior = uneven(logits.shape[1])
    counts = np.arange(len(logits)) % 3 + (np.arange(len(logits)) == 0)
    weighted = priors.em(logits, source_prior, 1.5, weights=counts, max_iterations=5).prior
    repeated = priors.em(np.repeat(logits, counts, axis=0), source_prior, 1.5, max_iterations=5).prior
    assert weighted == pytest.approx(repeated, abs=1e-9)


def test_em_replicates_are_those_of_one_run_each(shift):
    drawn = shift(labels=6, strength=1, source=6, target=50)
    weights = np.random.default_rng(1).multinomial(50, np.full(50, 1 / 50), size=3)
    options = {"tolerance": 0, "max_iterations": 7, "start": uneven(6)}
    together = priors.em(drawn.target_logits, drawn.source_prior, 1.0, weights=weights, **options).prior
    for row, weight in zip(together, weights, strict=True):
        alone = priors.em(drawn.target_logits, drawn.source_prior, 1.0, weights=weight, **options).prior
        assert row == pytest.approx(alone, abs=1e-13)


def test_a_label_without_source_examples_gets_nothing_from_em():
    # It is the one the images look most like.
    result = priors.em(np.array([[1.0, 9.0, 2.0], [0.5, 9.0, 0.0]]), np.array([0.3, 0.0, 0.7]), 1.0)
    assert result.prior[1] == 0
    assert result.prior.sum() == pytest.approx(1, abs=1e-12)


def test_em_where_that_label_drowns_all_others():
    logits = np.array([[1.0, 2000.0, 1.0 - np.log(3)], [1.0 - np.log(3), 2000.0, 1.0]])
    result = priors.em(logits, np.array([0.5, 0.0, 0.5]), 1.0)
    assert result.prior == pytest.approx([0.5, 0, 0.5], abs=1e-12)


def test_em_where_posteriors_underflow():
    # Posteriors of e^-600, and a weight that makes up for a part of that.
    logits = np.array([[0.0, -600.0, -700.0], [-600.0, 0.0, -700.0]])
    result = priors.em(logits, np.array([1.0, 1e-100, 0.0]), 1.0)
    assert result.prior == pytest.approx([0.5, 0.5, 0], abs=1e-12)


def test_18291_labels_of_float16_logits_by_em():
    source_prior = uneven(JFT)
    rng = np.random.default_rng(0)
    logits = (np.log(source_prior) + rng.normal(size=(24, JFT))).astype(np.float16)
    hot = np.array([3, 3, 3, 17_000] * 6)
    logits[np.arange(24), hot] = logits.max() + 14
    result = priors.em(logits, source_prior, 1.0)
    assert result.converged
    assert result.prior[[3, 17_000]] == pytest.approx([0.75, 0.25], abs=1e-3)
    assert result.prior.sum() == pytest.approx(1, abs=1e-12)


# --- BBSE


def labelled_posteriors(labels: int, seed: int = 0) -> np.ndarray:
    """One image of each label, which the classifier mostly gets right: their posteriors are the columns of M."""
    return 0.7 * np.eye(labels) + 0.3 * np.random.default_rng(seed).dirichlet(np.ones(labels), size=labels)


@pytest.mark.parametrize("labels", [2, 5, 40])
def test_bbse_solves_q_equals_mp_exactly(labels):
    logits = 3 * np.log(labelled_posteriors(labels))
    counts = np.arange(1, labels + 1)  # every label is there, so that the solution lies inside the simplex
    target = np.repeat(logits, counts, axis=0)
    result = priors.bbse(target, logits, np.arange(labels), uneven(labels), 3.0, regularisation=0.0)
    assert result.converged
    assert result.prior == pytest.approx(counts / counts.sum(), abs=2e-5)
    assert result.regularisation == 0


def test_bbse_tells_rows_of_m_from_columns():
    # Label 1 is mistaken for 0 half of the time, never the other way round.
    logits = np.log(np.array([[1 - 1e-9, 1e-9], [0.5, 0.5]]))
    target = logits[[1, 1, 1, 0]]
    result = priors.bbse(target, logits, np.array([0, 1]), np.array([0.9, 0.1]), 1.0, regularisation=0.0)
    assert result.prior == pytest.approx([0.25, 0.75], abs=1e-5)


def test_bbse_averages_the_images_of_a_label_in_any_order():
    columns = labelled_posteriors(3)
    logits = np.log([columns[2], columns[0], columns[1], columns[0], columns[0]])
    labels = np.array([2, 0, 1, 0, 0])
    target = np.log(columns[[0, 1, 1, 2]])
    result = priors.bbse(target, logits, labels, THIRDS, 1.0, regularisation=0.0)
    assert result.prior == pytest.approx([0.25, 0.5, 0.25], abs=1e-5)


def test_bbse_with_an_image_of_two_labels():
    columns = labelled_posteriors(3)
    pairs = {"source_labels": np.array([0, 0, 1, 2]), "source_rows": np.array([0, 1, 1, 2])}
    twice = {"source_labels": np.array([0, 0, 1, 2])}
    target = np.log(columns)
    by_pairs = priors.bbse(target, np.log(columns), source_prior=THIRDS, temperature=1.0, **pairs)
    by_copies = priors.bbse(target, np.log(columns[[0, 1, 1, 2]]), source_prior=THIRDS, temperature=1.0, **twice)
    assert by_pairs.prior == pytest.approx(by_copies.prior, abs=1e-12)


def test_much_regularisation_is_the_source_prior_and_some_is_between(shift):
    drawn = shift(labels=5, strength=1.5, source=500, target=500)
    arguments = (drawn.target_logits, drawn.source_logits, drawn.source_labels, drawn.source_prior, 1.0)
    distances = [
        np.linalg.norm(priors.bbse(*arguments, regularisation=value).prior - drawn.source_prior)
        for value in (1e6, 1.0, 0.1, 0.0)
    ]
    assert distances[0] == pytest.approx(0, abs=1e-5)
    assert np.all(np.diff(distances) > 1e-3)


def test_bbse_replicates_are_those_of_one_run_each(shift):
    drawn = shift(labels=6, strength=1, source=200, target=50)
    arguments = (drawn.target_logits, drawn.source_logits, drawn.source_labels, drawn.source_prior, 1.0)
    weights = np.random.default_rng(1).multinomial(50, np.full(50, 1 / 50), size=4)
    together = priors.bbse(*arguments, regularisation=0.01, weights=weights).prior
    for row, weight in zip(together, weights, strict=True):
        repeated = (np.repeat(drawn.target_logits, weight, axis=0), *arguments[1:])
        assert row == pytest.approx(priors.bbse(*repeated, regularisation=0.01).prior, abs=1e-5)


def test_the_residual_left_is_the_sampling_noise(shift):
    drawn = shift(labels=8, strength=1, source=2000, target=500)
    result = priors.bbse(drawn.target_logits, drawn.source_logits, drawn.source_labels, drawn.source_prior, 1.0)
    target, source = (scipy.special.softmax(logits, axis=1) for logits in (drawn.target_logits, drawn.source_logits))
    groups = [source[drawn.source_labels == label] for label in range(8)]
    matrix = np.stack([group.mean(axis=0) for group in groups], axis=1)
    residual = np.square(matrix @ result.prior - target.mean(axis=0)).sum()
    noise = np.trace(np.cov(target.T)) / len(target) + sum(
        share**2 * np.trace(np.cov(group.T)) / len(group) for share, group in zip(result.prior, groups, strict=True)
    )
    assert 0 < result.regularisation < 1
    assert residual == pytest.approx(noise, rel=0.03)


def test_a_label_without_source_examples_gets_nothing_from_bbse():
    columns = labelled_posteriors(4)
    # A source image of that label is no reason to fail, but none to use it either.
    result = priors.bbse(
        np.log(columns), np.log(columns), np.arange(4), np.array([0.5, 0.0, 0.2, 0.3]), 1.0, regularisation=0.0
    )
    assert result.prior[1] == 0
    assert result.prior.sum() == pytest.approx(1, abs=1e-12)


# --- all of them, where the truth is known

STRENGTHS = [0.0, 0.5, 1.5]


@pytest.mark.parametrize("strength", STRENGTHS, ids=["no shift", "mild", "strong"])
def test_a_known_shift_is_recovered(shift, strength):
    drawn = shift(labels=10, strength=strength, source=4000, target=4000)
    mean = drawn.error(priors.mean_prediction(drawn.target_logits, 1.0))
    em = drawn.error(priors.em(drawn.target_logits, drawn.source_prior, 1.0).prior)
    arguments = (drawn.target_logits, drawn.source_logits, drawn.source_labels, drawn.source_prior, 1.0)
    plain = drawn.error(priors.bbse(*arguments, regularisation=0.0).prior)
    regularised = drawn.error(priors.bbse(*arguments).prior)
    assert max(em, plain, regularised) < 0.11
    if strength:
        assert max(em, plain) < 0.5 * mean
        assert regularised < 0.5 * mean
    else:
        # Calibrated predictions are right on average where nothing has shifted; estimating a shift adds noise.
        assert mean < min(em, plain)
        # The discrepancy principle sees that there is nothing but noise.
        assert regularised < 1e-3


@pytest.mark.parametrize("strength", STRENGTHS, ids=["no shift", "mild", "strong"])
def test_a_thousand_labels_and_two_images_of_each(shift, strength):
    # Too few images to tell the labels' shares: mean prediction is better, until the shift is strong.
    drawn = shift(labels=1000, strength=strength, source=3000, target=2000, spread=1.5, dtype=np.float16)
    mean = drawn.error(priors.mean_prediction(drawn.target_logits, 1.0))
    result = priors.em(drawn.target_logits, drawn.source_prior, 1.0, tolerance=1e-3)
    assert result.converged
    assert (drawn.error(result.prior) < mean) == (strength == 1.5)
    arguments = (drawn.target_logits, drawn.source_logits, drawn.source_labels, drawn.source_prior, 1.0)
    plain, regularised = (drawn.error(priors.bbse(*arguments, regularisation=value).prior) for value in (0.0, 1.0))
    assert regularised < 0.9 * plain


def test_a_temperature_of_two_sees_a_shift_where_there_is_none(shift):
    drawn = shift(labels=10, strength=0, source=10, target=4000)
    right, softened = (priors.em(drawn.target_logits, drawn.source_prior, t).prior for t in (1.0, 2.0))
    assert drawn.error(softened) > 4 * drawn.error(right)


@pytest.mark.parametrize("cells", [1, 7, 64])
def test_the_size_of_the_chunks_changes_nothing(shift, monkeypatch, cells):
    drawn = shift(labels=6, strength=1, source=60, target=33)

    def everything():
        arguments = (drawn.source_logits, drawn.source_labels, drawn.source_prior, 1.0)
        return np.stack(
            [
                priors.mean_prediction(drawn.target_logits, 2.0),
                priors.mean_prediction(drawn.target_logits, 2.0, activation="sigmoid"),
                priors.em(drawn.target_logits, drawn.source_prior, 1.0, tolerance=0, max_iterations=20).prior,
                priors.bbse(drawn.target_logits, *arguments, regularisation=0.1).prior,
            ]
        )

    expected = everything()
    monkeypatch.setattr(posteriors, "_CHUNK_CELLS", cells)
    monkeypatch.setattr(priors, "_CACHED_CELLS", 0)
    assert everything() == pytest.approx(expected, abs=1e-12)


# --- smoothing and floor


def test_smoothing_pulls_the_weights_to_one():
    source_prior, target_prior = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.2, 0.7])
    smoothed = priors.adjust(target_prior, source_prior, smoothing=0.25)
    assert smoothed / source_prior == pytest.approx(0.75 * target_prior / source_prior + 0.25, abs=1e-15)


def test_lost_mass_is_not_smoothed_away():
    source_prior, target_prior = np.array([0.5, 0.0, 0.5]), np.array([0.2, 0.2, 0.6])
    smoothed = priors.adjust(target_prior, source_prior, smoothing=0.5, floor=0.4)
    # The reachable part is (¼, ¾); smoothed (⅜, ⅝); with the floor (0.4, 0.625) / 1.025; and 0.8 of it is reachable.
    assert smoothed == pytest.approx([0.8 * 0.4 / 1.025, 0.2, 0.8 * 0.625 / 1.025], abs=1e-15)


def test_a_floor_lifts_what_is_below_it_only():
    source_prior, target_prior = np.array([0.4, 0.4, 0.1, 0.1]), np.array([0.9, 0.1, 0.0, 0.0])
    lifted = priors.adjust(target_prior, source_prior, floor=0.05)
    assert lifted == pytest.approx(np.array([0.9, 0.1, 0.05, 0.05]) / 1.1, abs=1e-15)


def test_neither_is_on_by_default():
    target_prior = uneven(1000)
    assert np.array_equal(priors.adjust(target_prior, uneven(1000, seed=1)), target_prior)


@given(st.integers(1, 8), st.floats(0, 1), st.floats(0, 0.99), st.integers(0, 99))
def test_adjusted_replicates_stay_distributions(labels, smoothing, floor, seed):
    rng = np.random.default_rng(seed)
    source_prior = rng.dirichlet(np.ones(labels)) * (rng.random(labels) < 0.7)
    source_prior[0] += 0.1
    source_prior /= source_prior.sum()
    support = source_prior > 0
    replicates = rng.dirichlet(np.ones(labels), size=3)
    floor /= support.sum()
    result = priors.adjust(replicates, source_prior, smoothing=smoothing, floor=floor)
    assert result.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-12)
    assert np.array_equal(result[:, ~support], replicates[:, ~support])
    if smoothing == 1 and floor == 0:
        inside = replicates[:, support].sum(axis=1, keepdims=True)
        assert result[:, support] / inside == pytest.approx(np.tile(source_prior[support], (3, 1)), abs=1e-12)


# --- what is refused


def with_nan(logits: np.ndarray, row: int) -> np.ndarray:
    logits = logits.copy()
    logits[row, 1] = np.nan
    return logits


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"logits": with_nan(LOGITS, 2)}, "logits: row 2 is not finite"),
        ({"logits": np.full((2, 3), np.inf)}, "logits: row 0 is not finite"),
        ({"logits": np.empty((0, 3))}, r"logits: shape \(0, 3\)"),
        ({"logits": np.zeros(3)}, r"logits: shape \(3,\)"),
        ({"temperature": 0.0}, r"temperature: 0.0; .*positive"),
        ({"temperature": -2.0}, r"temperature: -2.0"),
        ({"temperature": np.nan}, "temperature: nan"),
        ({"weights": np.array([1.0, -1.0, 1.0])}, "weights: must be finite, at least 0"),
        ({"weights": np.zeros(3)}, "weights: .*not all 0"),
        ({"weights": np.ones(2)}, r"weights: shape \(2,\) for 3 images"),
        ({"weights": np.array([1.0, np.nan, 1.0])}, "weights"),
    ],
)
@pytest.mark.parametrize("estimator", ["mean_prediction", "em"])
def test_input_that_is_refused(estimator, changes, message):
    arguments = {"logits": LOGITS, "temperature": 2.0, **changes}
    if estimator == "em":
        arguments["source_prior"] = THIRDS
    with pytest.raises(ValueError, match=message):
        getattr(priors, estimator)(**arguments)


def test_an_unknown_activation_is_refused():
    with pytest.raises(ValueError, match="activation: 'relu'; choose one of softmax, sigmoid"):
        priors.mean_prediction(LOGITS, 2.0, activation="relu")


def test_sigmoids_that_all_vanish_are_refused():
    with pytest.raises(ValueError, match="logits: every sigmoid"):
        priors.mean_prediction(np.full((2, 3), -60_000, np.float16), 1.0, activation="sigmoid")


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        (np.full(4, 0.25), r"shape \(4,\) for 3 labels; it must have the same vocabulary"),
        (np.array([0.5, 0.7, -0.2]), "at least 0 everywhere"),
        (np.array([0.5, 0.25, 0.125]), "sum to 1, not to 0.875"),
        (np.array([0.5, np.nan, 0.5]), "at least 0 everywhere"),
    ],
)
def test_priors_that_are_refused(prior, message):
    with pytest.raises(ValueError, match=f"source_prior: .*{message}"):
        priors.em(LOGITS, prior, 1.0)
    with pytest.raises(ValueError, match=f"start: .*{message}"):
        priors.em(LOGITS, THIRDS, 1.0, start=prior)
    with pytest.raises(ValueError, match=f"source_prior: .*{message}"):
        priors.bbse(LOGITS, LOGITS, np.arange(3), prior, 1.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target_logits": with_nan(LOGITS, 1)}, "target_logits: row 1 is not finite"),
        ({"source_logits": with_nan(LOGITS, 0)}, "source_logits: row 0 is not finite"),
        ({"source_logits": np.zeros((3, 4))}, "source_logits: 4 logits an image, but target_logits: 3"),
        ({"source_labels": np.array([0, 1, 3])}, "labels: 3 is outside the vocabulary of 3 labels"),
        ({"source_labels": np.array([0, -1, 2])}, "labels: -1 is outside"),
        ({"source_labels": np.array([0, 1])}, "labels: 2 of them for 3 rows"),
        (
            {"source_labels": np.array([0, 0, 2])},
            "1 of 3 labels with P_s > 0 have no source image, for example 1;.*'em'",
        ),
        ({"source_labels": np.array([2, 2, 2]), "names": "abc"}, "2 of 3 labels .*for example a, b;.*larger sample"),
        ({"max_labels": 2}, "3 labels are more than max_labels = 2.*'em' or 'mean_prediction'"),
        ({"regularisation": -1.0}, "regularisation: -1.0"),
        ({"regularisation": np.inf}, "regularisation: inf"),
        ({"target_logits": LOGITS[:1]}, "regularisation: None needs at least two target images.*give a number"),
        ({"weights": np.ones((2, 3))}, "regularisation: None needs .*without weights"),
        ({"weights": -np.ones((2, 3)), "regularisation": 0.0}, "weights: must be finite, at least 0"),
        ({"temperature": 0.0}, "temperature: 0.0"),
    ],
)
def test_input_that_bbse_refuses(changes, message):
    arguments = {
        "target_logits": LOGITS,
        "source_logits": LOGITS,
        "source_labels": np.arange(3),
        "source_prior": THIRDS,
        "temperature": 1.0,
        **changes,
    }
    with pytest.raises(ValueError, match=message):
        priors.bbse(**arguments)


def test_bbse_refuses_18291_labels():
    logits = np.zeros((2, JFT), np.float16)
    with pytest.raises(ValueError, match="18291 labels are more than max_labels = 2048"):
        priors.bbse(logits, logits, np.arange(2), uneven(JFT), 1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"smoothing": -0.1}, "smoothing: -0.1"),
        ({"smoothing": 1.1}, "smoothing: 1.1"),
        ({"floor": -0.1}, "floor: -0.1"),
        ({"floor": 0.5}, "floor: 0.5; .*less than 1 / 2"),
        ({"floor": np.nan}, "floor: nan"),
    ],
)
def test_adjustments_that_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        priors.adjust(THIRDS, np.array([0.5, 0.5, 0.0]), **options)
