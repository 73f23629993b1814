"""The nodes that keep the targets' images out of the source."""

import dataclasses
from collections.abc import Mapping

from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common import resolver
from tfx.types import BaseChannel, Channel

from components.artifacts.types import Exclusions, ResamplePlan
from components.near_duplicates.component import EmbeddingDuplicateFilter, NearDuplicateFilter
from components.near_duplicates.resolver import FirstOfSameContent
from components.predictor.component import Predictor
from pipeline.config.run import NearDuplicates
from pipeline.nodes import ids


@dataclasses.dataclass(frozen=True)
class Filters:
    """The nodes of the stages that are asked for; what the last one gives holds what those before it have found, too.

    Attributes:
      nodes: none where nothing is filtered; the outputs then are None.
    """

    nodes: tuple[BaseNode, ...] = ()

    @property
    def exclusions(self) -> BaseChannel | None:
        return self.nodes[-1].outputs["exclusions"] if self.nodes else None

    @property
    def plan(self) -> BaseChannel | None:
        return self.nodes[-1].outputs["plan"] if self.nodes else None


def filter_by_hashes(
    settings: NearDuplicates, index: BaseChannel, target_indices: Mapping[str, BaseChannel]
) -> Filters:
    """Returns the stage that comes before the classifier."""
    if not settings.enabled:
        return Filters()
    found = NearDuplicateFilter(
        index=index, target_indices=target_indices, distance=settings.distance, flips=settings.flips
    )
    return Filters(_prefer_known(found.with_id(ids.EXCLUSIONS[0])))


def filter_by_embeddings(
    settings: NearDuplicates,
    filters: Filters,
    source_examples: BaseChannel,
    source_index: BaseChannel,
    classifier: BaseNode,
    predictors: Mapping[str, BaseNode],
) -> Filters:
    """Returns `filters` with the stage that comes after the classifier, which predicts the whole source for it.

    Args:
      predictors: of each target, on all of its splits.
    """
    if settings.embeddings is None:
        return filters
    predictor = Predictor(examples=source_examples, index=source_index, model=classifier.outputs["model"])
    found = EmbeddingDuplicateFilter(
        index=source_index,
        # Its own, not what is known: those may name targets that this run does not have.
        earlier_exclusions=filters.nodes[0].outputs["exclusions"],
        source_predictions=predictor.with_id(ids.SOURCE_TRAIN_PREDICTIONS).outputs["predictions"],
        target_predictions={name: node.outputs["predictions"] for name, node in predictors.items()},
        threshold=settings.embeddings,
    )
    return Filters((*filters.nodes, predictor, *_prefer_known(found.with_id(ids.EXCLUSIONS[1]))))


def _prefer_known(found: BaseNode) -> tuple[BaseNode, BaseNode]:
    """Returns a filter, and the node that goes on with what it gave before, if that excludes the same images."""
    known = resolver.Resolver(
        strategy_class=FirstOfSameContent,
        exclusions=found.outputs["exclusions"],
        plan=found.outputs["plan"],
        all_exclusions=Channel(type=Exclusions, producer_component_id=found.id),
        all_plans=Channel(type=ResamplePlan, producer_component_id=found.id),
    )
    return found, known.with_id(ids.known_node(found.id))
