"""The finished cells of a comparison, on disk: a cell is finished when its result and its predictions are there.

Layout, in `<workspace>/compare/<name of the configuration>/`:
  cells/<target>/<arm>/<cell>.json: a result, and the key of all that it depends on.
  predictions/: see `pipeline.compare.predictions`.
  priors/<node>.parquet: the label priors.
  seconds.json: how long the nodes took whose results may be reused.
  results.csv: the results of the cells of the last comparison.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import shutil
from collections.abc import Iterable, Mapping

import pyarrow.parquet as pq

from components.artifacts import label_prior, predicted_labels
from components.artifacts.label_prior import LabelPrior
from pipeline.compare import files, predictions, rows
from pipeline.compare.rows import Cell, Result
from pipeline.nodes import ids

CELLS, PRIORS, SECONDS = "cells", "priors", "seconds.json"


class Store:
    """Finished cells in a folder.

    Args:
      folder: of the comparison.
    """

    def __init__(self, folder: str):
        self.folder = folder
        self._workspace = os.path.dirname(os.path.dirname(folder))
        self._seconds: dict[str, float] = {}  # by paths in the workspace, which may be moved
        with contextlib.suppress(FileNotFoundError, ValueError):
            self._seconds = json.loads(pathlib.Path(folder, SECONDS).read_text(encoding="utf-8"))

    def read(self, cell: Cell, key: str) -> Result | None:
        """Returns the result of a cell; None: there is none, or it is of another key."""
        try:
            content = json.loads(self._path(cell).read_text(encoding="utf-8"))
            if content.pop("key") != key or not predictions.path(self.folder, cell).exists():
                return None
            metrics = {
                (split, name): value for split, named in content.pop("metrics").items() for name, value in named.items()
            }
            return Result(cell, **content, metrics=metrics)
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):  # or of another version
            return None

    def write(self, result: Result, key: str, model_run: str) -> None:
        """Keeps a result, and the predictions for the reported split in the ModelRun at the path `model_run`."""
        cell = result.cell
        split = max(split for split, _ in result.metrics)  # 'test' rather than 'eval'
        table = pq.read_table(os.path.join(model_run, predicted_labels.file_name(split)))
        columns = {name: table[name].to_numpy() for name in ("label", "predicted", "probability")}
        self._path(cell).unlink(missing_ok=True)  # a result of another key must not stand beside these predictions
        predictions.write(self.folder, cell, table["id"].to_pylist(), *columns.values())
        content = {field.name: getattr(result, field.name) for field in dataclasses.fields(Result)}
        del content["cell"]
        metrics: dict[str, dict[str, float]] = {}
        for (split, name), value in result.metrics.items():
            metrics.setdefault(split, {})[name] = value
        files.write_text(self._path(cell), json.dumps({**content, "metrics": metrics, "key": key}, indent=1))

    def write_table(self, results: Iterable[Result]) -> None:
        """Writes all results as a table."""
        rows.write(os.path.join(self.folder, rows.FILE_NAME), results)

    def keep_prior(self, node: str, uri: str) -> None:
        """Keeps the LabelPrior at `uri`, which the node estimated."""
        path = os.path.join(uri, label_prior.FILE_NAME)
        with files.write_whole(pathlib.Path(self.folder, PRIORS, f"{node}.parquet")) as temporary:
            shutil.copyfile(path, temporary)

    def read_priors(self, targets: Iterable[str]) -> dict[str, LabelPrior]:
        """Returns target → its label prior, as far as it is known; of several seeds that of the first."""
        found = {}
        for target in targets:
            pattern = f"{re.escape(target)}-(s[0-9]+-)?{ids.PRIOR}"
            paths = sorted(pathlib.Path(self.folder, PRIORS).glob("*.parquet"), key=lambda path: len(path.name))
            matching = [path for path in paths if re.fullmatch(pattern, path.stem)]
            if matching:
                found[target] = label_prior.from_table(pq.read_table(matching[0]))
        return found

    def note_seconds(self, uris: Iterable[str], seconds: float) -> None:
        """Notes how long the node took that made the artifacts at `uris`."""
        self._seconds |= {os.path.relpath(uri, self._workspace): seconds for uri in uris}
        files.write_text(os.path.join(self.folder, SECONDS), json.dumps(self._seconds, indent=1))

    def seconds(self) -> Mapping[str, float]:
        """Returns URI → seconds, as far as they are known."""
        return {os.path.join(self._workspace, path): seconds for path, seconds in self._seconds.items()}

    def _path(self, cell: Cell) -> pathlib.Path:
        path = predictions.path(self.folder, cell)
        return pathlib.Path(self.folder, CELLS, *path.parts[-3:-1], f"{path.stem}.json")


def folder_of(workspace: str, name: str) -> str:
    """Returns the folder, in `workspace`, of the comparison of the configuration `name`."""
    return os.path.join(workspace, "compare", name)
