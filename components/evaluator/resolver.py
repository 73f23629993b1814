"""Chooses the model that a new one is compared with."""

import ml_metadata as mlmd
from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.components.common import resolver

from components.artifacts import versions
from components.evaluator.executor import is_comparable, saved_model_of

_KEYS = {"model", "model_blessing", "candidate"}

Artifacts = dict[str, list[types.Artifact]]


class ServedOrLastBlessed(resolver.ResolverStrategy):
    """Resolves to the model that the candidate is to replace.

    That is the newest version in the model server's folder; if there is none, the model that was blessed last, other
    than the candidate. If the candidate is served itself, it is what the candidate was compared with before: an
    unchanged rerun would otherwise resolve to the model that was just pushed as the baseline of itself, and nothing
    downstream would be cached. TFX's LatestBlessedModelStrategy does not look for that, or at what is served.

    A model whose files are gone, or whose labels differ or stand in another order, is no baseline: the Evaluator
    matches outputs and labels by position. No other model takes its place, since it is not what would be replaced.

    Args:
      serving: the folder of the model server.

    Channels of the Resolver:
      model: all models of the pipeline.
      model_blessing: the blessings of one Evaluator, and so of one target.
      candidate: the model to be evaluated.

    Outputs: `model_blessing`, the blessing of the model to be replaced, or none if it is no model of the pipeline;
      `model`, this model, or none if it cannot be compared: the Evaluator then has no baseline; `candidate`, unchanged.
    """

    def __init__(self, serving: str):
        self._serving = serving

    def resolve_artifacts(self, store: mlmd.MetadataStore, input_dict: Artifacts) -> Artifacts:
        """Chooses among the artifacts of `input_dict`.

        Raises:
          ValueError: the channels are not those above, or `candidate` is not exactly one model.
        """
        if set(input_dict) != _KEYS:
            raise ValueError(f"channels: {sorted(input_dict)}; ServedOrLastBlessed takes {sorted(_KEYS)}")
        if len(input_dict["candidate"]) != 1:
            raise ValueError(f"candidate: {len(input_dict['candidate'])} artifacts; allowed is exactly one model")
        [candidate] = input_dict["candidate"]
        models = {model.id: model for model in input_dict["model"]}
        # Sorted by blessing, not by model, because returning to an older configuration blesses an older model again.
        blessings = sorted(filter(_is_blessed, input_dict["model_blessing"]), key=lambda each: each.id, reverse=True)
        chosen = self._choose(candidate, blessings, models)
        found = [models[_model_id(chosen)]] if chosen and _model_id(chosen) in models else []
        return {
            "model": [model for model in found if is_comparable(model, candidate)],
            "model_blessing": [chosen] if chosen else [],
            "candidate": [candidate],
        }

    def _choose(
        self,
        candidate: types.Artifact,
        blessings: list[types.Artifact],
        models: dict[int, types.Artifact],
    ) -> types.Artifact | None:
        """Returns the blessing, of `blessings`, of the model that the candidate is compared with."""
        newest = versions.list_versions(self._serving).newest
        if newest is None:
            return next((blessing for blessing in blessings if _model_id(blessing) != candidate.id), None)

        def is_served(model: types.Artifact | None) -> bool:
            return model is not None and versions.is_version_of(self._serving, newest, saved_model_of(model))

        if not is_served(candidate):
            return next((blessing for blessing in blessings if is_served(models.get(_model_id(blessing)))), None)
        before = next((blessing for blessing in blessings if _model_id(blessing) == candidate.id), None)
        wanted = _baseline_id(before) if before else None
        return next((blessing for blessing in blessings if _model_id(blessing) == wanted), None)


def _is_blessed(blessing: types.Artifact) -> bool:
    return blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY) == constants.BLESSED_VALUE


def _model_id(blessing: types.Artifact) -> int:
    return blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY)


def _baseline_id(blessing: types.Artifact) -> int | None:
    name = constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY
    return blessing.get_int_custom_property(name) if blessing.has_custom_property(name) else None
