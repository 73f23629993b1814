"""Creates the pipeline: the source's nodes once, then those of every target and of every arm of a target."""

import dataclasses
import os
from typing import Any

from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration import pipeline as tfx_pipeline

from components.example_gen.component import SourceExampleGen, TargetExampleGen
from components.importance_resampler.component import ImportanceResampler
from components.predictor.component import Predictor
from components.prior_estimator.component import PriorEstimator
from pipeline import metadata_file
from pipeline.config.run import ENTIRE_SOURCE, Arm, Config
from pipeline.nodes import exclude, ids
from pipeline.nodes.ingest import IngestNodes, check_labels, make_ingest_nodes, wait_for_checks
from pipeline.nodes.push import push
from trainer.component import Trainer
from trainer.recipes import Recipe


@dataclasses.dataclass(frozen=True)
class Adaptation:
    """The nodes that estimate a target's label prior, and those that exclude its near-duplicates from the source.

    Attributes:
      early_filters: those before the classifier's training.
      filters: all.
    """

    predictor: BaseNode
    source_predictor: BaseNode
    prior: BaseNode
    early_filters: exclude.Filters
    filters: exclude.Filters


@dataclasses.dataclass(frozen=True)
class ArmNodes:
    """The nodes of an arm, and the one that trains its final model."""

    nodes: list[BaseNode]
    finetune: BaseNode


def create_pipeline(config: Config, workspace: str, state: str | None = None) -> tfx_pipeline.Pipeline:
    """Returns the pipeline of `config`, whose artifacts, metadata and pushed models live under `workspace`.

    Args:
      config: the configuration of the run.
      workspace: an absolute path.
      state: another folder for artifacts and metadata.

    Raises:
      ValueError: a data set is unknown or not prepared.
      ModuleNotFoundError: an arm needs an extra that is not installed.
    """
    source = make_ingest_nodes("source", SourceExampleGen, config.source, config, workspace)
    targets = {
        name: make_ingest_nodes(name, TargetExampleGen, target.data, config, workspace)
        for name, target in config.targets.items()
    }
    for name, target in targets.items():
        if target.several_labels:
            raise ValueError(
                f"targets.{name}.data: {config.targets[name].data.location!r} has several labels an image, which only "
                "a source may have; set several_labels to false, or name another label_key or other data"
            )
    check_labels(config)
    _check_runner(config.beam)
    wait_for_checks(source, list(targets.values()))
    target_indices = {name: target["index"] for name, target in targets.items()}
    early_filters = exclude.filter_by_hashes(config.near_duplicates, source["index"], target_indices)
    classifier = _pretrain(config, workspace, source, ids.CLASSIFIER, config.classifier, plan=early_filters.plan)
    source_predictor = Predictor(
        examples=source["examples"],
        index=source["index"],
        model=classifier.outputs["model"],
        splits=["eval"],
        max_examples=config.prior.source_images,
    ).with_id(ids.side_node(ids.SOURCE, ids.PREDICTIONS))
    predictors = {name: _predictor(config, name, target, classifier) for name, target in targets.items()}
    filters = exclude.filter_by_embeddings(
        config.near_duplicates, early_filters, source["examples"], source["index"], classifier, predictors
    )
    nodes = [*source.nodes, *filters.nodes, classifier, source_predictor]
    shared: dict[str, BaseNode] = {}
    for name, target in targets.items():
        settings = config.targets[name]
        prior = _prior(config, name, source, predictors[name], source_predictor, filters)
        adaptation = Adaptation(predictors[name], source_predictor, prior, early_filters, filters)
        nodes += [*target.nodes, adaptation.predictor, adaptation.prior]
        for arm_name in settings.arms:
            arm_nodes = arm(config, workspace, name, arm_name, target, source, adaptation, shared)
            nodes += arm_nodes.nodes
            if arm_name == settings.push:
                nodes += push(name, settings, target["examples"], arm_nodes.finetune, workspace)
    first = ids.RESAMPLE if filters is early_filters else ids.DRAFT
    for node in shared.values():
        if ids.kind_of(node.id) == first:  # what cannot be drawn is refused before anything is trained
            classifier.add_upstream_node(node)
    return tfx_pipeline.Pipeline(
        pipeline_name=config.name,
        pipeline_root=os.path.join(state or workspace, "artifacts"),
        components=nodes,
        enable_cache=True,
        metadata_connection_config=metadata_file.connect(state or workspace),
        beam_pipeline_args=[*(config.beam or local_beam_args())],
    )


def arm(
    config: Config,
    workspace: str,
    target_name: str,
    name: Arm,
    target: IngestNodes,
    source: IngestNodes,
    adaptation: Adaptation,
    shared: dict[str, BaseNode],
) -> ArmNodes:
    """Returns the nodes of one way to pre-train and fine-tune: a sample, a specialist, its fine-tuned model.

    Args:
      config: the configuration of the run.
      workspace: folder that holds the checkpoints.
      target_name: name of the target.
      name: name of the arm.
      target, source: the nodes that ingest their data.
      adaptation: the nodes that adapt the source to the target.
      shared: id → node, for samples and specialists that other targets have as well; this function adds to it.
    """
    settings = config.shared_settings(target_name, name)
    specialist_id = ids.sample_node(target_name, name, ids.SPECIALIST, settings)
    nodes: list[BaseNode] = []
    if specialist_id not in shared:
        sample: dict[str, Any] = {"plan": adaptation.filters.plan}
        if name != ENTIRE_SOURCE:
            if settings is not None and adaptation.filters is not adaptation.early_filters:
                draft = _resampler(config, target_name, name, target, source, adaptation, adaptation.early_filters)
                nodes.append(draft.with_id(ids.sample_node(target_name, name, ids.DRAFT, settings)))
            resampler = _resampler(config, target_name, name, target, source, adaptation, adaptation.filters)
            nodes.append(resampler.with_id(ids.sample_node(target_name, name, ids.RESAMPLE, settings)))
            # Unless the sample is written, the Trainer reads it from the source's shards, by the plan.
            if "resampled_examples" in resampler.outputs:
                sample = {"train_examples": resampler.outputs["resampled_examples"]}
            else:
                sample = {"plan": resampler.outputs["plan"]}
        nodes.append(_pretrain(config, workspace, source, specialist_id, **sample))
        if settings is not None:
            shared.update({node.id: node for node in nodes})
    specialist = nodes[-1] if nodes else shared[specialist_id]
    finetune_id = ids.arm_node(target_name, name, ids.FINETUNE)
    finetune = Trainer(
        run_fn="trainer.finetune.run_fn",
        examples=target["examples"],
        index=target["index"],
        vocabulary=target["vocabulary"],
        base_model=specialist.outputs["model"],
        custom_config=_settings(config, config.finetune, scale_16_bit=config.targets[target_name].data.scale_16_bit),
        checkpoints=os.path.join(checkpoint_root(workspace), finetune_id),
    ).with_id(finetune_id)
    return ArmNodes([*nodes, finetune], finetune)


def checkpoint_root(workspace: str) -> str:
    """Returns the folder, in `workspace`, of the trainings' checkpoints and their policy."""
    return os.path.join(workspace, "checkpoints")


def local_beam_args() -> list[str]:
    """Returns the Beam arguments for one machine. In-memory mode is faster there than the parallel modes."""
    import apache_beam

    major, minor = (int(part) for part in apache_beam.__version__.split(".")[:2])
    # The DirectRunner of newer Beam versions tries to download a binary first.
    runner = ["--runner=FnApiRunner"] if (major, minor) > (2, 65) else []
    # If a container image is set, TFX does not package itself for remote workers, which would take 3 seconds a node.
    return [*runner, "--direct_running_mode=in_memory", "--direct_num_workers=1", "--sdk_container_image=none"]


def _check_runner(beam_args: list[str]) -> None:
    from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
    from apache_beam.runners.runner import create_runner

    name = PipelineOptions(beam_args).view_as(StandardOptions).runner
    try:
        if name is not None:
            create_runner(name)
    except (ValueError, ImportError) as error:
        raise ValueError(f"beam: the runner {name!r} cannot be used: {error}") from error


def _pretrain(
    config: Config, workspace: str, source: IngestNodes, node_id: str, recipe: Recipe | None = None, **sample
) -> BaseNode:
    trainer = Trainer(
        run_fn="trainer.pretrain.run_fn",
        examples=source["examples"],
        index=source["index"],
        vocabulary=source["vocabulary"],
        custom_config=_settings(
            config,
            recipe or config.pretrain,
            backbone=config.backbone.model_dump(),
            several_labels=source.several_labels,
        ),
        checkpoints=os.path.join(checkpoint_root(workspace), node_id),
        **sample,
    ).with_id(node_id)
    trainer.add_upstream_node(source.validator)  # which all targets' wait for: nothing is trained on data unseen
    return trainer


def _predictor(config: Config, name: str, target: IngestNodes, classifier: BaseNode) -> BaseNode:
    # The prior needs the train split only; the search for near-duplicates needs all splits.
    splits = ["train"] if config.near_duplicates.embeddings is None else list(config.targets[name].data.splits)
    return Predictor(
        examples=target["examples"], index=target["index"], model=classifier.outputs["model"], splits=splits
    ).with_id(ids.side_node(name, ids.PREDICTIONS))


def _prior(
    config: Config,
    name: str,
    source: IngestNodes,
    predictor: BaseNode,
    source_predictor: BaseNode,
    filters: exclude.Filters,
) -> BaseNode:
    return PriorEstimator(
        predictions=predictor.outputs["predictions"],
        source_predictions=source_predictor.outputs["predictions"],
        exclusions=filters.exclusions,
        index=source["index"],
        vocabulary=source["vocabulary"],
        seed=config.seed,
        activation=config.classifier.loss,
        **config.prior.model_dump(exclude={"source_images"}),
    ).with_id(ids.side_node(name, ids.PRIOR))


def _resampler(
    config: Config,
    target_name: str,
    name: Arm,
    target: IngestNodes,
    source: IngestNodes,
    adaptation: Adaptation,
    filters: exclude.Filters,
) -> ImportanceResampler:
    matcher = config.matcher(target_name, name)
    return ImportanceResampler(
        examples=source["examples"],
        index=source["index"],
        vocabulary=source["vocabulary"],
        label_prior=adaptation.prior.outputs["label_prior"] if matcher.depends_on_target() else None,
        source_predictions=adaptation.source_predictor.outputs["predictions"],
        target_predictions=adaptation.predictor.outputs["predictions"],
        target_index=target["index"],
        exclusions=filters.exclusions,
        matcher=matcher,
        n=0 if matcher.takes_all else config.resample.n,
        seed=config.seed if config.resample.seed is None else config.resample.seed,
        # Examples cannot hold loss weights, and nothing reads those of a draft.
        materialise=config.resample.materialise and not matcher.takes_all and filters is adaptation.filters,
    )


def _settings(config: Config, recipe: Recipe, **more: Any) -> dict[str, Any]:
    return {
        "recipe": recipe.model_dump(),
        "image": config.image.model_dump(),
        "seed": config.seed,
        "compute": config.compute.model_dump(),
        **more,
    }
