"""What a run will take: seconds and bytes, from a sample of its data and some steps of its network. Pure."""

import collections
import dataclasses
from collections.abc import Iterable, Mapping

from pipeline.config.run import ENTIRE_SOURCE, Config
from pipeline.nodes import ids
from trainer.loop.throughput import Throughput
from trainer.recipes import Recipe

_FLOAT = 4  # bytes of a parameter
_HALF = 2  # bytes of a logit, and of an element of an embedding


@dataclasses.dataclass(frozen=True)
class MeasuredData:
    """What was measured of the source or a target.

    Attributes:
      examples: our split → examples that the ExampleGen will write.
      seconds_each: to read, check and write one.
      record_bytes, index_bytes: of one, on the disk.
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
        """Examples that a training is evaluated on."""
        return self.total - self.examples["train"]


@dataclasses.dataclass(frozen=True)
class Cost:
    """A part of a run.

    Attributes:
      what: it is.
      times: how many nodes do such a thing.
      seconds: of all of them; None: not known.
      bytes: that stay; None: not known.
    """

    what: str
    times: int
    seconds: float | None
    bytes: float | None


def costs(
    config: Config,
    nodes: Iterable[str],
    source: MeasuredData,
    targets: Mapping[str, MeasuredData],
    network: Throughput | None,
) -> list[Cost]:
    """Returns the costs of a run from nothing, in its order.

    Args:
      config: of the run.
      nodes: ids of its pipeline's nodes.
      source, targets: what was measured of the data.
      network: what was measured of the network; None: nothing was, and what depends on it is not known.
    """
    found = [
        Cost(f"data: {name}", 1, side.total * side.seconds_each, side.total * (side.record_bytes + side.index_bytes))
        for name, side in {"source": source, **targets}.items()
    ]
    kinds = collections.Counter(map(ids.kind_of, nodes))

    def training(what: str, times: int, recipe: Recipe, evaluated: int) -> Cost:
        if network is None:
            return Cost(what, times, None, None)
        seconds = times * recipe.steps * recipe.batch_size / network.trained + evaluated / network.predicted
        # A SavedModel and a .keras file.
        return Cost(what, times, seconds, 2 * times * network.parameters * _FLOAT)

    found.append(training("classifier", 1, config.classifier, source.evaluated))
    predicted = _count_predicted(config, source, targets)
    seconds = predicted / network.predicted if network else None
    size = predicted * (source.labels + network.features) * _HALF if network else None
    found.append(Cost("predictions", kinds[ids.PREDICTIONS], seconds, size))
    samples = [
        arm
        for name, target in config.targets.items()
        for arm in target.arms
        if arm != ENTIRE_SOURCE and not config.matcher(name, arm).takes_all
    ]
    if config.resample.materialise and samples:
        drawn = len(samples) * config.resample.n
        seconds = drawn * source.seconds_each  # at most: their images are not checked again
        found.append(Cost("samples, written", len(samples), seconds, drawn * source.record_bytes))
    specialists = kinds[ids.SPECIALIST]
    found.append(training("specialists", specialists, config.pretrain, specialists * source.evaluated))
    evaluated = sum(len(config.targets[name].arms) * side.evaluated for name, side in targets.items())
    found.append(training("fine-tuning", kinds[ids.FINETUNE], config.finetune, evaluated))
    return found


def checkpoint_bytes(config: Config, network: Throughput) -> float:
    """Returns what the checkpoints of one training hold while it goes on: weights, momentum, and the average if any."""
    recipes = (config.classifier, config.pretrain, config.finetune)
    copies = 3 if any(recipe.ema for recipe in recipes) else 2
    return config.checkpoint.keep * copies * network.parameters * _FLOAT


def _count_predicted(config: Config, source: MeasuredData, targets: Mapping[str, MeasuredData]) -> int:
    of_source = min(config.prior.source_images, source.examples["eval"])
    if config.near_duplicates.embeddings is None:
        return of_source + sum(side.examples["train"] for side in targets.values())
    return of_source + source.examples["train"] + sum(side.total for side in targets.values())
