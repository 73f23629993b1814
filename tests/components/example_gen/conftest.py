"""Pictures, TFDS data sets prepared from rows that a test writes down, and what the ExampleGen makes of a data set."""

import dataclasses
import hashlib
import io
import pathlib
import re
from collections.abc import Callable

import apache_beam as beam
import PIL.Image
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from tfx.dsl.components.base import base_beam_executor
from tfx.types import standard_artifacts
from tfx.utils import json_utils

import components
from components import storage
from components.artifacts import index, rejected
from components.example_gen import executor, readers
from components.example_gen.readers.reader import Reader
from components.example_gen.readers.tfds import TfdsReader

# By its full name, which every Beam version knows.
RUNNER = "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner"


@pytest.fixture(scope="session")
def picture() -> Callable[..., bytes]:
    def draw(value: int, height: int = 4, width: int = 6, image_format: str = "PNG", **options) -> bytes:
        """Returns an encoded picture of one colour that `value` decides."""
        file = io.BytesIO()
        PIL.Image.new("RGB", (width, height), (value % 256, value // 256, 7)).save(file, image_format, **options)
        return file.getvalue()

    return draw


class _Written(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Not registered: TFDS finds its data by their files alone, as with a data set that some other project prepared."""

    VERSION = tfds.core.Version("1.0.0")

    def __init__(self, *, name, features, rows, metadata, **arguments):
        self.name, self._features, self._rows, self._metadata = name, features, rows, metadata
        super().__init__(**arguments)

    def _info(self):
        metadata = None if self._metadata is None else tfds.core.MetadataDict(self._metadata)
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(self._features), metadata=metadata
        )

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(split) for split in self._rows}

    def _generate_examples(self, split):
        # Bytes stand for an encoded image, which TFDS takes as it is from a file object only.
        for row, values in enumerate(self._rows[split]):
            yield row, {key: io.BytesIO(value) if isinstance(value, bytes) else value for key, value in values.items()}


@pytest.fixture(scope="session")
def prepare(tmp_path_factory) -> Callable[..., TfdsReader]:
    def write(
        rows: dict[str, list[dict]],
        features: dict,
        name: str = "pictures",
        folder: pathlib.Path | None = None,
        metadata: dict | None = None,
        files: int = 1,
        **dataset,
    ) -> TfdsReader:
        """Prepares `rows` of each split, and returns a data set that reads each split whole, unless `dataset` says.

        Without an eval split, it is made of the whole of train too.
        """
        folder = folder or tmp_path_factory.mktemp("tfds")
        builder = _Written(name=name, features=features, rows=rows, metadata=metadata, data_dir=folder)
        builder.download_and_prepare(download_config=tfds.download.DownloadConfig(num_shards=files))
        return TfdsReader(
            dataset=name,
            **{"splits": {"eval": "train", **{split: split for split in rows}}, **dataset},
            data_dir=str(folder),
        )

    return write


@dataclasses.dataclass
class Generated:
    """What the ExampleGen left."""

    examples: standard_artifacts.Examples
    index: pathlib.Path
    vocabulary: pathlib.Path
    rejected: pathlib.Path
    hashed: str  # the property of the index

    def shards(self, split: str) -> list[list[dict[str, list]]]:
        """Shard → record → feature → values, read as the names of the files say."""
        paths = storage.list_files(self.examples.path(split=split), "*")
        pattern = rf"data_tfrecord-(\d{{5}})-of-{len(paths):05d}"
        numbers = [re.fullmatch(pattern, pathlib.Path(path).name).group(1) for path in paths]
        assert numbers == [f"{shard:05d}" for shard in range(len(paths))]
        return [[features_of(record) for record in storage.read_records(path)] for path in paths]

    def index_shards(self, split: str) -> list[list[dict]]:
        return [
            storage.read_table(path).to_pylist()
            for path in storage.list_files(str(self.index / f"Split-{split}"), index.FILE_PATTERN)
        ]

    def records(self, split: str) -> dict[str, dict[str, list]]:
        """Id → feature → values."""
        records = [record for shard in self.shards(split) for record in shard]
        return {record["image/source_id"][0].decode(): record for record in records}

    def all_rejections(self) -> list[dict]:
        """The rows of all splits."""
        return storage.read_table([str(path) for path in self.rejected.rglob(rejected.FILE_PATTERN)]).to_pylist()

    def rejections(self) -> dict[str, dict]:
        """Id → row."""
        return {row["source_id"]: row for row in self.all_rejections()}

    def files(self) -> dict[str, str]:
        """Path → hash of its content, of all files of all artifacts."""
        root = self.vocabulary.parent
        return {
            str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in root.rglob("*")
            if path.is_file()
        }


def features_of(record: bytes) -> dict[str, list]:
    features = tf.train.Example.FromString(record).features.feature
    return {name: list(getattr(value, value.WhichOneof("kind")).value) for name, value in features.items()}


@pytest.fixture(scope="session")
def execute(tmp_path_factory):
    def run(
        executor_class: type[executor.Executor],
        inputs: dict[str, list],
        properties: dict,
        beam_arguments: tuple[str, ...] = (),
        root: pathlib.Path | None = None,
    ) -> Generated:
        root = root or tmp_path_factory.mktemp("run")
        outputs = {
            "examples": standard_artifacts.Examples(),
            "index": components.ExampleIndex(),
            "vocabulary": components.LabelVocabulary(),
            "rejected": components.Rejected(),
        }
        for name, artifact in outputs.items():
            artifact.uri = str(root / name)
        # Not by beam_pipeline_args, for which TFX packs itself up first, as for remote workers: seconds each time.
        context = base_beam_executor.BaseBeamExecutor.Context(
            make_beam_pipeline_fn=lambda: beam.Pipeline(argv=[RUNNER, *beam_arguments])
        )
        executor_class(context).Do(inputs, {name: [artifact] for name, artifact in outputs.items()}, properties)
        hashed = outputs["index"].get_string_custom_property(index.HASHED_PROPERTY)
        return Generated(outputs["examples"], root / "index", root / "vocabulary", root / "rejected", hashed)

    return run


@pytest.fixture(scope="session")
def generate(execute):
    def run(
        dataset: Reader,
        shards: int = 0,
        beam_arguments: tuple[str, ...] = (),
        root: pathlib.Path | None = None,
        max_pixels: int = 100_000,
        max_rejected: float = 0.01,
        hierarchy: dict | None = None,
        perceptual_hashes: bool = False,
        scale_16_bit: str = "max",
        check: str = "full",
        working: pathlib.Path | None = None,
    ) -> Generated:
        properties = {
            "dataset": readers.dumps(dataset),
            "hierarchy": json_utils.dumps(hierarchy),
            "shards": shards,
            "max_pixels": max_pixels,
            "max_rejected": max_rejected,
            "check": check,
            "perceptual_hashes": int(perceptual_hashes),
            "scale_16_bit": scale_16_bit,
            "working": working and str(working),
            "fingerprint": "1",
            "code_version": "1",
        }
        return execute(executor.Executor, {}, properties, beam_arguments, root)

    return run
