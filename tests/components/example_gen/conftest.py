"""Pictures, and TFDS data sets prepared from rows that a test writes down."""

import io
import pathlib
from collections.abc import Callable

import PIL.Image
import pytest
import tensorflow_datasets as tfds

from components.example_gen.readers.tfds import TfdsDataset


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
def prepare(tmp_path_factory) -> Callable[..., TfdsDataset]:
    def write(
        rows: dict[str, list[dict]],
        features: dict,
        name: str = "pictures",
        folder: pathlib.Path | None = None,
        metadata: dict | None = None,
        files: int = 1,
        **dataset,
    ) -> TfdsDataset:
        """Prepares `rows` of each split, and returns a data set that reads each split whole, unless `dataset` says."""
        folder = folder or tmp_path_factory.mktemp("tfds")
        builder = _Written(name=name, features=features, rows=rows, metadata=metadata, data_dir=folder)
        builder.download_and_prepare(download_config=tfds.download.DownloadConfig(num_shards=files))
        return TfdsDataset(name, **{"splits": {split: split for split in rows}, **dataset}, data_dir=str(folder))

    return write
