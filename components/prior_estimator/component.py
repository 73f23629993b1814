"""PriorEstimator."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components import artifacts
from components.code_version import code_version
from components.prior_estimator import executor


class PriorEstimatorSpec(ComponentSpec):
    """What PriorEstimator takes and gives."""

    PARAMETERS = {
        "temperature": ExecutionParameter(type=float),
        "code_version": ExecutionParameter(type=str),
    }
    INPUTS = {
        "predictions": ChannelParameter(type=artifacts.Predictions),
        "index": ChannelParameter(type=artifacts.ExampleIndex),
        "vocabulary": ChannelParameter(type=artifacts.LabelVocabulary),
    }
    OUTPUTS = {"label_prior": ChannelParameter(type=artifacts.LabelPrior)}


class PriorEstimator(base_component.BaseComponent):
    """Estimates P_t from the predictions for the target's train images, and w = P_t / P_s.

    Args:
      predictions: the source classifier's, for the target's train split.
      index, vocabulary: the source's; P_s counts its train split.
      temperature: softens the predictions; 2.0 in the paper.

    Outputs: `label_prior`, readable by `pandas.read_parquet`.
    """

    SPEC_CLASS = PriorEstimatorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        predictions: types.BaseChannel,
        index: types.BaseChannel,
        vocabulary: types.BaseChannel,
        temperature: float = 2.0,
    ):
        super().__init__(
            spec=PriorEstimatorSpec(
                predictions=predictions,
                index=index,
                vocabulary=vocabulary,
                temperature=float(temperature),
                code_version=code_version(executor.__name__),
                label_prior=types.Channel(type=artifacts.LabelPrior),
            )
        )
