import pathlib

import pytest

from benchmarks import beam_workers


@pytest.fixture(scope="session")
def worker_python(tmp_path_factory) -> pathlib.Path:
    """The Python of an environment that has the wheel, and nothing of this folder."""
    return beam_workers.make_environment(tmp_path_factory.mktemp("workers"))
