"""Computes the LabelPrior from settings, predictions and label counts. Pure."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.artifacts import index, label_map, label_prior, predictions
from components.prior_estimator import assumption, calibration, intervals, mapping, priors
from components.prior_estimator.settings import FITTED, EstimatorSettings


@dataclasses.dataclass(frozen=True)
class Images:
    """The classifier's predictions for some images.

    Attributes:
      logits: float16 [images, labels].
      embeddings: float16 [images, dimensions], or None.
    """

    logits: np.ndarray
    embeddings: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class LabelledImages:
    """Images of the source that the classifier was not trained on.

    Attributes:
      images: the classifier's predictions for them.
      rows, labels: int32 [pairs], their (image, label) pairs.
    """

    images: Images
    rows: np.ndarray
    labels: np.ndarray


def read_images(table: pa.Table) -> Images:
    """Returns the predictions in a Predictions table."""
    embeddings = predictions.embeddings_of(table) if predictions.has_embeddings(table) else None
    return Images(predictions.logits_of(table), embeddings)


def read_planned_images(table: pa.Table, ids: pa.ChunkedArray, copies: np.ndarray) -> Images:
    """Returns the predictions in a table for the images that a plan takes, each as often as it takes it.

    Args:
      table: a Predictions table.
      ids: the `source_id`s of the index that the plan was made from.
      copies: int [ids], how often the plan takes each image.

    Raises:
      ValueError: `copies` has another length, the plan takes no image, or one that the table does not have.
    """
    if len(copies) != len(ids):
        raise ValueError(
            f"target_plan: {len(copies)} rows, but the train split of target_index has {len(ids)}; make the plan from "
            "this index"
        )
    if not copies.any():
        raise ValueError("target_plan: takes no image, but P_t needs at least one; make a plan that takes some")
    wanted = ids.filter(pa.array(copies > 0))
    missing = wanted.filter(pc.invert(pc.is_in(wanted, value_set=table["source_id"])))
    if len(missing):
        raise ValueError(
            f"predictions: {len(missing)} of the {len(wanted)} images that target_plan takes are missing, for "
            f"example {missing[0].as_py()!r}; predict the target's whole train split"
        )
    # In the order of the table, so that a plan of each image once changes nothing. Images not in the index get the 0.
    positions = pc.fill_null(pc.index_in(table["source_id"], value_set=ids), -1).to_numpy()
    rows = np.repeat(np.arange(len(table)), np.append(copies, 0)[positions])
    images = read_images(table)
    return Images(images.logits[rows], None if images.embeddings is None else images.embeddings[rows])


def read_labelled_images(table: pa.Table, index_table: pa.Table, num_labels: int) -> LabelledImages:
    """Returns the predictions in a table, with the labels from an index (columns source_id and labels).

    Raises:
      ValueError: an id is not in the index, or as for `index.label_pairs`.
    """
    positions = pc.index_in(table["source_id"], value_set=index_table["source_id"])
    if positions.null_count:
        missing = table["source_id"].filter(pc.is_null(positions))
        raise ValueError(
            f"source_predictions: {len(missing)} of {len(table)} ids are not in the index of the source's eval split, "
            f"for example {missing[0].as_py()!r}; both must come from the same examples"
        )
    rows, labels = index.label_pairs(index_table["labels"].take(positions), num_labels)
    return LabelledImages(read_images(table), rows, labels)


def estimate(
    settings: EstimatorSettings,
    names: Sequence[str],
    counts: np.ndarray,
    target: Images,
    source: LabelledImages | None = None,
    match: label_map.Match | None = None,
) -> label_prior.LabelPrior:
    """Estimates P_t by `settings`.

    Args:
      settings: the estimator and its options.
      names: K label names, in the order of the vocabulary.
      counts: int64 [K], N_y.
      target: predictions for the target's train images.
      source: predictions for a sample of the source's eval split; required by 'fitted', 'em' and 'bbse'. If both have
        embeddings, the assumption P_s(x|y) = P_t(x|y) is checked.
      match: what the classifier's labels stand for, whose logits the predictions have then. 'mean_prediction' at a
        number is the mean over all of them, summed by the source's label; the others need one for each of the source's.
        What stands for no label of the source is reported, and P_t is renormalised without it. None: the labels are
        the source's.

    Raises:
      ValueError: `source` is required and missing, the logits have a different vocabulary, there is no source example,
        or an argument of the estimator is invalid.
    """
    _check(settings, names, counts, target, source, match)
    raw = target
    if match is not None and settings.needs_source:
        target = _group(target, match)
        source = source and dataclasses.replace(source, images=_group(source.images, match))
    source_prior = counts / counts.sum()
    temperature, fit_failed = _choose_temperature(settings, source)
    by_label = None if target is not raw else match
    result, estimate_replicates = _run_estimator(settings, temperature, names, source_prior, target, source, by_label)

    def adjust(prior: np.ndarray) -> np.ndarray:
        return priors.adjust(prior, source_prior, smoothing=settings.smoothing, floor=settings.floor)

    interval = None
    if settings.bootstrap:
        interval = intervals.bootstrap(
            lambda weights: adjust(estimate_replicates(weights)),
            len(target.logits),
            replicates=settings.bootstrap,
            level=settings.level,
            seed=settings.seed,
        )
    assumption_check = _check_assumption(settings, len(names), raw, source, match)
    return label_prior.LabelPrior(
        names=tuple(names),
        counts=counts,
        target_prior=adjust(result.prior),
        estimator=settings.estimator,
        temperature=temperature,
        num_images=len(target.logits),
        temperature_fitted=settings.chosen_temperature == FITTED and not fit_failed,
        fit_failed=fit_failed,
        activation=settings.activation,
        iterations=result.iterations,
        converged=result.converged,
        regularisation=result.regularisation,
        smoothing=settings.smoothing,
        floor=settings.floor,
        interval=interval,
        replicates=settings.bootstrap,
        level=settings.level if settings.bootstrap else None,
        seed=settings.seed if settings.bootstrap else None,
        assumption=assumption_check,
        assumption_threshold=settings.assumption_threshold if assumption_check else None,
        **_describe_match(raw, temperature, settings, match),
    )


def _group(images: Images, match: label_map.Match) -> Images:
    return dataclasses.replace(images, logits=mapping.group_logits(images.logits, match))


def _describe_match(
    images: Images, temperature: float, settings: EstimatorSettings, match: label_map.Match | None
) -> dict[str, Any]:
    """Returns what the label prior says of labels that have no counterpart."""
    if match is None:
        return {}
    shares = priors.mean_prediction(images.logits, temperature, activation=settings.activation)
    return {
        "unmapped_mass": float(shares[match.positions < 0].sum()),
        "unmapped_labels": len(match.unmatched),
    }


def _check_assumption(
    settings: EstimatorSettings,
    num_labels: int,
    target: Images,
    source: LabelledImages | None,
    match: label_map.Match | None,
) -> label_prior.Assumption | None:
    """Returns how far the target's images are from the source's; None: there are no embeddings to tell."""
    if source is None or source.images.embeddings is None or target.embeddings is None:
        return None
    predicted, embeddings = target.logits.argmax(axis=1), target.embeddings
    if match is not None:
        predicted = match.positions[predicted]
        known = predicted >= 0
        predicted, embeddings = predicted[known], embeddings[known]
        if not len(predicted):
            return None
    return assumption.check(
        source.images.embeddings,
        source.labels,
        embeddings,
        predicted,
        num_labels,
        source_rows=source.rows,
        threshold=settings.assumption_threshold,
    )


def _check(
    settings: EstimatorSettings,
    names: Sequence[str],
    counts: np.ndarray,
    target: Images,
    source: LabelledImages | None,
    match: label_map.Match | None,
) -> None:
    if source is None:
        settings.check_without_source()
    expected, whose = len(names), "source vocabulary"
    if match is not None:
        expected, whose = len(match.positions), "classifier"
        if match.num_labels != len(names):
            raise ValueError(f"match: is of {match.num_labels} labels, but names: {len(names)}; make it of these")
        if settings.needs_source:
            what = f"estimator: {settings.estimator!r} with temperature {settings.chosen_temperature!r}"
            mapping.check_complete(match, tuple(names), what)
    inputs = {"predictions": target} if source is None else {"predictions": target, "source_predictions": source.images}
    for argument, images in inputs.items():
        if images.logits.shape[1] != expected:
            raise ValueError(
                f"{argument}: {images.logits.shape[1]} logits an image, but the {whose} has {expected} labels; they "
                "must come from a classifier of this source"
            )
    if not counts.sum() > 0:
        raise ValueError("index: the source's train split has no example; check the data and the exclusions")


def _choose_temperature(settings: EstimatorSettings, source: LabelledImages | None) -> tuple[float, bool]:
    """Returns the temperature, and whether it is 1.0 because none can be fitted."""
    chosen = settings.chosen_temperature
    if chosen != FITTED:
        return float(chosen), False
    assert source is not None, "_check has refused it"
    try:
        return calibration.fit_temperature(
            source.images.logits, source.labels, rows=source.rows, activation=settings.activation
        ), False
    except calibration.NoTemperatureError:
        if settings.temperature == FITTED:  # asked for
            raise
        return 1.0, True


def _run_estimator(
    settings: EstimatorSettings,
    temperature: float,
    names: Sequence[str],
    source_prior: np.ndarray,
    target: Images,
    source: LabelledImages | None,
    match: label_map.Match | None,
) -> tuple[priors.Estimate, Callable[[np.ndarray], np.ndarray]]:
    """Returns the estimate, and a function from weights [replicates, images] to P_t [replicates, labels], float64.

    With a `match`, 'mean_prediction' takes the logits of the classifier's labels.
    """
    if settings.estimator == "em":
        em = functools.partial(priors.em, target.logits, source_prior, temperature)
        result = em()
        # Close to the estimate, but above 0 for all labels, because em cannot leave 0.
        start = 0.9 * result.prior + 0.1 * source_prior
        return result, lambda weights: em(weights=weights, start=start).prior
    if settings.estimator == "bbse":
        assert source is not None, "_check has refused it"
        arguments = (source.images.logits, source.labels, source_prior, temperature)
        bbse = functools.partial(priors.bbse, target.logits, *arguments, source_rows=source.rows, names=names)
        result = bbse()
        return result, lambda weights: bbse(weights=weights, regularisation=result.regularisation).prior

    def mean(weights: np.ndarray | None = None) -> np.ndarray:
        prior = priors.mean_prediction(target.logits, temperature, activation=settings.activation, weights=weights)
        return prior if match is None else mapping.move(prior, match)

    return priors.Estimate(mean()), mean
