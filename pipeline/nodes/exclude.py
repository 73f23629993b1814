"""The nodes that exclude near-duplicates of the targets' images from the source."""

import dataclasses
from collections.abc import Mapping

from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common import resolver
from tfx.types import BaseChannel, Channel

from components.artifacts.types import Exclusions, ResamplePlan
from components.near_duplicates.component import EmbeddingDuplicateFilter, NearDuplicateFilter
from components.near_duplicates.resolver import FirstOfSameContent
from components.predictor.component import Predictor
from pipeline.config.sections import NearDuplicates
from pipeline.nodes import ids


@dataclasses.dataclass(frozen=True)
class Filters:
    """The nodes of the configured stages. The output of a stage contains the exclusions of all earlier stages.

    Attributes:
      nodes: empty if nothing is filtered; the outputs are None then.
    """

    nodes: tuple[BaseNode, ...] = ()

    @property
    def exclusions(self) -> BaseChannel | None:
        return self.nodes[-1].outputs["exclusions"] if self.nodes else None

    @property
    def plan(self) -> BaseChannel | None:
        return self.nodes[-1].outputs["plan"] if self.nodes else None


def filter_by_hashes(
    settings: NearDuplicates, index: BaseChannel, target_indices: Mapping[str, BaseChannel], *, resolvers: bool
) -> Filters:
    """Returns the stage before the classifier's training, which compares perceptual hashes.

    Args:
      settings: of the filter.
      index: that of the source.
      target_indices: target → its index.
      resolvers: whether earlier exclusions of the same images are looked for.
    """
    if not settings.enabled:
        return Filters()
    duplicate_filter = NearDuplicateFilter(
        index=index, target_indices=target_indices, distance=settings.distance, flips=settings.flips
    )
    return Filters(_prefer_known(duplicate_filter.with_id(ids.EXCLUSIONS[0]), resolvers))


def filter_by_embeddings(
    settings: NearDuplicates,
    filters: Filters,
    source_examples: BaseChannel,
    source_index: BaseChannel,
    classifier: BaseNode,
    predictors: Mapping[str, BaseNode],
    *,
    resolvers: bool,
) -> Filters:
    """Adds the stage after the classifier's training, which compares its embeddings of the whole source.

    Args:
      settings, resolvers: as `filter_by_hashes` takes them.
      filters: the first stage.
      source_examples, source_index: of the source.
      classifier: the source classifier.
      predictors: target → the Predictor of all its splits.
    """
    if settings.embeddings is None:
        return filters
    predictor = Predictor(examples=source_examples, index=source_index, model=classifier.outputs["model"])
    duplicate_filter = EmbeddingDuplicateFilter(
        index=source_index,
        # Not those of the -known node, which may name targets that this run does not have.
        earlier_exclusions=filters.nodes[0].outputs["exclusions"],
        source_predictions=predictor.with_id(ids.SOURCE_TRAIN_PREDICTIONS).outputs["predictions"],
        target_predictions={name: node.outputs["predictions"] for name, node in predictors.items()},
        threshold=settings.embeddings,
    )
    known = _prefer_known(duplicate_filter.with_id(ids.EXCLUSIONS[1]), resolvers)
    return Filters((*filters.nodes, predictor, *known))


def _prefer_known(duplicate_filter: BaseNode, resolvers: bool) -> tuple[BaseNode, ...]:
    """Returns a filter, and the node that replaces its outputs by earlier ones, if those exclude the same images."""
    if not resolvers:
        return (duplicate_filter,)
    known = resolver.Resolver(
        strategy_class=FirstOfSameContent,
        exclusions=duplicate_filter.outputs["exclusions"],
        plan=duplicate_filter.outputs["plan"],
        all_exclusions=Channel(type=Exclusions, producer_component_id=duplicate_filter.id),
        all_plans=Channel(type=ResamplePlan, producer_component_id=duplicate_filter.id),
    )
    return duplicate_filter, known.with_id(ids.known_node(duplicate_filter.id))
