"""Stand-ins for trainings and predictions: what they write is of the right form, and takes no time."""

import collections
import json
import os
import pathlib
import zlib

import numpy as np
import tensorflow as tf

from components import storage
from components.artifacts import examples as examples_artifact
from components.artifacts import model_labels, plan, predicted_labels, predictions, vocabulary
from pipeline.nodes import ids
from trainer import results as trainer_results
from trainer import run as trainer_run
from trainer import serving

# Of the demo: 1% of the source.
SMALL = [
    "source.splits={train: 'train[:1%]', eval: 'eval[:1%]'}",
    "targets.digits.data.splits={train: train, eval: 'eval[:10%]', test: 'test[:5%]'}",
    "resample.n=300",
    "prior.bootstrap=0",
    "compare.seeds=2",
    "compare.vary=[]",
]
HISTORY = "step,steps,loss,accuracy,eval_loss,eval_accuracy\n10,20,2.5,0.25,,\n20,20,1.5,0.5,1.75,0.375\n"


def digest(text: str) -> int:
    return zlib.crc32(text.encode())


def read_examples(pattern: str) -> list[tuple[str, int]]:
    found = []
    for path in sorted(tf.io.gfile.glob(pattern)):
        for record in storage.read_records(path):
            features = tf.train.Example.FromString(record).features.feature
            label = features["image/class/label"].int64_list.value[0]
            found.append((features[examples_artifact.SOURCE_ID].bytes_list.value[0].decode(), label))
    return found


class Trainings:
    """Stand-ins for trainings: what ran, and which nodes have to fail."""

    def __init__(self):
        self.ran: list[str] = []
        self.failing: set[str] = set()
        self.starts: dict[str, str | None] = {}
        self.images: dict[str, int] = {}

    def train(self, fn_args, make_model) -> None:
        node = pathlib.Path(fn_args.model_run_dir).parts[-3]
        if node in self.failing:
            raise RuntimeError("it diverged")
        settings = trainer_run.TrainingSettings.model_validate(fn_args.custom_config)
        base = fn_args.base_model_dir
        if base is not None:
            assert pathlib.Path(base, serving.KERAS_FILE).exists()
        self.ran.append(node)
        self.starts[node] = base and pathlib.Path(base).parts[-3]
        if fn_args.plan_pattern:
            copies = [plan.copies_of(storage.read_table(path)) for path in tf.io.gfile.glob(fn_args.plan_pattern)]
            self.images[node] = int(sum(part.sum() for part in copies))
        names = vocabulary.loads(storage.read_text(os.path.join(fn_args.vocabulary_path, vocabulary.FILE_NAME))).names
        tf.io.gfile.makedirs(fn_args.serving_model_dir)
        if "saved_model" in settings.formats:
            model_labels.write(fn_args.serving_model_dir, names)
        if "keras" in settings.formats:
            storage.write_text(os.path.join(fn_args.model_dir, serving.KERAS_FILE), "weights")
        metrics = {}
        for split in settings.splits_to_evaluate(fn_args.split_patterns):
            found = read_examples(fn_args.split_patterns[split][0])
            labels = np.array([label for _, label in found])
            right = np.array([digest(f"{node} {settings.recipe.learning_rate} {name}") % 2 for name, _ in found])
            values = dict.fromkeys(("accuracy", "mean_per_class_accuracy", "cross_entropy"), float(right.mean()))
            metrics[split] = {"examples": len(found), "top_5_accuracy": 1.0, **values}
            if split in settings.keep_predictions:
                predicted = np.where(right == 1, labels, (labels + 1) % len(names))
                table = predicted_labels.table([name for name, _ in found], labels, predicted, np.full(len(found), 0.5))
                storage.write_table(os.path.join(fn_args.model_run_dir, predicted_labels.file_name(split)), table)
        storage.write_text(os.path.join(fn_args.model_run_dir, trainer_results.METRICS_FILE), json.dumps(metrics))
        storage.write_text(os.path.join(fn_args.model_run_dir, trainer_results.HISTORY_FILE), HISTORY)

    def predict(self, executor, input_dict, output_dict, exec_properties) -> None:
        uri = output_dict["predictions"][0].uri
        names = model_labels.read(os.path.join(input_dict["model"][0].uri, "Format-Serving"))
        storage.write_text(os.path.join(uri, vocabulary.FILE_NAME), vocabulary.dumps(vocabulary.make_vocabulary(names)))
        for split in json.loads(exec_properties["splits"]):
            folder = os.path.join(input_dict["examples"][0].uri, f"Split-{split}")
            found = [name for name, _ in read_examples(os.path.join(folder, storage.RECORD_PATTERN))]
            logits = np.random.default_rng(1).normal(size=(len(found), len(names)))
            path = os.path.join(uri, f"Split-{split}", storage.shard_name("predictions", 0, 1, ".parquet"))
            storage.write_table(path, predictions.table(found, logits))

    def count(self) -> dict[str, int]:
        """Returns how many nodes of each kind were trained since the last call."""
        counts = collections.Counter(map(ids.kind_of, self.ran))
        self.ran.clear()
        return dict(counts)
