"""What a workspace holds that no kept run needs, and its removal."""

import dataclasses
import os
import pathlib
import shutil
from collections.abc import Iterator, Mapping

import rich.box
import rich.console
import rich.filesize
import rich.table

from components.artifacts import versions
from pipeline import record
from pipeline.nodes import ids
from pipeline.terminal.text import make_cell

_ENDED = ("done", "reused", "resolved")


@dataclasses.dataclass(frozen=True)
class Unneeded:
    """A file or folder that no kept run needs: its path in the workspace, and its size in bytes."""

    path: str
    size: int


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is kept and what is not.

    Attributes:
      kept: names of the runs that are kept, the newest first.
      unneeded: what none of them needs, by path.
      kept_size: bytes of all else in the workspace.
    """

    kept: list[str]
    unneeded: list[Unneeded]
    kept_size: int


def make_plan(workspace: str, keep: int) -> Plan:
    """Returns what may be removed from `workspace` such that the last `keep` runs that ended well are as they were.

    A run that was asked for a part only, such as the label priors, counts if there is no whole one.
    Runs that came after them, and failed or were stopped, are kept too. What was pushed is never removed, nor is the
    model of a version that is served, which the next one will be compared with.

    Raises:
      ValueError: there is no record of a run.
    """
    root = pathlib.Path(workspace)
    records = record.read_all(workspace)
    names = list(records)
    ended = [name for name in names if records[name].ended and _finished(records[name]) == records[name].nodes.keys()]
    ended = [name for name in ended if records[name].until is None] or ended
    last = names.index(ended[:keep][-1]) if ended else len(names) - 1
    kept = names[: last + 1]
    needed = {
        uri for name in kept for node in records[name].nodes.values() for uris in node.outputs.values() for uri in uris
    }
    pushes = list(_find_pushes(root, records))
    needed.update(uri for _, uris in pushes for uri in uris)
    unneeded_records = set(names).difference(kept, (name for name, _ in pushes))
    finished = _finished(records[names[0]])
    paths = [
        *(path for path in root.glob("artifacts/*/*/*") if str(path) not in needed),
        *(path for path in root.glob("artifacts/*/.system")),
        *_stale(root / "checkpoints", finished),
        *_stale(root / "working", finished),
        *(path for path in root.glob(f"{record.FOLDER}/*") if path.suffix != ".json" or path.stem in unneeded_records),
        *(path for path in root.glob("logs/*") if path.stem < kept[-1]),
    ]
    # What is inside of another one is counted there.
    unneeded = {str(path.relative_to(root)): _size(path) for path in sorted(paths) if ".system" not in path.parts[:-1]}
    return Plan(
        kept,
        [Unneeded(path, size) for path, size in sorted(unneeded.items())],
        _size(root) - sum(unneeded.values()),
    )


def remove(workspace: str, plan: Plan) -> None:
    """Removes what `plan` says. Whatever is half removed when the process ends is found again by the next plan."""
    from pipeline import metadata_file

    root = pathlib.Path(workspace)
    paths = [root / item.path for item in plan.unneeded]
    metadata_file.update(metadata_file.connect(workspace), workspace)
    metadata_file.note_place(workspace)
    metadata_file.forget(workspace, [str(path) for path in paths])
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def show(console: rich.console.Console, plan: Plan, *, removed: bool) -> None:
    """Prints what was, or would be, removed, by folder."""
    table = rich.table.Table("unneeded", rich.table.Column("size", justify="right"), box=rich.box.SIMPLE)
    for item in plan.unneeded:
        if item.size:
            table.add_row(make_cell(item.path), rich.filesize.decimal(item.size))
    if table.rows:
        console.print(table)
    size = rich.filesize.decimal(sum(item.size for item in plan.unneeded))
    console.print(
        f"{'removed' if removed else 'would remove'} {size}; {rich.filesize.decimal(plan.kept_size)} stay, "
        f"with the runs {', '.join(plan.kept)}",
        highlight=False,
    )


def _finished(run: record.Record) -> set[str]:
    return {name for name, node in run.nodes.items() if node.state in _ENDED}


def _find_pushes(root: pathlib.Path, records: Mapping[str, record.Record]) -> Iterator[tuple[str, list[str]]]:
    """Yields, of each target, the last run that pushed what is served, and the URIs of model, blessing and push."""
    for folder in (root / "serving").glob("*"):
        newest = versions.list_versions(str(folder)).newest
        if newest is None:
            continue
        for name, run in records.items():
            pushed, blessing, model = (
                run.nodes[node].outputs.get(key, []) if node in run.nodes else []
                for node, key in (
                    (ids.side_node(folder.name, ids.PUSHER), "pushed_model"),
                    (ids.side_node(folder.name, ids.EVALUATOR), "blessing"),
                    (_pushed_training(run, folder.name), "model"),
                )
            )
            if any(versions.holds(str(folder / newest), uri) for uri in pushed):
                yield name, [*pushed, *blessing, *model]
                break


def _pushed_training(run: record.Record, target: str) -> str:
    arm = run.config.get("targets", {}).get(target, {}).get("push") or ""
    return ids.arm_node(target, arm, ids.FINETUNE)


def _stale(folder: pathlib.Path, finished: set[str]) -> Iterator[pathlib.Path]:
    """Yields what trainings or ingestions have left in `folder`, which has a folder for each node.

    The newest of a node is gone on from, unless the node has ended in the newest run.
    """
    for node in (path for path in folder.glob("*") if path.is_dir()):
        attempts = sorted((path for path in node.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
        yield from attempts if node.name in finished else attempts[:-1]


def _size(path: pathlib.Path) -> int:
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size
    return sum(os.lstat(os.path.join(folder, name)).st_size for folder, _, names in os.walk(path) for name in names)
