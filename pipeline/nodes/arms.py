"""The nodes of an arm: a sample, the specialist that is pre-trained on it, and its fine-tuned model."""

import dataclasses
from typing import Any

from tfx.dsl.components.base.base_node import BaseNode
from tfx.types import BaseChannel

from components.importance_resampler.component import ImportanceResampler
from components.target_sampler.component import TargetSampler
from pipeline.config.run import Config
from pipeline.nodes import adapt, elsewhere, exclude, ids, published, train
from pipeline.nodes.ingest import Ingested, read_source_labels
from pipeline.nodes.registry import Registry
from pipeline.place import Place


@dataclasses.dataclass(frozen=True)
class Basis:
    """What the arms of a pipeline stand on.

    Attributes:
      config: the configuration of the run.
      place: where the run has its files.
      ingested: the nodes of the data.
      early_filters: the filters of the source that come before the training of a classifier.
      filters: all.
      adaptation: the classifier and its predictions; None: no arm needs them.
    """

    config: Config
    place: Place
    ingested: Ingested
    early_filters: exclude.Filters
    filters: exclude.Filters
    adaptation: adapt.Adaptation | None

    def require_adaptation(self) -> adapt.Adaptation:
        """Returns the classifier and its predictions."""
        assert self.adaptation is not None, "an arm needs the classifier"
        return self.adaptation


@dataclasses.dataclass(frozen=True)
class Replicate:
    """A repetition of an arm in a comparison. Its nodes are others than those of a run.

    Attributes:
      seed: of sampling, pre-training and fine-tuning.
      learning_rate: the fine-tuning's.
      basis_part: what sets the classifier, the priors and the choice of the target's images apart in the ids: the seed,
        if they differ from seed to seed; else empty.
      keep_models: whether the models stay when the results are known.
      subset: the node that chose the target's train images; None: all of them.
      subset_part: what sets this choice apart, such as 'k5'; empty without one.
    """

    seed: int
    learning_rate: float
    basis_part: str = ""
    keep_models: bool = True
    subset: BaseNode | None = None
    subset_part: str = ""

    def configure(self, config: Config) -> Config:
        """Returns `config` with the seed and the learning rate of this repetition."""
        return config.model_copy(
            update={
                "seed": self.seed,
                "resample": config.resample.model_copy(update={"seed": self.seed}),
                "finetune": config.finetune.model_copy(update={"learning_rate": self.learning_rate}),
            }
        )

    @property
    def prior_part(self) -> str:
        """What sets a label prior apart in the ids."""
        return "-".join(filter(None, [self.basis_part, self.subset_part]))

    def sample_part(self, depends_on_images: bool) -> str:
        """Returns what sets a sample apart, and the specialist that is trained on it."""
        return "-".join(filter(None, [f"s{self.seed}", self.subset_part if depends_on_images else ""]))

    def finetune_part(self, *, of_rate: bool) -> str:
        """Returns what sets a fine-tuning apart; `of_rate`: from those with other learning rates, too."""
        rate = f"lr{self.learning_rate!r}".replace(".", "p").replace("+", "")
        return "-".join(filter(None, [f"s{self.seed}", self.subset_part, rate if of_rate else ""]))


def choose_images(
    nodes: Registry, basis: Basis, target: str, replicate: Replicate, *, shots: int | None, redraw: bool
) -> Replicate:
    """Returns `replicate` with a choice of the target's train images, whose node it adds.

    Args:
      nodes: of the pipeline; this function adds to it.
      basis: what the arm stands on.
      target: name of the target.
      replicate: a repetition without a choice.
      shots: how many images a class; None: all.
      redraw: whether the choice differs from seed to seed. Of all images, as many are drawn with replacement.
    """
    if shots is None and not redraw:
        return replicate
    target_nodes = basis.ingested.targets[target]
    part = "-".join([f"k{shots}"] * (shots is not None) + ["redrawn"] * redraw)
    subset = nodes.get(
        ids.side_node(target, ids.SUBSET, "-".join([f"s{replicate.seed}"] * redraw + [part])),
        lambda: TargetSampler(
            index=target_nodes["index"],
            vocabulary=target_nodes["vocabulary"],
            shots=shots or 0,
            # A few images a class are drawn anew from all of them; only all of them have to be drawn with replacement.
            replicate=redraw and shots is None,
            seed=replicate.seed if redraw else basis.config.seed,
        ),
    )
    return dataclasses.replace(replicate, subset=subset, subset_part=part)


@dataclasses.dataclass(frozen=True)
class ArmNodes:
    """The nodes of an arm that train: its final model, and the one that this starts from; None: it starts at random."""

    finetune: BaseNode
    specialist: BaseNode | None


def make_arm(nodes: Registry, basis: Basis, target: str, name: str, replicate: Replicate | None = None) -> ArmNodes:
    """Adds the nodes of one way to pre-train and fine-tune. Those that are there already are shared.

    Args:
      nodes: of the pipeline; this function adds to it.
      basis: what the arm stands on.
      target: name of the target.
      name: name of the arm.
      replicate: None: the arm of a run.
    """
    config = replicate.configure(basis.config) if replicate else basis.config
    keep_models = replicate is None or replicate.keep_models
    shared = config.shared_settings(target, name)
    part = replicate.sample_part(depends_on_images=shared is None) if replicate else ""
    arm = config.arm(name)
    specialist = None
    if arm.start == "classifier":
        specialist = basis.require_adaptation().classifier
    elif arm.start == "published":
        specialist = published.import_backbone(nodes, config)
    recipe = config.pretrain_of(name)
    if recipe is not None:
        sample = _make_sample(nodes, basis, config, target, name, replicate, part)
        start = None if specialist is None else specialist.outputs["model"]
        specialist_id = ids.sample_node(target, name, ids.SPECIALIST, shared, part)
        specialist = nodes.get(
            specialist_id,
            lambda: train.pretrain(
                specialist_id,
                config,
                basis.place,
                basis.ingested.source,
                recipe,
                sample=sample,
                base_model=start,
                new_head=_starts_with_new_head(config, arm.start),
                steps_name="pretrain_steps" if arm.steps is None else None,
                evaluate=replicate is None or config.compare.evaluate_specialists,
                formats=None if keep_models else ["keras"],
            ),
        )
    finetune_part = replicate.finetune_part(of_rate=bool(config.compare.learning_rates)) if replicate else ""
    finetune_id = ids.arm_node(target, name, ids.FINETUNE, finetune_part)
    given: dict[str, Any] = {
        "scale_16_bit": config.targets[target].data.scale_16_bit,
        "base_model": None if specialist is None else specialist.outputs["model"],
        "plan": replicate.subset.outputs["plan"] if replicate and replicate.subset else None,
        "keep_predictions": [config.targets[target].reported_split],
        "formats": None if keep_models else [],
    }

    def make_last() -> BaseNode:
        data = basis.ingested.targets[target]
        if arm.transfer == "finetune":
            last = train.finetune(finetune_id, config, basis.place, data, **given)
        else:
            last = train.probe(finetune_id, config, data, arm.transfer, **given)
        if replicate is None:  # a cell of a comparison may need nothing of the source, for which the validation waits
            last.add_upstream_node(data.validator)
        return last

    return ArmNodes(nodes.get(finetune_id, make_last), specialist)


def _starts_with_new_head(config: Config, start: str) -> bool:
    """Returns whether a network that exists already goes on with a head over the source's labels of its own."""
    if start == "classifier":
        return elsewhere.has_other_labels(config, read_source_labels(config))
    return start == "published"


def _make_sample(
    nodes: Registry, basis: Basis, config: Config, target: str, name: str, replicate: Replicate | None, part: str
) -> dict[str, BaseChannel | None]:
    """Adds the nodes that draw an arm's pre-training set; returns what a Trainer takes of them."""
    matcher = config.matcher(target, name)
    if matcher is None:
        return {"plan": basis.filters.plan}
    source = basis.ingested.source
    inputs: dict[str, Any] = {}
    if matcher.depends_on_target():
        adaptation = basis.require_adaptation()
        prior = adapt.estimate_prior(
            nodes,
            basis.config,
            basis.place,
            basis.ingested,
            adaptation,
            basis.filters,
            target,
            config.prior_of(name),
            subset=replicate.subset if replicate else None,
            part=replicate.prior_part if replicate else "",
        )
        inputs = {
            "label_prior": prior.outputs["label_prior"],
            "source_predictions": adaptation.source_predictions,
            "target_predictions": adaptation.predictors[target].outputs["predictions"],
            "target_index": basis.ingested.targets[target]["index"],
            "target_plan": replicate.subset.outputs["plan"] if replicate and replicate.subset else None,
        }

    n: Any = config.arm(name).n or basis.place.parameter("n", config.resample.n)
    seed: Any = config.resample.seed
    if seed is None:
        seed = basis.place.parameter("seed", config.seed)

    def make_resampler(filters: exclude.Filters) -> ImportanceResampler:
        return ImportanceResampler(
            examples=source["examples"],
            index=source["index"],
            vocabulary=source["vocabulary"],
            exclusions=filters.exclusions,
            matcher=matcher,
            n=0 if matcher.takes_all else n,
            seed=seed,
            # Examples cannot hold loss weights, and nothing reads those of a draft.
            materialise=config.resample.materialise and not matcher.takes_all and filters is basis.filters,
            **inputs,
        )

    shared = config.shared_settings(target, name)
    if shared is not None and basis.filters is not basis.early_filters:
        draft_id = ids.sample_node(target, name, ids.DRAFT, shared, part)
        nodes.get(draft_id, lambda: make_resampler(basis.early_filters))
    resample_id = ids.sample_node(target, name, ids.RESAMPLE, shared, part)
    resample = nodes.get(resample_id, lambda: make_resampler(basis.filters))
    # Unless the sample is written, the Trainer reads it from the source's shards, by the plan.
    if "resampled_examples" in resample.outputs:
        return {"train_examples": resample.outputs["resampled_examples"]}
    return {"plan": resample.outputs["plan"]}
