"""Reports on runs and comparisons whose trainings are stand-ins."""

import pathlib
from collections.abc import Callable

import pytest
from trainings import SMALL

from components.transfer_report import block

DEMO = pathlib.Path(__file__).parents[3] / "pipeline" / "configs" / "demo.yaml"


@pytest.fixture(scope="session")
def read_block() -> Callable[[str], block.Block]:
    def read(folder: str) -> block.Block:
        """Returns the data block in the folder of a report."""
        return block.from_json(pathlib.Path(folder, block.FILE_NAME).read_text(encoding="utf-8"))

    return read


@pytest.fixture
def run_demo(workspace, trainings, read_block):
    from pipeline import pipeline as pipeline_module
    from pipeline.config.load import load
    from pipeline.nodes import ids
    from pipeline.place import Place
    from pipeline.runners import local
    from pipeline.terminal.errors import one_line

    def run(*overrides: str, config: str = str(DEMO)) -> tuple[dict[str, local.NodeResult], block.Block]:
        """Runs the small demo without a push; returns how the nodes ended, and what is reported."""
        demo = [*SMALL, "targets.digits.push=null"] if config == str(DEMO) else []
        settings = load(config, [*demo, *overrides])
        nodes = pipeline_module.create_pipeline(settings, Place.local(str(workspace)))
        results = {result.node: result for result in local.run(nodes, describe=one_line)}
        return results, read_block(results[ids.REPORT].outputs["report"][0].uri)

    return run
