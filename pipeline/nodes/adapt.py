"""The nodes between the data and the arms: the classifier, its predictions, the exclusions and the label priors."""

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common import importer
from tfx.types import BaseChannel, standard_artifacts

from components.predictor.component import Predictor
from components.prior_estimator.component import PriorEstimator
from pipeline.config.prior import Prior
from pipeline.config.run import Config
from pipeline.nodes import elsewhere, exclude, ids, train
from pipeline.nodes.ingest import Ingested, read_source_labels
from pipeline.nodes.registry import Registry
from pipeline.place import Place
from trainer.recipes import Recipe


@dataclasses.dataclass(frozen=True)
class Adaptation:
    """A source classifier and what it predicts.

    Attributes:
      predictors: target → the node that predicts its images.
      source_predictions: of the source's eval images; None: there are only its label counts.
    """

    classifier: BaseNode
    predictors: Mapping[str, BaseNode]
    source_predictions: BaseChannel | None


def adapt(
    nodes: Registry,
    config: Config,
    place: Place,
    ingested: Ingested,
    early_filters: exclude.Filters,
    *,
    all_splits: bool = False,
    part: str = "",
) -> Adaptation:
    """Adds a classifier and its predictions. One that exists already is imported before anything is read.

    Args:
      nodes: of the pipeline; this function adds to it.
      config: the configuration; its seed is that of the classifier.
      place: where the checkpoints are.
      ingested: the nodes of the data.
      early_filters: the filters before the classifier's training.
      all_splits: whether all splits of the targets are predicted, as the search for near-duplicates needs them. The
        prior needs the train split only.
      part: what sets this classifier and its predictions apart, in the ids, from those of others.
    """
    classifier_id = ids.side_node(ids.SOURCE, ids.CLASSIFIER_KIND, part)

    def make_classifier() -> BaseNode:
        if place.classifier is not None:
            return importer.Importer(
                source_uri=place.classifier, artifact_type=standard_artifacts.Model, output_key="model"
            )
        if not isinstance(config.classifier, Recipe):
            return elsewhere.make_importer(config, config.classifier, read_source_labels(config))
        return train.pretrain(
            classifier_id,
            config,
            place,
            ingested.source,
            config.classifier,
            sample={"plan": early_filters.plan},
            steps_name="classifier_steps",
        )

    classifier = nodes.get(classifier_id, make_classifier)
    if config.trained_classifier is None:  # a wrong file is known before the data are read
        for data in ingested.all_data:
            data.example_gen.add_upstream_node(classifier)
    source_predictor = None
    if (source := ingested.source_data) is not None:
        source_predictor = nodes.get(
            ids.side_node(ids.SOURCE, ids.PREDICTIONS, part),
            lambda: Predictor(
                examples=source["examples"],
                index=source["index"],
                model=classifier.outputs["model"],
                splits=["eval"],
                max_examples=config.prior.source_images,
            ),
        )
    predictors = {
        name: nodes.get(
            ids.side_node(name, ids.PREDICTIONS, part),
            lambda name=name, target=target: Predictor(  # type: ignore[misc]  # mypy does not see the defaults
                examples=target["examples"],
                index=target["index"],
                model=classifier.outputs["model"],
                splits=list(config.targets[name].data.splits) if all_splits else ["train"],
            ),
        )
        for name, target in ingested.targets.items()
    }
    if config.trained_classifier is None and source is not None and source_predictor is not None:
        # As a training does: nothing is predicted while a mistake in the data may be found.
        for predictor in (source_predictor, *predictors.values()):
            predictor.add_upstream_node(source.validator)
    source_predictions = source_predictor.outputs["predictions"] if source_predictor else None
    return Adaptation(classifier, predictors, source_predictions)


def estimate_prior(
    nodes: Registry,
    config: Config,
    place: Place,
    ingested: Ingested,
    adaptation: Adaptation,
    filters: exclude.Filters,
    target: str,
    settings: Prior,
    subset: BaseNode | None = None,
    part: str = "",
) -> BaseNode:
    """Adds the label prior of a target, if it is not there, and returns its node.

    Args:
      nodes, config, place, ingested: as `adapt` takes them; the seed is that of the bootstrap.
      adaptation: the classifier and its predictions.
      filters: of the source's images.
      target: name of the target.
      settings: how P_t is estimated.
      subset: the node that chose the target's train images; None: all of them.
      part: the part of the id that sets it apart from the priors of other seeds.
    """
    own = "" if settings == config.prior else hashlib.sha256(settings.model_dump_json().encode()).hexdigest()[:6]
    chosen = (
        {}
        if subset is None
        else {
            "target_plan": subset.outputs["plan"],
            "target_index": ingested.targets[target]["index"],
        }
    )
    return nodes.get(
        ids.arm_node(target, own, ids.PRIOR, part),
        lambda: PriorEstimator(
            predictions=adaptation.predictors[target].outputs["predictions"],
            vocabulary=ingested.vocabulary,
            **_source_of(ingested, adaptation, filters),
            seed=place.parameter("seed", config.seed),
            activation=config.classifier.activation,
            **settings.model_dump(exclude={"source_images"}),
            **chosen,
        ),
    )


def _source_of(ingested: Ingested, adaptation: Adaptation, filters: exclude.Filters) -> dict[str, Any]:
    """Returns what a PriorEstimator takes of the source: its index and predictions for it, or its label counts."""
    if adaptation.source_predictions is None:
        return {"counts": ingested.counts.outputs["counts"]} if ingested.counts else {}
    return {
        "index": ingested.source["index"],
        "source_predictions": adaptation.source_predictions,
        "exclusions": filters.exclusions,
    }
