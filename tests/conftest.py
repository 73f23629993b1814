"""The order of the files of tests, and TFDS data sets that are not on this machine."""

import hypothesis
import pytest
import tensorflow_datasets as tfds
from tensorflow_datasets.core import naming

# Machines differ; how long an example takes says nothing about what is tested.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")

# Each takes a minute or more. They start first, so that no worker is left with one of them while the others have ended.
_LONGEST = (
    "pipeline/e2e_test.py",
    "trainer/distributed_test.py",
    "trainer/batches_test.py",
    "benchmarks/benchmarks_test.py",
    "trainer/loop/fit_test.py",
    "pipeline/compare/cells_test.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.path.as_posix().endswith(_LONGEST))


@pytest.fixture
def mocked_tfds(tmp_path):
    """Lets data sets look prepared: write(name, *splits), five random examples whatever is asked for; see `mock_data`.

    What a download would have brought is missing, such as the names of CIFAR-10's classes.
    """
    root = tmp_path / "mocked"

    def write(name: str, *splits: str) -> str:
        builder = tfds.builder(name, data_dir=root)
        infos = []
        for split in splits:
            template = naming.ShardedFileTemplate(
                data_dir=builder.data_path, dataset_name=builder.name, split=split, filetype_suffix="tfrecord"
            )
            # As many as a slice in percent needs to hold one; no more than five are ever read.
            info = tfds.core.SplitInfo(name=split, shard_lengths=[5000], num_bytes=9000, filename_template=template)
            infos.append(info)
        builder.info.set_splits(tfds.core.splits.SplitDict(infos))
        builder.data_path.mkdir(parents=True)
        builder.info.write_to_directory(builder.data_path)
        return str(root)

    with tfds.testing.mock_data(num_examples=5, data_dir=str(root), policy=tfds.testing.MockPolicy.USE_FILES):
        yield write
