"""Probes on a target: a linear classifier, or the nearest neighbours, on the frozen features of a network."""

import dataclasses
import json
import os
from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

import keras
import numpy as np
import pydantic
import tensorflow as tf

from components import decoding, storage
from components.artifacts import vocabulary
from trainer import metrics, results
from trainer.base_model import Pretrained
from trainer.data import draws, input_pipeline
from trainer.fn_args import FnArgs
from trainer.probes import logistic, neighbours

PROBE_FILE = "probe.json"
NEIGHBOURS = (1, 2, 5, 10, 20, 50, 100, 200)  # the numbers of neighbours that are tried
_Candidate: TypeAlias = tuple[float, np.ndarray, list[np.ndarray]]  # value, logits of the examples, weights
_BATCH = 64  # images that the network is called on at a time
_AT_ONCE = 1024  # examples whose neighbours are looked for at a time


class ProbeSettings(results.ResultSettings):
    """The `custom_config` of a Trainer node that probes.

    Attributes:
      kind: `linear_probe`: multinomial logistic regression with an L2 penalty. `knn`: votes of the nearest neighbours.
      seed: not used, because nothing is drawn at random; a run sets that of all its Trainers.
    """

    kind: Literal["linear_probe", "knn"]
    seed: int = 0

    @pydantic.model_validator(mode="after")
    def _check_labels(self) -> "ProbeSettings":
        if self.several_labels:
            raise ValueError(
                "several_labels: a probe takes examples with one label each; fine-tune on such a target with the "
                "run_fn trainer.finetune.run_fn"
            )
        return self


def run_fn(fn_args: FnArgs) -> None:
    """Fits a probe on the features of the backbone of `fn_args.base_model_dir`, which is not trained.

    Features are those of inference, of images as evaluation sees them, without augmentation. An example of which the
    plan takes copies counts as often. What there is to choose, the penalty or the number of neighbours, is chosen by
    the accuracy on the split `eval`, then by the cross entropy there; `probe.json`, beside the metrics, has it and what
    was tried. The model is one as the other run_fns write it: its layer `backbone` is the base model's, and its logits
    are those of a dense layer `head`, or of the layer `neighbours`.

    The features of all train and eval examples are held: 4 · width bytes each, for `linear_probe` twice. On a CPU the
    same inputs give the same model.

    Raises:
      ValueError: the settings are wrong, there is no base model or no split `eval`, or the plan has weights.
    """
    settings = ProbeSettings.model_validate(fn_args.custom_config)
    settings.splits_to_evaluate(fn_args.split_patterns)  # what is wrong fails before the work
    if fn_args.base_model_dir is None:
        raise ValueError("base_model: a probe needs one; give the Trainer the model whose features are to be probed")
    if "eval" not in fn_args.split_patterns:
        raise ValueError(
            f"examples: {settings.kind} is chosen by the split 'eval', but there are only "
            f"{', '.join(fn_args.split_patterns)}; give Examples that have it"
        )
    labels = vocabulary.loads(storage.read_text(os.path.join(fn_args.vocabulary_path, vocabulary.FILE_NAME)))
    drawn = draws.open_draws(
        fn_args.split_patterns["train"], index_pattern=fn_args.index_pattern, plan_pattern=fn_args.plan_pattern
    )
    if drawn.weights is not None:
        raise ValueError("plan: has weights, which a probe does not take; make one of copies alone")
    backbone = Pretrained(fn_args.base_model_dir).backbone_for(settings.image)
    images = keras.Input(backbone.input_shape[1:], name="images")
    outputs = backbone(images)
    features = outputs["features"] if isinstance(outputs, dict) else outputs
    network = keras.Model(images, features)

    train = _compute_features(network, _read_drawn(drawn, settings)).repeat(np.diff(drawn.ends, prepend=0))
    evaluated = _compute_features(network, results.evaluation_batches(fn_args, settings, "eval", _BATCH))
    fit = {"linear_probe": fit_linear, "knn": fit_neighbours}[settings.kind]
    probe = fit(train, evaluated, len(labels.names))
    model = keras.Model(images, {"logits": probe.head(features), "features": features}, name="classifier")
    probe.head.set_weights(probe.weights)
    record = {"kind": settings.kind, **probe.chosen, "tried": probe.tried}
    storage.write_text(os.path.join(fn_args.model_run_dir, PROBE_FILE), json.dumps(record, indent=2))
    results.write(fn_args, settings, labels.names, model, activation="softmax", batch_size=_BATCH)


@dataclasses.dataclass(frozen=True)
class Features:
    """The features of examples, float32 [examples, width], and their labels, int64 [examples]."""

    features: np.ndarray
    labels: np.ndarray

    def repeat(self, copies: np.ndarray) -> "Features":
        """Returns each example as often as `copies`, int [examples], says."""
        if (copies == 1).all():
            return self
        return Features(np.repeat(self.features, copies, axis=0), np.repeat(self.labels, copies))


@dataclasses.dataclass(frozen=True)
class Probe:
    """A probe that was chosen.

    Attributes:
      head: the layer from features to logits, without its weights.
      weights: those, as `head.set_weights` takes them once it is built.
      chosen: what was chosen, by its name.
      tried: for each value that was tried: the value, and accuracy and cross entropy on the eval examples.
    """

    head: keras.layers.Layer
    weights: list[np.ndarray]
    chosen: dict[str, float]
    tried: list[dict[str, float]]


def fit_linear(train: Features, evaluated: Features, classes: int) -> Probe:
    """Returns the linear classifier whose penalty is the best one for `evaluated`; of equal ones the strongest."""
    solutions = logistic.fit_penalties(train.features, train.labels, classes)
    candidates = ((penalty, evaluated.features @ kernel + bias, [kernel, bias]) for penalty, kernel, bias in solutions)
    penalty, weights, tried = _choose("l2", candidates, evaluated.labels)
    return Probe(keras.layers.Dense(classes, dtype="float32", name="head"), weights, {"l2": penalty}, tried)


def fit_neighbours(train: Features, evaluated: Features, classes: int) -> Probe:
    """Returns the votes of the neighbours whose number is the best one for `evaluated`; of equal ones the smallest."""
    bank = tf.math.l2_normalize(train.features, axis=1).numpy()
    labels = train.labels.astype(np.int32)
    numbers = [k for k in NEIGHBOURS if k <= len(bank)]
    found = [
        neighbours.find_nearest(evaluated.features[start : start + _AT_ONCE], bank, labels, numbers[-1])
        for start in range(0, len(evaluated.features), _AT_ONCE)
    ]
    cosines, voters = (tf.concat(parts, axis=0) for parts in zip(*found, strict=True))
    candidates: Iterator[_Candidate] = (
        (k, neighbours.vote(cosines[:, :k], voters[:, :k], classes).numpy(), []) for k in numbers
    )
    k, _, tried = _choose("k", candidates, evaluated.labels)
    head = neighbours.NearestNeighbours(int(k), classes, len(bank), name="neighbours")
    return Probe(head, [bank, labels], {"k": k, "temperature": head.temperature}, tried)


def _choose(
    name: str, candidates: Iterable[_Candidate], labels: np.ndarray
) -> tuple[float, list[np.ndarray], list[dict[str, float]]]:
    """Returns the best value, its weights, and what was tried.

    Args:
      name: of the value.
      candidates: values with the logits that they give, float32 [examples, classes], and their weights.
      labels: of the examples.
    """
    best: tuple[tuple[float, float], float, list[np.ndarray]] | None = None
    tried = []
    for value, logits, weights in candidates:
        sums = metrics.Sums()
        sums.add(logits, labels[:, None], np.ones((len(labels), 1), bool))
        found = sums.metrics()
        tried.append({name: value, "accuracy": found.accuracy, "cross_entropy": found.cross_entropy})
        rank = (found.accuracy, -found.cross_entropy)
        if best is None or rank > best[0]:
            best = rank, value, weights
    assert best is not None, "there is something to try"
    return best[1], best[2], tried


def _compute_features(network: keras.Model, batches: Iterable[tuple[tf.Tensor, ...]]) -> Features:
    """Returns the features of (images, labels, presence) batches of examples with one label each."""

    @tf.function(reduce_retracing=True, autograph=False)
    def predict(images: tf.Tensor) -> tf.Tensor:
        return tf.cast(network(images, training=False), tf.float32)

    features, labels = [], []
    for batch in batches:
        features.append(predict(batch[0]).numpy())
        labels.append(batch[1].numpy()[:, 0])
    found = Features(np.concatenate(features), np.concatenate(labels))
    if not np.isfinite(found.features).all():
        raise ValueError("base_model: its features are not finite; the network has diverged, train it anew")
    return found


def _read_drawn(drawn: draws.Draws, settings: ProbeSettings) -> Iterator[tuple[tf.Tensor, ...]]:
    """Yields each example that is drawn once, in batches as for an evaluation."""
    with decoding.name_undecodable(input_pipeline.drawn_records(drawn)):
        yield from input_pipeline.drawn_batches(drawn, settings.image, _BATCH)
