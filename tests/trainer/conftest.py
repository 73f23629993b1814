"""Examples on disk, as an ExampleGen leaves them."""

import os
from collections.abc import Callable, Sequence

import pytest

from components import storage
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
            name = storage.shard_name("data_tfrecord", shard, shards, ".gz")
            storage.write_records(os.path.join(folder, name), records[shard::shards])
        return os.path.join(folder, "*")

    return write
