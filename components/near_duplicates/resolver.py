"""Replaces new exclusions by those of an earlier run that exclude the same images."""

import ml_metadata as mlmd
from tfx import types
from tfx.dsl.components.common import resolver

from components.artifacts.exclusions import CONTENT_PROPERTY

_KEYS = {"exclusions", "plan", "all_exclusions", "all_plans"}

Artifacts = dict[str, list[types.Artifact]]


class FirstOfSameContent(resolver.ResolverStrategy):
    """Resolves to the first exclusions, and the first plan, with the same content as the new ones.

    TFX reuses the results of trainings by the identity of their inputs, not by their content. Without this strategy, a
    new target without near-duplicates in the source would train everything again.

    Channels of the Resolver:
      exclusions, plan: the outputs of a filter, one artifact each.
      all_exclusions, all_plans: all earlier outputs of the filter.

    Outputs: `exclusions` and `plan`, one artifact each; the other channels unchanged.
    """

    def resolve_artifacts(self, store: mlmd.MetadataStore, input_dict: Artifacts) -> Artifacts:
        """Chooses among the artifacts of `input_dict`.

        Raises:
          ValueError: the channels are not those above, or there is not exactly one new artifact of each kind.
        """
        if set(input_dict) != _KEYS:
            raise ValueError(f"channels: {sorted(input_dict)}; FirstOfSameContent takes {sorted(_KEYS)}")
        chosen = {}
        for key, candidates in (("exclusions", "all_exclusions"), ("plan", "all_plans")):
            if len(input_dict[key]) != 1:
                raise ValueError(f"{key}: {len(input_dict[key])} artifacts; allowed is exactly one")
            new = input_dict[key][0]
            content = new.get_string_custom_property(CONTENT_PROPERTY)
            same = (a for a in input_dict[candidates] if a.get_string_custom_property(CONTENT_PROPERTY) == content)
            chosen[key] = [min([new, *same], key=lambda artifact: artifact.id)]
        return {**input_dict, **chosen}
