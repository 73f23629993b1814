"""Examples on disk, as an ExampleGen leaves them, and trainings on them as the Trainer component runs them."""

import os
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from components import storage
from components.artifacts import vocabulary
from components.example_gen import testing


@pytest.fixture(scope="session")
def write_split() -> Callable[..., str]:
    def write(
        uri: str,
        images: Sequence[bytes],
        labels: Sequence[int | tuple[int, ...]],
        *,
        names: tuple[str, ...] = tuple("abcdefghij"),
        split: str = "train",
        shards: int = 1,
    ) -> str:
        """Writes image i with its label or labels, `labels[i]`, to the Examples at `uri`, dealt to the shards in turn.

        Returns the pattern of the files.
        """
        records = []
        for i, (image, label) in enumerate(zip(images, labels, strict=True)):
            of_image = label if isinstance(label, tuple) else (label,)
            records.append(testing.make_record(image, of_image, f"{split}-{i}", split=split, names=names).record)
        folder = os.path.join(uri, f"Split-{split}")
        for shard in range(shards):
            name = storage.shard_name("data_tfrecord", shard, shards)
            storage.write_records(os.path.join(folder, name), records[shard::shards])
        return os.path.join(folder, "*")

    return write


class Trainings:
    """Artifacts under one folder, and the executor. TFX is imported when it is needed: it takes seconds."""

    def __init__(self, root: pathlib.Path, write_split: Callable[..., str]):
        self.root = root
        self.write_split = write_split

    def recipe(self, **changes) -> dict:
        evaluate = {"every_steps": 2, "examples": 4}
        recipe = {"steps": 3, "batch_size": 4, "learning_rate": 0.05, "dropout": 0.2, "shift": 1, "l2": 1e-4}
        return {**recipe, "evaluate": evaluate, **changes}

    def data(
        self, side: str, names: tuple[str, ...], splits: dict[str, int | Sequence[int | tuple[int, ...]]]
    ) -> dict[str, list]:
        """Writes Examples and their vocabulary. Splits are their labels, or a number whose labels follow each other."""
        import tensorflow as tf
        from tfx.types import artifact_utils, standard_artifacts

        from components.artifacts.types import LabelVocabulary

        random = np.random.default_rng(len(names))
        examples = self.at(standard_artifacts.Examples(), f"{side}-examples")
        examples.split_names = artifact_utils.encode_split_names(list(splits))
        for split, labels in splits.items():
            if isinstance(labels, int):
                labels = [index % len(names) for index in range(labels)]
            images = [tf.io.encode_png(random.integers(0, 256, (16, 16, 1), np.uint8)).numpy() for _ in labels]
            self.write_split(examples.uri, images, labels, names=names, split=split, shards=2)
        words = self.at(LabelVocabulary(), f"{side}-vocabulary")
        table = vocabulary.dumps(vocabulary.make_vocabulary(names))
        storage.write_text(os.path.join(words.uri, vocabulary.FILE_NAME), table)
        return {"examples": [examples], "vocabulary": [words]}

    def at(self, made, name: str):
        """Returns the artifact `made`, which lies in the folder `name`."""
        made.uri = str(self.root / name)
        return made

    def base(self, model: pathlib.Path) -> dict[str, list]:
        """Returns the input that starts a training from `model`."""
        from tfx.types import standard_artifacts

        return {"base_model": [self.at(standard_artifacts.Model(), model.name)]}

    def __call__(
        self, run_fn: str, name: str, inputs: dict[str, list], checkpoints: str | None = None, **config
    ) -> pathlib.Path:
        """Trains; returns the folder of the model, beside which the one of the run ends in `-run`."""
        from tfx.types import Channel, standard_artifacts

        from components.artifacts.types import LabelVocabulary
        from trainer import component

        model = self.at(standard_artifacts.Model(), name)
        model_run = self.at(standard_artifacts.ModelRun(), f"{name}-run")
        node = component.Trainer(
            run_fn=f"trainer.{run_fn}.run_fn",
            examples=Channel(type=standard_artifacts.Examples),
            vocabulary=Channel(type=LabelVocabulary),
            custom_config={
                **({} if run_fn == "probe" else {"recipe": self.recipe()}),
                "image": {"size": 16, "channels": 1},
                "seed": 5,
                **config,
            },
            checkpoints=checkpoints,
        )
        component.Executor().Do(inputs, {"model": [model], "model_run": [model_run]}, node.exec_properties)
        return self.root / name

    def load(self, model: pathlib.Path):
        """Returns the Keras model in a folder."""
        import keras

        return keras.saving.load_model(model / "Format-Keras" / "model.keras", compile=False)


@pytest.fixture(scope="module")
def trainings(tmp_path_factory, write_split) -> Trainings:
    return Trainings(tmp_path_factory.mktemp("trainings"), write_split)
