"""Pictures without near-duplicates, runs that must succeed, and stand-ins for trainings."""

import io
import pathlib
import shutil
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


DEMO = pathlib.Path(__file__).parents[2] / "pipeline" / "configs" / "demo.yaml"


@pytest.fixture(scope="session")
def ingested(tmp_path_factory) -> pathlib.Path:
    """A workspace with the data of the small demo of `trainings`."""
    from trainings import SMALL

    from pipeline.compare import matrix, train
    from pipeline.config.load import load
    from pipeline.nodes import ids
    from pipeline.place import Place
    from pipeline.runners import local

    workspace = tmp_path_factory.mktemp("compare") / "workspace"
    config = load(str(DEMO), SMALL)
    for data in config.datasets().values():
        if not data.reader().is_prepared():
            data.reader().prepare()
    nodes = matrix.create_nodes(config, Place.local(str(workspace)), matrix.list_cells(config).cells[:1])

    def stop(node: str) -> None:
        if ids.kind_of(node) == ids.SPECIALIST:
            raise train.OutOfTime

    with pytest.raises(train.OutOfTime):
        local.run(nodes.pipeline, order=nodes.order, on_start=stop)
    return workspace


@pytest.fixture
def trainings(monkeypatch):
    """Stand-ins for what trains and predicts."""
    import trainings as stand_ins

    from components.predictor import executor as predictor
    from trainer import run as trainer_run

    made = stand_ins.Trainings()
    monkeypatch.setattr(trainer_run, "train_and_export", made.train)
    monkeypatch.setattr(predictor.Executor, "Do", lambda *arguments: made.predict(*arguments))
    return made


@pytest.fixture
def workspace(ingested, tmp_path) -> pathlib.Path:
    """A copy of `ingested`."""
    return pathlib.Path(shutil.copytree(ingested, tmp_path / "workspace"))
