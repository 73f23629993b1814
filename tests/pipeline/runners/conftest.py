"""Runs of the demo that are compiled for a cluster."""

import contextlib
import pathlib
from collections.abc import Callable

import pytest

DEMO = str(pathlib.Path(__file__).parents[3] / "pipeline" / "configs" / "demo.yaml")
REMOTE = (
    "remote={root: gs://bucket/runs, image: registry/specialist, project: pets, region: europe-west4, host: http://k}"
)


@pytest.fixture(scope="session")
def compiled() -> Callable:
    from pipeline import pipeline as pipeline_module
    from pipeline.compare import matrix
    from pipeline.config.load import load
    from pipeline.nodes import ingest
    from pipeline.place import Place
    from pipeline.runners import compile as compiling

    def make(backend: str, *overrides: str, comparison: bool = False, baselines: dict[str, str] | None = None):
        """Returns the compiled demo; `overrides` come after `REMOTE`."""
        config = load(DEMO, [REMOTE, *overrides])
        ingest.prepare(config, lambda text: contextlib.nullcontext())
        place = Place.remote(config, baselines or {}, comparison=comparison)
        if comparison:
            cells = matrix.list_cells(config).cells
            nodes = matrix.create_nodes(config, place, cells, keep_models=True, finished={}).pipeline
        else:
            nodes = pipeline_module.create_pipeline(config, place)
        return compiling.compile_pipeline(nodes, config, place, backend)

    return make
