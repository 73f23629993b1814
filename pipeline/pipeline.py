"""Creates the pipeline: the source's nodes once, then those of every target and of every arm of a target."""

from collections.abc import Sequence

from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration import pipeline as tfx_pipeline

from pipeline.config.run import Config
from pipeline.nodes import exclude, ids
from pipeline.nodes.adapt import Adaptation, adapt, estimate_prior
from pipeline.nodes.arms import Basis, make_arm
from pipeline.nodes.ingest import Ingested, ingest
from pipeline.nodes.push import push
from pipeline.nodes.registry import Registry
from pipeline.place import Place

# By its full name, which every Beam version knows. The DirectRunner of newer ones tries to download a program.
_LOCAL_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"


def create_pipeline(config: Config, place: Place) -> tfx_pipeline.Pipeline:
    """Returns the pipeline of `config`; its files are where `place` says, and nothing is written yet.

    Raises:
      ValueError: a data set is unknown or not prepared.
      ModuleNotFoundError: an arm needs an extra that is not installed.
    """
    nodes = Registry()
    ingested = ingest(nodes, config, place)
    early_filters = start_filters(nodes, config, place, ingested)
    by_embeddings = config.near_duplicates.embeddings is not None
    adaptation = adapt(nodes, config, place, ingested, early_filters, all_splits=by_embeddings)
    filters = finish_filters(nodes, config, place, ingested, early_filters, adaptation)
    basis = Basis(config, place, ingested, early_filters, filters, adaptation)
    for name, target in config.targets.items():
        estimate_prior(nodes, config, place, ingested, adaptation, filters, name, config.prior)  # always shown
        for arm in target.arms:
            made = make_arm(nodes, basis, name, arm)
            if arm == target.push:
                nodes.add(*push(name, target, ingested.targets[name]["examples"], made.finetune, place))
    _wait_for_samples(adaptation.classifier, nodes)
    return assemble(nodes, config, place)


def start_filters(nodes: Registry, config: Config, place: Place, ingested: Ingested) -> exclude.Filters:
    """Adds and returns the filters that come before the training of a classifier."""
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


def assemble(nodes: Registry, config: Config, place: Place) -> tfx_pipeline.Pipeline:
    """Returns the pipeline of `nodes`; the other arguments are those of `create_pipeline`."""
    beam = config.beam if place.beam is None else place.beam
    _check_runner(beam)
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
        beam_pipeline_args=[*complete_beam_args(beam)],
    )


def complete_beam_args(configured: Sequence[str]) -> list[str]:
    """Returns the arguments of the Beam jobs; where no runner is configured, with that for one machine."""
    if any(argument.partition("=")[0] == "--runner" for argument in configured):
        return [*configured]
    # In-memory mode is faster on one machine than the parallel modes. If a container image is set, TFX does not package
    # itself for remote workers, which would take 3 seconds a node.
    local = ("--direct_running_mode=in_memory", "--direct_num_workers=1", "--sdk_container_image=none")
    return [f"--runner={_LOCAL_RUNNER}", *(configured or local)]


def _wait_for_samples(classifier: BaseNode, nodes: Registry) -> None:
    """Makes the classifier wait for the samples that do not need it, so that what cannot be drawn is known in time."""
    for node in nodes:
        if ids.kind_of(node.id) in (ids.RESAMPLE, ids.DRAFT) and classifier not in nodes.select([node]):
            classifier.add_upstream_node(node)


def _check_runner(beam_args: Sequence[str]) -> None:
    from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
    from apache_beam.runners.runner import create_runner

    name = PipelineOptions([*beam_args]).view_as(StandardOptions).runner
    try:
        if name is not None:
            create_runner(name)
    except (ValueError, ImportError) as error:
        raise ValueError(f"beam: the runner {name!r} cannot be used: {error}") from error
