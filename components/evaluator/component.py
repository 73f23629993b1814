"""The component Evaluator."""

from collections.abc import Sequence

from tensorflow_model_analysis.proto import config_pb2
from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts, standard_component_specs
from tfx.types.component_spec import ChannelParameter, ExecutionParameter
from tfx.utils import json_utils

from components.code_version import code_version
from components.evaluator import executor, metrics


class EvaluatorSpec(standard_component_specs.EvaluatorSpec):
    """TFX's spec, with the code version of our metrics."""

    PARAMETERS = {
        **standard_component_specs.EvaluatorSpec.PARAMETERS,
        "code_version": ExecutionParameter(type=str, optional=True),
    }
    # TFX lets it be left out.
    INPUTS = {
        **standard_component_specs.EvaluatorSpec.INPUTS,
        "model": ChannelParameter(type=standard_artifacts.Model),
    }


class Evaluator(base_beam_component.BaseBeamComponent):
    """TFX's Evaluator, executed again when the code of our metrics changes.

    It is not derived from TFX's component, which leaves no way to pass a wider spec; its executor is.

    Example:
      from components.evaluator.config import eval_config

      evaluator = Evaluator(
          examples=target.outputs["examples"],
          model=finetune.outputs["model"],
          eval_config=eval_config(min_accuracy=0.9),
      )

    Args:
      examples: Examples with the splits named in `splits`.
      model: the candidate.
      eval_config: what to measure, and the thresholds of a blessing; see `components.evaluator.config.eval_config`.
      baseline_model: the model to compare with. The comparison is left out if it is empty at run time, incomplete, or
        has other labels.
      splits: the splits to measure on, as one set.

    Outputs: `evaluation`, TFMA's result; `blessing`, whether the candidate met all thresholds.

    Raises:
      ValueError: `splits` is empty.
    """

    SPEC_CLASS = EvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        *,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        eval_config: config_pb2.EvalConfig,
        baseline_model: types.BaseChannel | None = None,
        splits: Sequence[str] = ("eval",),
    ):
        if not splits:
            raise ValueError(f"splits: {splits!r} names none; name at least one split of the examples")
        super().__init__(
            spec=EvaluatorSpec(
                examples=examples,
                model=model,
                baseline_model=baseline_model,
                eval_config=eval_config,
                example_splits=json_utils.dumps(list(splits)),
                code_version=code_version(metrics.__name__, executor.__name__),
                evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            )
        )
