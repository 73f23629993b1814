"""Finds the report of a run or of a comparison, or makes it from what is kept of it."""

import os
import pathlib
import shutil

from components.transfer_report import output, page
from pipeline import record
from pipeline.compare import kept, rows
from pipeline.compare.store import folder_of
from pipeline.nodes import ids

COMPARISONS, REPORTS = "compare", "reports"  # folders of a workspace
_FOLDER = "report"  # in that of a comparison


def find_report(run: str) -> tuple[str, str | None]:
    """Returns the path of the report of the newest run or comparison, and a note if a newer run has none.

    One that is not there is made from the record, if it is on this machine.

    Args:
      run: a workspace, a file in its folder of records, the folder of a comparison, or that of the files of runs on a
        cluster.

    Raises:
      ValueError: there is neither a run nor a comparison.
    """
    if folder := _find_comparison(run):
        return report_comparison(folder), None

    def read(found: record.Record) -> str:
        uris = found.nodes[ids.REPORT].outputs.get("report", []) if ids.REPORT in found.nodes else []
        path = os.path.join(uris[0], page.FILE_NAME) if uris else ""
        if path and ("://" in path or os.path.exists(path)):
            return path
        if found.until is not None:
            raise record.MissingError(f"RUN: the run ended with the {found.until}, and has no report")
        workspace = _find_workspace(run)
        if workspace is None or not found.config.get("source"):
            raise record.MissingError(f"RUN: the run has no report; its step {ids.REPORT} has not ended well")
        return _report_run(found, workspace)

    return record.read_newest(run, read)


def report_comparison(folder: str, *, again: bool = False) -> str:
    """Returns the path of the report in the folder of a comparison, which is made if it is not there, or `again`.

    Raises:
      ValueError: nothing is kept of its nodes, or it has no results.
    """
    path = os.path.join(folder, _FOLDER, page.FILE_NAME)
    if os.path.exists(path) and not again:
        return path
    from pipeline.report import comparison, inputs

    found = kept.read(folder)
    if found is None:
        raise ValueError(f"RUN: {folder} has no {kept.FILE_NAME}; run `specialist compare` again, which writes it")
    workspace = os.path.dirname(os.path.dirname(os.path.abspath(folder)))
    made = comparison.collect(
        inputs.from_record(found.record, workspace),
        [comparison.read_planned(cell) for cell in found.cells],
        rows.read(os.path.join(folder, rows.FILE_NAME)),
        folder,
    )
    return output.write(os.path.join(folder, _FOLDER), made)


def keep_report(folder: str, uri: str) -> str:
    """Copies the report at `uri`, of a comparison's node, to the folder of the comparison; returns the page's path."""
    shutil.copytree(uri, os.path.join(folder, _FOLDER), dirs_exist_ok=True)
    return os.path.join(folder, _FOLDER, page.FILE_NAME)


def _report_run(found: record.Record, workspace: str) -> str:
    from pipeline.report import inputs
    from pipeline.report import run as run_module

    newest = next(name for name, each in record.read_all(workspace).items() if each == found)
    made = run_module.collect(inputs.from_record(found, workspace))
    return output.write(os.path.join(workspace, REPORTS, newest), made)


def _find_workspace(run: str) -> str | None:
    """Returns the workspace of the records of `run`; None: they are of runs on a cluster."""
    path = pathlib.Path(run).absolute()
    folder = path.parent.parent if path.is_file() else path
    return str(folder) if "://" not in run and any((folder / record.FOLDER).glob("*.json")) else None


def _find_comparison(run: str) -> str | None:
    """Returns the folder of the comparison that `run` is, or whose results are newer than its newest run."""
    path = pathlib.Path(run)
    if "://" in run or not path.is_dir():
        return None
    if (path / kept.FILE_NAME).is_file():
        return str(path)
    found = sorted((path / COMPARISONS).glob(f"*/{kept.FILE_NAME}"), key=lambda file: file.stat().st_mtime)
    records = [file.stat().st_mtime for file in (path / record.FOLDER).glob("*.json")]
    if not found or (records and found[-1].stat().st_mtime < max(records)):
        return None
    return folder_of(str(path), found[-1].parent.name)
