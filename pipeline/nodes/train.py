"""The Trainer nodes."""

from collections.abc import Mapping, Sequence
from typing import Any

from tfx.types import BaseChannel

from pipeline.config.run import Config
from pipeline.nodes.ingest import IngestNodes
from pipeline.place import Place
from trainer.component import Trainer
from trainer.recipes import Recipe


def pretrain(
    node_id: str,
    config: Config,
    place: Place,
    source: IngestNodes,
    recipe: Recipe,
    *,
    sample: Mapping[str, Any],
    base_model: BaseChannel | None = None,
    new_head: bool = False,
    steps_name: str | None,
    evaluate: bool = True,
    formats: Sequence[str] | None = None,
) -> Trainer:
    """Returns a training on the source, of the classifier or of a specialist.

    Args:
      node_id: id of the node, and name of the folder of its checkpoints.
      config: the configuration; its seed is that of the training.
      place: where the checkpoints are.
      source: the nodes of the source's data.
      recipe: of the training.
      sample: the Trainer's `plan` or `train_examples`.
      base_model: the model it starts from; None: it starts at random.
      new_head: whether only the base model's backbone is used, and not its head.
      steps_name: name of the parameter of the pipeline for the steps; None: they are those of the recipe.
      evaluate: whether it is evaluated on the source's eval split.
      formats: those in which the model is exported; None: all.
    """
    trainer = Trainer(
        run_fn="trainer.pretrain.run_fn",
        examples=source["examples"],
        index=source["index"],
        vocabulary=source["vocabulary"],
        custom_config=_settings(
            config,
            recipe,
            backbone=config.backbone.network,
            several_labels=source.several_labels,
            **({"new_head": True} if new_head else {}),
            **({} if evaluate else {"evaluation_splits": []}),
            **_name_formats(formats),
        ),
        checkpoints=place.checkpoints_of(node_id),
        base_model=base_model,
        **_name_parameters(place, config, recipe, steps_name),
        **sample,
    ).with_id(node_id)
    trainer.add_upstream_node(source.validator)  # which all targets' wait for: nothing is trained on data unseen
    return trainer


def finetune(
    node_id: str,
    config: Config,
    place: Place,
    target: IngestNodes,
    *,
    scale_16_bit: str,
    base_model: BaseChannel | None,
    plan: BaseChannel | None = None,
    keep_predictions: Sequence[str] = (),
    formats: Sequence[str] | None = None,
) -> Trainer:
    """Returns a training on a target.

    Args:
      node_id, config, place: as `pretrain` takes them.
      target: the nodes of the target's data.
      scale_16_bit: that of the target's data.
      base_model: the specialist; None: it starts at random.
      plan: the train images it is limited to; None: all.
      keep_predictions: the splits of which each image's prediction is kept.
      formats: those in which the model is exported; None: all.
    """
    start: dict[str, Any] = {}
    recipe = config.finetune
    if base_model is None:  # whose backbone cannot wait
        start = {"backbone": config.backbone.network}
        recipe = recipe.for_random_start()
    return Trainer(
        run_fn="trainer.finetune.run_fn",
        examples=target["examples"],
        index=target["index"],
        vocabulary=target["vocabulary"],
        base_model=base_model,
        plan=plan,
        custom_config=_settings(
            config,
            recipe,
            scale_16_bit=scale_16_bit,
            **start,
            **_keep_and_name(keep_predictions, formats),
        ),
        checkpoints=place.checkpoints_of(node_id),
        **_name_parameters(place, config, recipe, "finetune_steps"),
    ).with_id(node_id)


def probe(
    node_id: str,
    config: Config,
    target: IngestNodes,
    kind: str,
    *,
    scale_16_bit: str,
    base_model: BaseChannel,
    plan: BaseChannel | None = None,
    keep_predictions: Sequence[str] = (),
    formats: Sequence[str] | None = None,
) -> Trainer:
    """Returns a probe of the features of a network on a target: `kind` is 'linear_probe' or 'knn'.

    The other arguments are those of `finetune`.
    """
    return Trainer(
        run_fn="trainer.probe.run_fn",
        examples=target["examples"],
        index=target["index"],
        vocabulary=target["vocabulary"],
        base_model=base_model,
        plan=plan,
        custom_config={
            "kind": kind,
            "image": config.image.model_dump(),
            "scale_16_bit": scale_16_bit,
            **_keep_and_name(keep_predictions, formats),
        },
    ).with_id(node_id)


def _settings(config: Config, recipe: Recipe, **more: Any) -> dict[str, Any]:
    return {
        "recipe": recipe.model_dump(),
        "image": config.image.model_dump(),
        "seed": config.seed,
        "compute": config.compute.model_dump(),
        **more,
    }


def _keep_and_name(keep_predictions: Sequence[str], formats: Sequence[str] | None) -> dict[str, list[str]]:
    kept = {"keep_predictions": list(keep_predictions)} if keep_predictions else {}
    return {**kept, **_name_formats(formats)}


def _name_formats(formats: Sequence[str] | None) -> dict[str, list[str]]:
    return {} if formats is None else {"formats": list(formats)}


def _name_parameters(place: Place, config: Config, recipe: Recipe, steps_name: str | None) -> dict[str, Any]:
    """Returns the parameters of the pipeline that take the place of settings; on this machine there are none."""
    wanted = {"seed": ("seed", config.seed), "steps": (steps_name, recipe.steps)}
    return {key: place.parameter(name, value) for key, (name, value) in wanted.items() if name in place.parameters}
