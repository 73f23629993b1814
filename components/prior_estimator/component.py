"""The component PriorEstimator."""

from typing import Literal

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration import data_types
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.artifacts.types import (
    ExampleIndex,
    Exclusions,
    LabelCounts,
    LabelPrior,
    LabelVocabulary,
    Predictions,
    ResamplePlan,
)
from components.code_version import code_version
from components.parameters import default_of
from components.prior_estimator import executor
from components.prior_estimator.settings import EstimatorSettings


class PriorEstimatorSpec(ComponentSpec):
    """Parameters, inputs and outputs of PriorEstimator."""

    PARAMETERS = {
        "estimator": ExecutionParameter(type=str),
        "temperature": ExecutionParameter(type=str),  # JSON: a number, "fitted" or null
        "activation": ExecutionParameter(type=str),
        "bootstrap": ExecutionParameter(type=int),
        "level": ExecutionParameter(type=float),
        "smoothing": ExecutionParameter(type=float),
        "floor": ExecutionParameter(type=float),
        "assumption_threshold": ExecutionParameter(type=float),
        "seed": ExecutionParameter(type=int),
        "code_version": ExecutionParameter(type=str),
    }
    INPUTS = {
        "predictions": ChannelParameter(type=Predictions),
        "source_predictions": ChannelParameter(type=Predictions, optional=True),
        "index": ChannelParameter(type=ExampleIndex, optional=True),
        "counts": ChannelParameter(type=LabelCounts, optional=True),
        "vocabulary": ChannelParameter(type=LabelVocabulary),
        "exclusions": ChannelParameter(type=Exclusions, optional=True),
        "target_plan": ChannelParameter(type=ResamplePlan, optional=True),
        "target_index": ChannelParameter(type=ExampleIndex, optional=True),
    }
    OUTPUTS = {"label_prior": ChannelParameter(type=LabelPrior)}


class PriorEstimator(base_component.BaseComponent):
    """Estimates P_t from the predictions for the target's train images, and w = P_t / P_s.

    Example:
      prior = PriorEstimator(
          predictions=predictor.outputs["predictions"],
          index=source.outputs["index"],
          vocabulary=source.outputs["vocabulary"],
          bootstrap=1000,
      )

    Args:
      predictions: the source classifier's, for the target's train split.
      vocabulary: the source's labels.
      index: the source's; P_s counts its train split.
      counts: the source's label counts, such as a CountsImporter's, in place of `index`, where its images are not at
        hand. There is nothing to calibrate with then: 'em', 'bbse' and 'fitted' are refused, and the default
        temperature of 'sigmoid' is 1.0.
      source_predictions: the same classifier's, for the source's eval split or a sample of it. The temperature
        'fitted', the estimators 'em' and 'bbse', and the default temperature of 'sigmoid' need them. If they and
        `predictions` hold embeddings, the prior's table also says for which labels the target's images do not look
        like the source's.
      exclusions: source images that P_s does not count, and by which nothing is calibrated, corrected or checked.
      target_plan: which images of the target's train split P_t is estimated from, and how often each counts, such as a
        TargetSampler's. None: each image counts once.
      target_index: the target's index, which `target_plan` was made from; with it, and only with it.
      estimator: 'mean_prediction', the paper's; 'em' or 'bbse', which estimate the shift itself, and with it more of
        the noise. `benchmarks/priors.py` shows when they win.
      temperature: the logits are divided by it: a number, or 'fitted', which calibrates the classifier. None: the
        paper's 2.0 with 'mean_prediction' and 'softmax'; else 'fitted', or 1.0 if no temperature fits.
      force: allows a number with 'em' and 'bbse', which assume calibrated predictions, and one above 1 with 'sigmoid'.
      activation: 'softmax', or 'sigmoid' for a classifier whose labels do not exclude each other.
      bootstrap: replicates for an interval of P_t; 0: no interval.
      level: the share of the replicates that the interval holds.
      smoothing: e; P_t becomes (1 − e) P_t + e P_s.
      floor: the least share of each label that has source examples.
      assumption_threshold: from which ratio of distances on a label is flagged; see `assumption.check`.
      seed: of the bootstrap.

    Outputs: `label_prior`, readable by `pandas.read_parquet`.

    Raises:
      ValueError: a parameter is out of range, they do not go together, or `source_predictions` is needed and missing;
        of `target_plan` and `target_index` only one is given; or not exactly one of `index` and `counts` is given, or
        with `counts` anything that speaks of the source's images.
    """

    SPEC_CLASS = PriorEstimatorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        predictions: types.BaseChannel,
        vocabulary: types.BaseChannel,
        index: types.BaseChannel | None = None,
        counts: types.BaseChannel | None = None,
        source_predictions: types.BaseChannel | None = None,
        exclusions: types.BaseChannel | None = None,
        target_plan: types.BaseChannel | None = None,
        target_index: types.BaseChannel | None = None,
        estimator: str = "mean_prediction",
        temperature: float | Literal["fitted"] | None = None,
        force: bool = False,
        activation: str = "softmax",
        bootstrap: int = 0,
        level: float = 0.95,
        smoothing: float = 0.0,
        floor: float = 0.0,
        assumption_threshold: float = 1.5,
        seed: int | data_types.RuntimeParameter = 0,
    ):
        settings = EstimatorSettings(
            estimator=estimator,
            temperature=temperature,
            activation=activation,
            bootstrap=bootstrap,
            level=float(level),
            smoothing=float(smoothing),
            floor=float(floor),
            assumption_threshold=float(assumption_threshold),
            seed=default_of(seed),
        )
        if counts is not None:
            settings = settings.without_source()
        if not force:
            settings.check_temperature()
        if source_predictions is None:
            settings.check_without_source()
        spec = PriorEstimatorSpec(  # which checks the types of the channels
            predictions=predictions,
            source_predictions=source_predictions,
            index=index,
            counts=counts,
            vocabulary=vocabulary,
            exclusions=exclusions,
            target_plan=target_plan,
            target_index=target_index,
            **{**executor.to_properties(settings), "seed": seed},
            code_version=code_version(executor.__name__),
            label_prior=types.Channel(type=LabelPrior),
        )
        if (target_plan is None) != (target_index is None):
            given, missing = ("target_index", "target_plan") if target_plan is None else ("target_plan", "target_index")
            raise ValueError(f"{missing}: missing, but {given} is given; give both, or neither")
        _check_source(index=index, counts=counts, source_predictions=source_predictions, exclusions=exclusions)
        super().__init__(spec=spec)


def _check_source(*, index: object, counts: object, source_predictions: object, exclusions: object) -> None:
    """Checks that the inputs of the source go together; those that are not given are None."""
    if (index is None) == (counts is None):
        said = "both are given" if counts is not None else "neither is given"
        raise ValueError(f"index, counts: {said}; give the source's index, or its label counts in place of it")
    of_images = {"source_predictions": source_predictions, "exclusions": exclusions}
    for name, given in of_images.items() if counts is not None else ():
        if given is not None:
            raise ValueError(f"{name}: given, but counts know no images of the source; leave it out, or give index")
