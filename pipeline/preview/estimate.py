"""Estimates the time and storage of a run from a sample of its data and a few steps of its network. Pure."""

import collections
import dataclasses
from collections.abc import Iterable, Mapping

from pipeline.config.run import Config
from pipeline.nodes import ids
from trainer.loop.throughput import Throughput
from trainer.recipes import Recipe

_PARAMETER_BYTES = 4
_PREDICTION_BYTES = 2  # of a logit, and of an element of an embedding
INGESTION_MEMORY = 1_500_000_000  # bytes that a Beam worker takes to read data, however many there are


@dataclasses.dataclass(frozen=True)
class DataCosts:
    """The size of the source or a target, and the costs of one of its examples.

    Attributes:
      examples: split → number of examples that the ExampleGen will write.
      seconds_each: seconds to read, check and write an example.
      record_bytes, index_bytes: bytes of an example on disk.
      labels: size of the vocabulary.
    """

    examples: Mapping[str, int]
    seconds_each: float
    record_bytes: float
    index_bytes: float
    labels: int

    @property
    def total(self) -> int:
        return sum(self.examples.values())

    @property
    def evaluated(self) -> int:
        """Number of examples that a training is evaluated on."""
        return self.total - self.examples["train"]


@dataclasses.dataclass(frozen=True)
class Cost:
    """The cost of a part of a run.

    Attributes:
      part: name of the part.
      nodes: number of its nodes.
      seconds: seconds of all its nodes; None: unknown.
      bytes: bytes of the artifacts; None: unknown.
    """

    part: str
    nodes: int
    seconds: float | None
    bytes: float | None


def estimate_costs(
    config: Config,
    nodes: Iterable[str],
    source: DataCosts,
    targets: Mapping[str, DataCosts],
    network: Throughput | None,
) -> list[Cost]:
    """Returns the costs of a run in a new workspace, in the order of the run.

    Args:
      config: the configuration of the run.
      nodes: ids of its pipeline's nodes.
      source, targets: the costs of the data.
      network: the throughput of the network; None: costs that depend on it are unknown.
    """
    costs = [
        Cost(f"data: {name}", 1, side.total * side.seconds_each, side.total * (side.record_bytes + side.index_bytes))
        for name, side in {"source": source, **targets}.items()
    ]
    kinds = collections.Counter(map(ids.kind_of, nodes))

    def estimate_trainings(part: str, recipes: list[Recipe], evaluated: int) -> Cost:
        """Each training is evaluated on its share of the images `evaluated` at the end of all of them."""
        if network is None:
            return Cost(part, len(recipes), None, None)
        evaluated += sum(_count_evaluated(recipe, evaluated // len(recipes)) for recipe in recipes)
        trained = sum(recipe.steps * recipe.batch_size for recipe in recipes)
        seconds = trained / network.training_images_per_second + evaluated / network.prediction_images_per_second
        # A SavedModel and a .keras file.
        return Cost(part, len(recipes), seconds, 2 * len(recipes) * network.parameters * _PARAMETER_BYTES)

    predictor = None  # unknown of a classifier that exists already, which may be another network
    if config.trained_classifier is not None:
        costs.append(estimate_trainings("classifier", [config.trained_classifier], source.evaluated))
        predictor = network
    predicted = _count_predicted(config, source, targets)
    seconds = predicted / predictor.prediction_images_per_second if predictor else None
    size = predicted * (source.labels + predictor.features) * _PREDICTION_BYTES if predictor else None
    costs.append(Cost("predictions", kinds[ids.PREDICTIONS], seconds, size))
    arms = {
        (name, arm): (config.matcher(name, arm), config.pretrain_of(arm), config.shared_settings(name, arm))
        for name, target in config.targets.items()
        for arm in target.arms
    }
    samples = {
        ids.sample_node(name, arm, ids.RESAMPLE, shared): config.sample_size(arm)
        for (name, arm), (matcher, _, shared) in arms.items()
        if matcher is not None and not matcher.takes_all
    }
    if config.resample.materialise and samples:
        drawn = sum(samples.values())
        seconds = drawn * source.seconds_each  # an upper limit, because the images are not checked again
        costs.append(Cost("written samples", len(samples), seconds, drawn * source.record_bytes))
    specialists = {
        ids.sample_node(name, arm, ids.SPECIALIST, shared): recipe
        for (name, arm), (_, recipe, shared) in arms.items()
        if recipe is not None
    }
    costs.append(estimate_trainings("specialists", [*specialists.values()], len(specialists) * source.evaluated))
    evaluated = sum(targets[name].evaluated for name, _ in arms)
    costs.append(estimate_trainings("fine-tuning", [config.finetune] * len(arms), evaluated))
    return costs


def working_bytes(costs: Iterable[DataCosts]) -> float:
    """Returns what the working files of one ingestion hold while it goes on, at most: as much as the largest side."""
    return max(side.total * (side.record_bytes + side.index_bytes) for side in costs)


def checkpoint_bytes(config: Config, network: Throughput) -> float:
    """Returns the bytes of one training's checkpoints: weights and momentum, and the average and the best weights."""
    recipes = (config.trained_classifier, config.pretrain, config.finetune)
    copies = max(2 + (recipe.ema is not None) + (recipe.export == "best") for recipe in recipes if recipe)
    return config.checkpoint.keep * copies * network.parameters * _PARAMETER_BYTES


def _count_evaluated(recipe: Recipe, split: int) -> int:
    """Returns how many examples a training is evaluated on while it goes on, at given steps, of a split of so many."""
    if recipe.evaluate is None or recipe.evaluate.every_steps is None:
        return 0
    each = split if recipe.evaluate.examples is None else min(split, recipe.evaluate.examples)
    return -(-recipe.steps // recipe.evaluate.every_steps) * each


def _count_predicted(config: Config, source: DataCosts, targets: Mapping[str, DataCosts]) -> int:
    source_images = min(config.prior.source_images, source.examples["eval"])
    if config.near_duplicates.embeddings is None:
        return source_images + sum(side.examples["train"] for side in targets.values())
    return source_images + source.examples["train"] + sum(side.total for side in targets.values())
