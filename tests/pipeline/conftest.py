"""Pictures without near-duplicates, and runs that must succeed."""

import io
import pathlib
from collections.abc import Callable

import numpy as np
import PIL.Image
import pytest


@pytest.fixture(scope="session")
def scene() -> Callable[..., PIL.Image.Image]:
    def draw(seed: int, width: int = 96, height: int = 72) -> PIL.Image.Image:
        """Returns a picture of soft coloured spots, as no other seed gives it."""
        spots = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
        return PIL.Image.fromarray(spots).resize((width, height), PIL.Image.Resampling.BICUBIC)

    return draw


@pytest.fixture(scope="session")
def encoded() -> Callable[..., io.BytesIO]:
    def encode(image: PIL.Image.Image, image_format: str = "PNG", **options) -> io.BytesIO:
        file = io.BytesIO()
        image.save(file, image_format, **options)
        return io.BytesIO(file.getvalue())

    return encode


@pytest.fixture(scope="session")
def run() -> Callable:
    from pipeline import pipeline as pipeline_module
    from pipeline.config.load import load
    from pipeline.place import Place
    from pipeline.results import summary
    from pipeline.runners import local
    from pipeline.runners.local import State

    def run(
        path: str, overrides: list[str], workspace: pathlib.Path
    ) -> tuple[dict[str, local.NodeResult], summary.Summary]:
        """Runs a configuration; returns how its nodes ended, by id, and what is said at the end."""
        settings = load(path, overrides)
        results = local.run(pipeline_module.create_pipeline(settings, Place.local(str(workspace))))
        assert [result.node for result in results if result.state in (State.FAILED, State.BLOCKED)] == []
        return {result.node: result for result in results}, summary.collect(settings, results, str(workspace))

    return run


@pytest.fixture(scope="session")
def read() -> Callable:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def read(result, output: str, pattern: str) -> pa.Table:
        """Returns the table in the files of an output of a node."""
        uri = pathlib.Path(result.outputs[output][0].uri)
        return pa.concat_tables(pq.read_table(path) for path in sorted(uri.glob(pattern)))

    return read
