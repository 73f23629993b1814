"""ImportanceResampler."""

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.orchestration import data_types
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.artifacts.types import ExampleIndex, Exclusions, LabelPrior, LabelVocabulary, Predictions, ResamplePlan
from components.code_version import code_version
from components.importance_resampler import executor, matchers
from components.importance_resampler.matchers.matcher import Matcher
from components.parameters import default_of


class ImportanceResamplerSpec(ComponentSpec):
    """Inputs, outputs and parameters of ImportanceResampler."""

    PARAMETERS = {
        "matcher": ExecutionParameter(type=str),  # its name
        "settings": ExecutionParameter(type=str),  # of the matcher, as JSON
        "n": ExecutionParameter(type=int),
        "seed": ExecutionParameter(type=int),
        "materialise": ExecutionParameter(type=int),  # 0 or 1
        "shard_bytes": ExecutionParameter(type=int),
        "shards": ExecutionParameter(type=int),  # 0: as many as shard_bytes makes
        "code_version": ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "index": ChannelParameter(type=ExampleIndex),
        "label_prior": ChannelParameter(type=LabelPrior, optional=True),
        "vocabulary": ChannelParameter(type=LabelVocabulary, optional=True),
        "source_predictions": ChannelParameter(type=Predictions, optional=True),
        "target_predictions": ChannelParameter(type=Predictions, optional=True),
        "target_index": ChannelParameter(type=ExampleIndex, optional=True),
        "target_plan": ChannelParameter(type=ResamplePlan, optional=True),
        "exclusions": ChannelParameter(type=Exclusions, optional=True),
    }
    OUTPUTS = {
        "plan": ChannelParameter(type=ResamplePlan),
        "resampled_examples": ChannelParameter(type=standard_artifacts.Examples, optional=True),
    }


class ImportanceResampler(base_beam_component.BaseBeamComponent):
    """Draws a pre-training set from the source's train split.

    Example:
      from components.importance_resampler import matchers

      resampler = ImportanceResampler(
          examples=source.outputs["examples"],
          index=source.outputs["index"],
          label_prior=prior.outputs["label_prior"],
          matcher=matchers.make_matcher("same_distribution", max_repeats=10),
          n=2_000_000,
          materialise=False,
      )

    Args:
      examples, index: the source's.
      label_prior: P_t of the target; for matchers that depend on the target. The sample of another one, such as
        UniformSubsample, is compared with P_s.
      matcher: how to draw, such as `SameDistribution()`, the paper's; see `components.importance_resampler.matchers`.
      n: how many (example, label) pairs to draw with SameDistribution, or examples with the others; at least 1. Left
        out for WeightedLoss, which takes every example once.
      seed: another seed gives another sample with the same quotas.
      vocabulary: the source's, for LabelSubset and where there is no prior; the prior is checked against it.
      source_predictions: of the source's eval split, with embeddings; for EmdSubset.
      target_predictions, target_index: of the target's train split, with embeddings; for EmdSubset.
      target_plan: which images of the target's train split are looked at, and how often each counts, such as a
        TargetSampler's; for matchers that read `target_predictions`. None: all, once.
      exclusions: source examples that are neither taken nor counted; the prior must have been estimated with the same.
      materialise: whether to write the sample as Examples; False writes the plan only.
      shard_bytes: approximate size of a record file, in bytes of encoded images.
      shards: number of record files; 0: as many as `shard_bytes` makes.

    Outputs: `plan`, how often each source example is taken; if materialised also `resampled_examples`, the sample
    itself, split `train`.

    Raises:
      TypeError: an input is not a channel of its type.
      ValueError: an argument is out of range or does not fit the matcher, or an input that it needs is missing.
    """

    SPEC_CLASS = ImportanceResamplerSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        *,
        examples: types.BaseChannel,
        index: types.BaseChannel,
        label_prior: types.BaseChannel | None = None,
        matcher: Matcher | None = None,
        n: int | data_types.RuntimeParameter = 0,
        seed: int | data_types.RuntimeParameter = 0,
        vocabulary: types.BaseChannel | None = None,
        source_predictions: types.BaseChannel | None = None,
        target_predictions: types.BaseChannel | None = None,
        target_index: types.BaseChannel | None = None,
        target_plan: types.BaseChannel | None = None,
        exclusions: types.BaseChannel | None = None,
        materialise: bool = True,
        shard_bytes: int = 128 << 20,
        shards: int = 0,
    ):
        matcher = matcher or matchers.make_matcher("same_distribution")
        if not isinstance(matcher, Matcher):
            raise ValueError(
                f"matcher: {matcher!r} is not a Matcher; make one, for example by "
                "components.importance_resampler.matchers.make_matcher('same_distribution')"
            )
        name = matchers.name_of(matcher)
        matcher.check(default_of(n))
        optional = {
            "label_prior": label_prior,
            "vocabulary": vocabulary,
            "source_predictions": source_predictions,
            "target_predictions": target_predictions,
            "target_index": target_index,
            "target_plan": target_plan,
        }
        for key, channel in optional.items():
            if channel is not None:  # also where the matcher does not read it
                ImportanceResamplerSpec.INPUTS[key].type_check(key, channel)
        missing = [key for key in matcher.needs if optional[key] is None]
        if missing:
            raise ValueError(f"{missing[0]}: the matcher {name} needs {' and '.join(missing)}")
        reads_prior = matcher.depends_on_target()
        if vocabulary is None and (label_prior is None or not reads_prior):
            raise ValueError(f"vocabulary: missing, but {name} without a label_prior needs the labels' names")
        if materialise and matcher.takes_all:
            raise ValueError(f"materialise: Examples hold no loss weights; with {name} set it to False")
        if shard_bytes < 1:
            raise ValueError(f"shard_bytes: {shard_bytes}; a record file has at least 1 byte")
        if shards < 0:
            raise ValueError(f"shards: {shards}; it must be at least 1, or 0 for as many as shard_bytes makes")
        outputs = {"plan": types.Channel(type=ResamplePlan)}
        if materialise:
            outputs["resampled_examples"] = types.Channel(type=standard_artifacts.Examples)
        super().__init__(
            spec=ImportanceResamplerSpec(
                examples=examples,
                index=index,
                exclusions=exclusions,
                # Inputs that the matcher does not read are left out, so that a change of them does not draw again. The
                # vocabulary always goes in, and the prior of a target that the sample depends on: the plan shows it.
                **{key: optional[key] for key in ("vocabulary", *(["label_prior"] * reads_prior), *matcher.needs)},
                target_plan=target_plan if "target_predictions" in matcher.needs else None,
                matcher=name,
                settings=matcher.model_dump_json(),
                n=n,
                seed=seed,
                materialise=int(materialise),
                shard_bytes=shard_bytes,
                shards=shards,
                code_version=code_version(executor.__name__, type(matcher).__module__),
                **outputs,
            )
        )
