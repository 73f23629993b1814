"""Creates the pipeline: the source's nodes once, then those of every target and of every arm of a target."""

from typing import Literal, TypeAlias

from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration import pipeline as tfx_pipeline

from pipeline.config.run import Config
from pipeline.nodes import beam, exclude, ids
from pipeline.nodes.adapt import Adaptation, adapt, estimate_prior
from pipeline.nodes.arms import Basis, make_arm
from pipeline.nodes.ingest import Ingested, ingest
from pipeline.nodes.push import push
from pipeline.nodes.registry import Registry
from pipeline.nodes.report import RUN, add_report
from pipeline.place import Place

# How far a run goes: to the label priors of all targets. None in its place: to the end.
Until: TypeAlias = Literal["prior"]


def create_pipeline(config: Config, place: Place, until: Until | None = None) -> tfx_pipeline.Pipeline:
    """Returns the pipeline of `config`; its files are where `place` says, and nothing is written yet.

    Args:
      config: the configuration.
      place: where the files are.
      until: what it ends with. 'prior': it has the nodes that the targets' label priors need, and no others; they are
        those of the whole pipeline, so that either reuses the results of the other. None: it is the whole pipeline.

    Raises:
      ValueError: a data set is unknown or not prepared.
      ModuleNotFoundError: an arm needs an extra that is not installed.
    """
    if until is None:
        config.require_source()
    else:
        config = config.without_arms()  # what only they need is not looked for
    if until is None and config.backbone.is_from_elsewhere:  # a mistake in it is known before the data are read
        config.backbone.build(config.image)
    nodes = Registry()
    ingested = ingest(nodes, config, place)
    early_filters = start_filters(nodes, config, place, ingested)
    by_embeddings = config.near_duplicates.embeddings is not None
    adaptation = adapt(nodes, config, place, ingested, early_filters, all_splits=by_embeddings)
    filters = finish_filters(nodes, config, place, ingested, early_filters, adaptation)
    basis = Basis(config, place, ingested, early_filters, filters, adaptation)
    priors = []
    for name, target in config.targets.items():
        # Always shown, whether an arm needs it or not.
        priors.append(estimate_prior(nodes, config, place, ingested, adaptation, filters, name, config.prior))
        for arm in target.arms:
            made = make_arm(nodes, basis, name, arm)
            if arm == target.push:
                nodes.add(*push(name, target, ingested.targets[name]["examples"], made.finetune, place))
    if until == "prior":
        return assemble(nodes.select(priors), config, place, whole=False)
    if config.trained_classifier is not None:
        _wait_for_samples(adaptation.classifier, nodes)
    add_report(nodes, config, place, RUN)
    return assemble(nodes, config, place)


def start_filters(nodes: Registry, config: Config, place: Place, ingested: Ingested) -> exclude.Filters:
    """Adds and returns the filters that come before the training of a classifier."""
    if config.counts is not None:  # there are no images to leave out
        return exclude.Filters()
    indices = {name: target["index"] for name, target in ingested.targets.items()}
    filters = exclude.filter_by_hashes(
        config.near_duplicates, ingested.source["index"], indices, resolvers=place.resolvers
    )
    nodes.add(*filters.nodes)
    return filters


def finish_filters(
    nodes: Registry,
    config: Config,
    place: Place,
    ingested: Ingested,
    early_filters: exclude.Filters,
    adaptation: Adaptation,
) -> exclude.Filters:
    """Adds those filters that need a classifier, and returns all."""
    if config.counts is not None:
        return early_filters
    source = ingested.source
    filters = exclude.filter_by_embeddings(
        config.near_duplicates,
        early_filters,
        source["examples"],
        source["index"],
        adaptation.classifier,
        adaptation.predictors,
        resolvers=place.resolvers,
    )
    nodes.add(*filters.nodes)
    return filters


def assemble(nodes: Registry, config: Config, place: Place, *, whole: bool = True) -> tfx_pipeline.Pipeline:
    """Returns the pipeline of `nodes`; the other arguments are those of `create_pipeline`.

    Args:
      nodes, config, place: of the pipeline.
      whole: whether it has all nodes that the section `beam` may name.
    """
    if place.beam:
        beam.tell_nodes(nodes, config.beam if whole else beam.select_runners(nodes, config.beam))
    known = {node.id for node in nodes}
    for node in nodes:  # those that were made and are not needed do not wait for it any more
        for waiting in [each for each in node.downstream_nodes if each.id not in known]:
            node.remove_downstream_node(waiting)
    return tfx_pipeline.Pipeline(
        pipeline_name=config.name,
        pipeline_root=place.artifacts,
        components=list(nodes),
        enable_cache=True,
        metadata_connection_config=place.metadata,
    )


def _wait_for_samples(classifier: BaseNode, nodes: Registry) -> None:
    """Makes the classifier wait for the samples that do not need it, so that what cannot be drawn is known in time."""
    for node in nodes:
        if ids.kind_of(node.id) in (ids.RESAMPLE, ids.DRAFT) and classifier not in nodes.select([node]):
            classifier.add_upstream_node(node)
