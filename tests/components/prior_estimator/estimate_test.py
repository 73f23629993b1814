import numpy as np
import pyarrow as pa
import pytest
import scipy.special

from components.artifacts import predictions
from components.prior_estimator import estimate
from components.prior_estimator.settings import ESTIMATORS, EstimatorSettings

NAMES = ("zero", "one", "two", "three")
COUNTS = np.array([50, 30, 20, 0])
LOGITS = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float16)
TARGET = estimate.Images(LOGITS)


def both_sides(drawn) -> tuple[tuple[str, ...], np.ndarray, estimate.Images, estimate.LabelledImages]:
    """Returns names, counts, target and source of a `shift`."""
    labels = len(drawn.source_prior)
    source = estimate.LabelledImages(
        estimate.Images(drawn.source_logits), np.arange(len(drawn.source_labels)), drawn.source_labels
    )
    counts = np.round(1e6 * drawn.source_prior).astype(int)
    return tuple(map(str, range(labels))), counts, estimate.Images(drawn.target_logits), source


def test_the_default_is_the_papers():
    prior = estimate.estimate(EstimatorSettings(), NAMES, COUNTS, TARGET)
    expected = scipy.special.softmax(LOGITS.astype(float) / 2, axis=1).mean(axis=0)
    assert prior.target_prior == pytest.approx(expected, abs=1e-15)
    assert prior.header()["lost_mass"] == pytest.approx(expected[3], abs=1e-15)
    assert (prior.estimator, prior.temperature, prior.temperature_fitted) == ("mean_prediction", 2.0, False)
    assert (prior.interval, prior.assumption, prior.iterations, prior.regularisation) == (None, None, None, None)
    assert prior.num_images == 20


def planned(copies: list[int], ids: list[str], embedding: np.ndarray | None = None) -> estimate.Images:
    """The images of a plan, of predictions for x19, x18, …, x0."""
    table = predictions.table([f"x{19 - i}" for i in range(20)], LOGITS, embedding)
    index_ids = pa.chunked_array([ids[:2], ids[2:]])
    return estimate.read_planned_images(pa.concat_tables([table[:7], table[7:]]), index_ids, np.array(copies, np.int32))


def test_images_count_as_often_as_a_plan_takes_them():
    embedding = np.arange(40.0).reshape(20, 2)
    # x3 is row 16, x11 row 8, x19 row 0; the others are not taken, or in no index.
    images = planned([3, 0, 1, 2], ["x3", "x7", "x19", "x11"], embedding)
    rows = [0, 8, 8, 16, 16, 16]
    assert np.array_equal(images.logits, LOGITS[rows])
    assert np.array_equal(images.embeddings, embedding[rows])
    prior = estimate.estimate(EstimatorSettings(bootstrap=50, seed=3), NAMES, COUNTS, images)
    posteriors = scipy.special.softmax(LOGITS.astype(float) / 2, axis=1)
    expected = (posteriors[0] + 2 * posteriors[8] + 3 * posteriors[16]) / 6
    assert prior.target_prior == pytest.approx(expected, abs=1e-15)
    assert prior.num_images == 6
    draws = np.random.default_rng(3).multinomial(6, np.full(6, 1 / 6), size=50)
    low = np.quantile(draws @ posteriors[rows] / 6, 0.025, axis=0)
    assert prior.interval[0] == pytest.approx(low, abs=1e-12)


def test_a_plan_of_each_image_once_is_no_plan():
    images = planned([1] * 20, [f"x{i}" for i in range(20)])
    assert np.array_equal(images.logits, LOGITS)
    assert images.embeddings is None


@pytest.mark.parametrize(
    ("copies", "message"),
    [
        ([1, 2, 0], "target_plan: 3 rows, but the train split of target_index has 4; make the plan from this index"),
        ([0, 0, 0, 0], "target_plan: takes no image"),
        ([1, 2, 5, 0], "predictions: 1 of the 3 images that target_plan takes are missing, for example 'x20'; predict"),
    ],
)
def test_plans_that_do_not_fit(copies, message):
    with pytest.raises(ValueError, match=message):
        planned(copies, ["x3", "x7", "x20", "x11"])


@pytest.mark.parametrize("estimator", ["mean_prediction", "em", "bbse"])
def test_each_estimator_with_a_fitted_temperature_and_intervals(shift, estimator):
    drawn = shift(labels=8, strength=1.5, source=2000, target=600)
    settings = EstimatorSettings(estimator=estimator, temperature="fitted", bootstrap=100, level=0.9, seed=2)
    prior = estimate.estimate(settings, *both_sides(drawn))
    assert prior.temperature == pytest.approx(1, abs=0.1)
    low, high = prior.interval
    assert np.all((low <= prior.target_prior) & (prior.target_prior <= high))
    assert np.all(low < high)
    assert (prior.temperature_fitted, prior.replicates, prior.level, prior.seed) == (True, 100, 0.9, 2)
    covered = np.mean((low <= drawn.target_prior) & (drawn.target_prior <= high))
    if estimator == "mean_prediction":
        # Sampling error alone: its bias under a shift is not in the interval.
        assert covered < 0.5
        assert (prior.iterations, prior.converged) == (None, None)
    else:
        assert drawn.error(prior.target_prior) < 0.2
        assert prior.converged
        assert prior.iterations > 1
        assert (prior.regularisation is not None) == (estimator == "bbse")
    if estimator == "em":
        assert covered >= 0.75


@pytest.mark.parametrize(
    ("estimator", "temperature", "used", "low", "high"),
    [
        ("mean_prediction", None, 2.0, 0.18, 0.25),
        ("mean_prediction", "fitted", 1.0, 0.03, 0.07),
        ("em", None, 1.0, 0.36, 0.52),
        ("em", 2.0, 2.0, 1.8, 2.0),
        ("bbse", None, 1.0, 0, 0.05),
    ],
    ids=["the paper's", "calibrated", "em", "em, forced", "bbse"],
)
def test_the_error_of_softmaxes_without_a_shift(shift, estimator, temperature, used, low, high):
    drawn = shift(labels=40, strength=0, source=5000, target=2000, spread=0.6)
    settings = EstimatorSettings(estimator=estimator, temperature=temperature)
    prior = estimate.estimate(settings, *both_sides(drawn))
    assert prior.temperature == pytest.approx(used, rel=0.05)
    assert (prior.temperature_fitted, prior.fit_failed) == (used == 1, False)
    assert low <= drawn.error(prior.target_prior) <= high


def test_em_and_bbse_under_a_shift(shift):
    drawn = shift(labels=40, strength=1, source=5000, target=2000, spread=0.6)
    errors = {
        name: drawn.error(estimate.estimate(EstimatorSettings(estimator=name), *both_sides(drawn)).target_prior)
        for name in ESTIMATORS
    }
    assert errors["em"] < 0.65 * errors["mean_prediction"]
    assert errors["bbse"] < 0.85 * errors["mean_prediction"]


@pytest.mark.parametrize(
    ("temperature", "low", "high", "least_error", "most_error"),
    [(None, 0.6, 0.8, 0.5, 0.8), (1.0, 0.6, 0.8, 0.5, 0.8), (2.0, 0.02, 0.06, 1.7, 2)],
    ids=["default", "uncalibrated", "forced"],
)
def test_sigmoids_of_7186_labels(temperature, low, high, least_error, most_error):
    labels, likely = 7186, 20
    rng = np.random.default_rng(0)

    def draw(images: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns calibrated logits, of which five of the first labels stand out, and which labels are present."""
        logits = np.full((images, labels), -8.9)
        for row in logits:
            row[rng.choice(likely, 5, replace=False)] = rng.normal(0, 1.5, 5)
        return logits, rng.random(logits.shape) < scipy.special.expit(logits)

    (logits, _), (target, present) = draw(400), draw(400)
    rows, columns = (rng.random(logits.shape) < scipy.special.expit(logits)).nonzero()
    settings = EstimatorSettings(temperature=temperature, activation="sigmoid")
    prior = estimate.estimate(
        settings,
        tuple(map(str, range(labels))),
        np.ones(labels, int),
        estimate.Images(target),
        estimate.LabelledImages(estimate.Images(logits), rows, columns),
    )
    assert prior.temperature == pytest.approx(temperature or 1, rel=0.05)
    assert low <= prior.target_prior[:likely].sum() <= high
    shares = present.sum(axis=0) / present.sum()
    assert least_error <= np.abs(prior.target_prior - shares).sum() <= most_error


@pytest.mark.parametrize(
    ("estimator", "activation"),
    [("em", "softmax"), ("bbse", "softmax"), ("mean_prediction", "sigmoid")],
    ids=["em", "bbse", "sigmoid"],
)
@pytest.mark.parametrize("known", [np.eye(3)[[0, 1, 2, 0]], np.zeros((4, 3))], ids=["no mistake", "knows nothing"])
def test_a_classifier_without_a_temperature(estimator, activation, known):
    logits = 5 * known
    source = estimate.LabelledImages(estimate.Images(logits), np.arange(4), np.array([0, 1, 2, 0]))
    inputs = NAMES[:3], np.array([5, 3, 2]), estimate.Images(LOGITS[:, :3]), source

    def prior_at(temperature):
        settings = EstimatorSettings(estimator=estimator, activation=activation, temperature=temperature)
        return estimate.estimate(settings, *inputs)

    prior = prior_at(None)
    assert (prior.temperature, prior.temperature_fitted, prior.fit_failed) == (1.0, False, True)
    assert prior.header()["fit_failed"] is True
    assert np.array_equal(prior.target_prior, prior_at(1.0).target_prior)
    with pytest.raises(ValueError, match="no temperature between"):
        prior_at("fitted")


def test_sigmoids_with_a_fitted_temperature():
    probabilities = np.array([[0.8, 0.4, 0.1, 0.2], [0.3, 0.6, 0.9, 0.2]])
    logits = 3 * scipy.special.logit(probabilities)
    labels = np.random.default_rng(0).random((4000, 4)) < np.tile(probabilities, (2000, 1))
    rows, columns = labels.nonzero()
    source = estimate.LabelledImages(estimate.Images(np.tile(logits, (2000, 1))), rows, columns)
    settings = EstimatorSettings(temperature="fitted", activation="sigmoid", bootstrap=10)
    prior = estimate.estimate(settings, NAMES, COUNTS, estimate.Images(logits), source)
    assert prior.temperature == pytest.approx(3, rel=0.05)
    assert prior.target_prior == pytest.approx(np.array([1.1, 1.0, 1.0, 0.4]) / 3.5, abs=0.01)
    assert prior.activation == "sigmoid"


def test_the_seed_reaches_the_interval():
    one, same, other = (
        estimate.estimate(EstimatorSettings(bootstrap=20, seed=seed), NAMES, COUNTS, TARGET).interval
        for seed in (1, 1, 2)
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_smoothing_and_floor_reach_the_prior_and_its_interval():
    plain = estimate.estimate(EstimatorSettings(bootstrap=50), NAMES, COUNTS, TARGET)
    smoothed = estimate.estimate(EstimatorSettings(bootstrap=50, smoothing=0.4), NAMES, COUNTS, TARGET)
    assert smoothed.weights[:3] == pytest.approx(0.6 * plain.weights[:3] + 0.4, abs=1e-12)
    widths = [np.subtract(*prior.interval[::-1])[:3] for prior in (plain, smoothed)]
    assert np.all(widths[1] < 0.8 * widths[0])
    lifted = estimate.estimate(EstimatorSettings(floor=0.32), NAMES, COUNTS, TARGET)
    expected = np.maximum(plain.reachable_prior[:3], 0.32)
    assert expected.sum() > 1.01
    assert lifted.reachable_prior[:3] == pytest.approx(expected / expected.sum(), abs=1e-12)
    assert lifted.header()["lost_mass"] == pytest.approx(plain.header()["lost_mass"], abs=1e-12)


def test_the_assumption_is_checked_where_both_sides_have_embeddings():
    labels = np.repeat(np.arange(3), 10)
    rng = np.random.default_rng(0)
    source_embeddings = rng.normal(size=(30, 5))
    logits = 9.0 * np.eye(4)[labels]
    # What is predicted as 1 lies elsewhere.
    target_embeddings = rng.normal(size=(30, 5)) + 8 * (labels == 1)[:, None]
    source = estimate.LabelledImages(estimate.Images(logits, source_embeddings), np.arange(30), labels)
    target = estimate.Images(logits, target_embeddings)
    prior = estimate.estimate(EstimatorSettings(assumption_threshold=2.5), NAMES, COUNTS, target, source)
    assert prior.assumption.flagged.tolist() == [False, True, False, False]
    assert prior.assumption.target_images.tolist() == [10, 10, 10, 0]
    assert prior.assumption_threshold == 2.5
    high = estimate.estimate(EstimatorSettings(assumption_threshold=50), NAMES, COUNTS, target, source)
    assert not high.assumption.flagged.any()
    without = estimate.LabelledImages(estimate.Images(logits), np.arange(30), labels)
    for left_out in ((target, without), (estimate.Images(logits), source), (target, None)):
        prior = estimate.estimate(EstimatorSettings(), NAMES, COUNTS, *left_out)
        assert (prior.assumption, prior.assumption_threshold) == (None, None)


@pytest.mark.parametrize(
    "settings",
    [
        EstimatorSettings(estimator="em"),
        EstimatorSettings(estimator="bbse", temperature="fitted"),
        EstimatorSettings(temperature="fitted"),
        EstimatorSettings(activation="sigmoid"),
    ],
    ids=["em", "bbse", "fitted", "sigmoid"],
)
def test_a_missing_source_is_refused(settings):
    with pytest.raises(ValueError, match=r"source_predictions: missing.*eval split.*'mean_prediction'"):
        estimate.estimate(settings, NAMES, COUNTS, TARGET)


def test_bbse_names_the_labels_it_has_no_images_of():
    source = estimate.LabelledImages(TARGET, np.arange(20), np.arange(20) % 2)
    with pytest.raises(ValueError, match=r"1 of 3 labels .*for example two"):
        estimate.estimate(EstimatorSettings(estimator="bbse"), NAMES, COUNTS, TARGET, source)


def test_logits_of_another_vocabulary_are_refused():
    other = estimate.Images(LOGITS[:, :3])
    with pytest.raises(ValueError, match=r"^predictions: 3 logits an image, but the source vocabulary has 4 labels"):
        estimate.estimate(EstimatorSettings(), NAMES, COUNTS, other)
    with pytest.raises(ValueError, match=r"^source_predictions: 3 logits"):
        source = estimate.LabelledImages(other, np.arange(20), np.zeros(20, int))
        estimate.estimate(EstimatorSettings(), NAMES, COUNTS, TARGET, source)


def test_a_source_without_examples_is_refused():
    with pytest.raises(ValueError, match="index: the source's train split has no example"):
        estimate.estimate(EstimatorSettings(), NAMES, np.zeros(4, int), TARGET)


def test_a_target_without_images_is_refused():
    with pytest.raises(ValueError, match=r"logits: shape \(0, 4\)"):
        estimate.estimate(EstimatorSettings(), NAMES, COUNTS, estimate.Images(LOGITS[:0]))


# --- labels of the source's images

INDEX = pa.table(
    {
        "source_id": ["d", "a", "b", "c"],
        "labels": pa.array([[3], [0], [1, 2], [2]], pa.list_(pa.int32())),
    }
)


def test_a_sample_is_joined_to_its_labels_by_id():
    table = predictions.table(["b", "d", "a"], LOGITS[:3], LOGITS[3:6, :2])
    labelled = estimate.read_labelled_images(table, INDEX, 4)
    assert labelled.rows.tolist() == [0, 0, 1, 2]
    assert labelled.labels.tolist() == [1, 2, 3, 0]
    assert np.array_equal(labelled.images.logits, LOGITS[:3])
    assert np.array_equal(labelled.images.embeddings, LOGITS[3:6, :2])


def test_a_sample_and_an_index_of_several_files():
    table = pa.concat_tables([predictions.table(["c"], LOGITS[:1]), predictions.table(["d", "a"], LOGITS[1:3])])
    labelled = estimate.read_labelled_images(table, pa.concat_tables([INDEX[:1], INDEX[1:]]), 4)
    assert labelled.labels.tolist() == [2, 3, 0]
    assert labelled.images.embeddings is None
    assert np.array_equal(labelled.images.logits, LOGITS[:3])


def test_an_id_that_is_not_in_the_index_is_refused():
    table = predictions.table(["b", "x", "y"], LOGITS[:3])
    with pytest.raises(ValueError, match=r"source_predictions: 2 of 3 ids are not in the index.*'x'"):
        estimate.read_labelled_images(table, INDEX, 4)


def test_a_label_outside_the_vocabulary_is_refused():
    with pytest.raises(ValueError, match="labels: 3 is outside the vocabulary of 3 labels"):
        estimate.read_labelled_images(predictions.table(["d"], LOGITS[:1]), INDEX, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"estimator": "pacc"}, "estimator: 'pacc'; choose one of mean_prediction, em, bbse"),
        ({"activation": "relu"}, "activation: 'relu'; choose one of softmax, sigmoid"),
        ({"estimator": "em", "activation": "sigmoid"}, "estimator: 'em' assumes one label an image"),
        ({"estimator": "bbse", "activation": "sigmoid"}, "estimator: 'bbse' assumes one label an image"),
        ({"temperature": 0}, r"temperature: 0; .*positive number \(or 'fitted'"),
        ({"temperature": -1.5}, "temperature: -1.5"),
        ({"temperature": float("nan")}, "temperature: nan"),
        ({"temperature": "hot"}, "temperature: 'hot'; .*'fitted'"),
        ({"temperature": True}, "temperature: True"),
        ({"bootstrap": -1}, "bootstrap: -1; it must be at least 0"),
        ({"level": 95}, "level: 95; it must be between 0 and 1"),
        ({"smoothing": 1.5}, "smoothing: 1.5; it must be from 0 to 1"),
        ({"floor": -0.1}, "floor: -0.1"),
        ({"assumption_threshold": 0}, "assumption_threshold: 0; it must be positive"),
        ({"seed": -1}, "seed: -1"),
    ],
)
def test_settings_that_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        EstimatorSettings(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"estimator": "em", "temperature": 2.0}, "temperature: 2.0, but the estimator 'em' .*force"),
        ({"estimator": "em", "temperature": 1.0}, "temperature: 1.0, but the estimator 'em'"),
        ({"estimator": "bbse", "temperature": 0.5}, "temperature: 0.5, but the estimator 'bbse'"),
        ({"activation": "sigmoid", "temperature": 1.01}, "temperature: 1.01, but above 1 the sigmoids"),
    ],
    ids=["em", "em at 1", "bbse", "sigmoid"],
)
def test_temperatures_that_need_force(changes, message):
    with pytest.raises(ValueError, match=message):
        EstimatorSettings(**changes).check_temperature()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"temperature": 2.0},
        {"temperature": 0.5},
        {"activation": "sigmoid"},
        {"activation": "sigmoid", "temperature": 1.0},
        {"activation": "sigmoid", "temperature": "fitted"},
        {"estimator": "em"},
        {"estimator": "bbse", "temperature": "fitted"},
    ],
    ids=str,
)
def test_temperatures_that_do_not(changes):
    EstimatorSettings(**changes).check_temperature()


@pytest.mark.parametrize(
    ("changes", "chosen"),
    [
        ({}, 2.0),
        ({"temperature": 3.0}, 3.0),
        ({"estimator": "em"}, "fitted"),
        ({"estimator": "bbse"}, "fitted"),
        ({"activation": "sigmoid"}, "fitted"),
        ({"activation": "sigmoid", "temperature": 0.5}, 0.5),
    ],
    ids=str,
)
def test_the_default_temperature_follows_estimator_and_activation(changes, chosen):
    assert EstimatorSettings(**changes).chosen_temperature == chosen
