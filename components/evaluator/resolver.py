"""Chooses the model that a new one is compared with."""

import ml_metadata as mlmd
from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.components.common import resolver
from tfx.utils import path_utils

from components.artifacts import model_labels

_KEYS = {"model", "model_blessing", "candidate"}

Artifacts = dict[str, list[types.Artifact]]


class LastOtherBlessedModel(resolver.ResolverStrategy):
    """Resolves to the most recently blessed model other than the candidate.

    Models with different labels, or with the same labels in another order, are skipped: the Evaluator matches outputs
    and labels by position, so their accuracy would be wrong.

    TFX's LatestBlessedModelStrategy does not skip the candidate. An unchanged rerun would then resolve to the model
    that was just blessed as the baseline of itself. Nothing downstream would be cached, and the model be pushed twice.

    Channels of the Resolver:
      model: all models of the pipeline.
      model_blessing: the blessings of one Evaluator, and so of one target.
      candidate: the model to be evaluated.

    Outputs: `model` and `model_blessing`, one artifact each, or none if no other model is blessed: the Evaluator then
    has no baseline; `candidate`, unchanged.
    """

    def resolve_artifacts(self, store: mlmd.MetadataStore, input_dict: Artifacts) -> Artifacts:
        """Chooses among the artifacts of `input_dict`.

        Raises:
          ValueError: the channels are not those above, or `candidate` is not exactly one model.
        """
        if set(input_dict) != _KEYS:
            raise ValueError(f"channels: {sorted(input_dict)}; LastOtherBlessedModel takes {sorted(_KEYS)}")
        if len(input_dict["candidate"]) != 1:
            raise ValueError(f"candidate: {len(input_dict['candidate'])} artifacts; allowed is exactly one model")
        candidate = input_dict["candidate"][0]
        labels = _labels(candidate)
        others = {model.id: model for model in input_dict["model"] if model.id != candidate.id}
        # Sorted by blessing, not by model, because returning to an older configuration blesses an older model again.
        for blessing in sorted(input_dict["model_blessing"], key=lambda artifact: artifact.id, reverse=True):
            model = others.get(blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY))
            blessed = blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY)
            if model is not None and blessed == constants.BLESSED_VALUE and _labels(model) == labels:
                return {"model": [model], "model_blessing": [blessing], "candidate": [candidate]}
        return {"model": [], "model_blessing": [], "candidate": [candidate]}


def _labels(model: types.Artifact) -> tuple[str, ...] | None:
    return model_labels.read(path_utils.serving_model_path(model.uri))
