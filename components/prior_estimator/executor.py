"""Reads predictions and the source index, writes the label prior."""

import os
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from components import storage
from components.example_gen import index, vocabulary
from components.predictor import predictions
from components.prior_estimator import label_prior, priors


class Executor(base_executor.BaseExecutor):
    """See `components.prior_estimator.component`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        def folder(key: str, *parts: str) -> str:
            return os.path.join(artifact_utils.get_single_uri(input_dict[key]), *parts)

        labels = vocabulary.loads(storage.read_text(folder("vocabulary", vocabulary.FILE_NAME)))
        source = storage.read_table(storage.files(folder("index", "Split-train"), index.FILE_PATTERN), ["labels"])
        logits = predictions.logits_of(
            storage.read_table(
                storage.files(folder("predictions", "Split-train"), predictions.FILE_PATTERN), ["logits"]
            )
        )
        if logits.shape[1] != len(labels):
            raise ValueError(
                f"predictions: {logits.shape[1]} logits an image, but the source vocabulary has {len(labels)} labels; "
                "they must come from a classifier of this source"
            )
        temperature = exec_properties["temperature"]
        prior = label_prior.LabelPrior(
            names=labels.names,
            counts=index.label_counts(index.label_pairs(source["labels"], len(labels)), len(labels)),
            target_prior=priors.mean_prediction(logits, temperature),
            estimator="mean_prediction",
            temperature=temperature,
            num_images=len(logits),
        )
        output_uri = artifact_utils.get_single_uri(output_dict["label_prior"])
        storage.write_table(os.path.join(output_uri, label_prior.FILE_NAME), label_prior.to_table(prior))
