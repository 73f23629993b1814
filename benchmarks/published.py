"""The published network of docs/results.md: `compact_cnn`, trained on Fashion-MNIST's photographs of clothes.

It has seen neither a printed character nor a digit. Its recipe is that of the source classifiers, and it is trained by
the pipeline, as a source classifier of which nothing else is asked.
"""

import os
from collections.abc import Sequence

from benchmarks import photographs, result_rows
from pipeline import record, session
from pipeline.config.load import load
from pipeline.nodes import ids
from trainer.serving import KERAS_FILE

SOURCE = "Fashion-MNIST (Xiao et al. 2017), benchmarks/published.py"
LICENCE = "MIT"  # that of Fashion-MNIST


def train(workspace: str, overrides: Sequence[str] = ()) -> str:
    """Returns the path of the network's .keras file, in a folder that is kept for later calls.

    Args:
      workspace: absolute path of a folder.
      overrides: of the configuration, of the form key.path=value.

    Raises:
      FileNotFoundError: as `photographs.write`.
      RuntimeError: the training failed.
    """
    written = os.path.join(workspace, "clothes-data")
    photographs.write_clothes(written)
    place = f"source.tfrecords={written}/clothes-{{split}}.tfrecord"
    config = load(str(result_rows.FOLDER / "clothes.yaml"), [place, *overrides])
    folder = os.path.join(workspace, "clothes")
    outcome = session.run_config(config, folder, until="prior")
    if outcome.failed:
        raise RuntimeError(f"{', '.join(outcome.failed)} failed; the full log is {outcome.log}")
    uri, _ = record.read_newest(folder, lambda found: found.uri(ids.CLASSIFIER, "model"))
    return os.path.join(uri, KERAS_FILE)
