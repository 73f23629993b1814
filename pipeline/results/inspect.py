"""Shows the label prior of a target and the plan of an arm, by label and by example.

Reads the files of a local workspace without TensorFlow, so that a command takes about a second.
"""

import os
import pathlib
import uuid
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import rich.box
import rich.console
import rich.table

from components import storage
from components.artifacts import exclusions, index, label_prior, plan
from components.importance_resampler.explain import explain_example
from components.importance_resampler.matchers.explanation import Explanation
from components.importance_resampler.pairs import Pairs
from pipeline.config.arms import Arm, find_arm, shared_settings
from pipeline.nodes import ids
from pipeline.record import MissingError, Record
from pipeline.terminal.text import make_cell


def target_of(record: Record, target: str | None) -> str:
    """Returns `target`, or the only one of the run.

    Raises:
      ValueError: the run has several targets.
      MissingError: the run has no such target.
    """
    return _one_of("--target", target, record.targets())


def arm_of(record: Record, target: str, arm: str | None) -> str:
    """Returns `arm`, or the only one of the target that has a plan.

    Raises:
      ValueError: several arms have a plan.
      MissingError: there is no such arm with a plan.
    """
    arms = [
        name for name in record.config["targets"][target]["arms"] if _plan_node(record, target, name) in record.nodes
    ]
    return _one_of("--arm", arm, arms)


def prior(record: Record, target: str) -> pa.Table:
    """Returns the label prior of a target as a table."""
    folder = record.uri(ids.side_node(target, ids.PRIOR), "label_prior")
    return storage.read_table(os.path.join(folder, label_prior.FILE_NAME))


def plan_labels(record: Record, target: str, arm: str) -> pa.Table:
    """Returns the labels of an arm's plan as a table."""
    return storage.read_table(os.path.join(record.uri(_plan_node(record, target, arm), "plan"), plan.LABELS_FILE))


def explain(record: Record, target: str, arm: str, source_id: str) -> Explanation:
    """Returns how often an arm's plan takes an example, and why.

    Raises:
      ValueError: the source's train split has no such example.
    """
    paths = _list_files(record.uri(ids.side_node(ids.SOURCE, ids.EXAMPLES), "index"), index.FILE_PATTERN)
    rows = storage.read_table(paths, columns=["key", "labels"])
    if index.id_key(source_id) not in rows["key"].to_numpy():
        first_rows = (storage.read_table(path, columns=["source_id"]).slice(0, 1).to_pylist() for path in paths)
        example_id = next(row["source_id"] for [row] in filter(None, first_rows))
        raise ValueError(
            f"--example: {source_id!r} is not in the source's train split; one of its {len(rows):,} ids is "
            f"{example_id!r}"
        )
    labels = plan_labels(record, target, arm)
    excluded = _exclusions(record)
    if reasons := exclusions.describe_matches(excluded, source_id):
        row = rows.filter(pc.equal(rows["key"], pa.scalar(index.id_key(source_id), pa.uint64())))
        names = tuple(labels["name"].take(pc.list_flatten(row["labels"])).to_pylist())
        return Explanation(labels=names, draws=(), excluded=tuple(reasons))
    rows = rows.filter(exclusions.mask_kept(rows["key"], exclusions.excluded_keys(excluded)))
    return explain_example(labels, Pairs.of_index(rows, len(labels)), source_id)


def rows_of(names: pa.ChunkedArray, searched: Sequence[str]) -> np.ndarray:
    """Returns the row numbers of the names that equal a text of `searched`, or, if none does, contain it.

    Raises:
      ValueError: no name equals or contains one of the texts.
    """
    texts = names.to_pylist()
    matches: list[int] = []
    for text in searched:
        rows = [i for i, name in enumerate(texts) if name == text]
        rows = rows or [i for i, name in enumerate(texts) if text.casefold() in name.casefold()]
        if not rows:
            raise ValueError(
                f"--label: no source label equals or contains {text!r}; `specialist prior` without --label lists them"
            )
        matches += rows
    return np.array(matches)


def show_prior(
    console: rich.console.Console, table: pa.Table, *, searched: Sequence[str] = (), bottom: bool = False, count: int
) -> None:
    """Prints the header of a label prior, and `count` rows by falling (or rising) P_t or the searched rows."""
    header = label_prior.from_table(table).header()
    for key, value in header.items():
        if value is not None:
            console.print(f"{key:<22}{_figure(value)}", highlight=False)
    if searched:
        rows = rows_of(table["name"], searched)
    else:
        order = np.argsort(table["target_prior"].to_numpy(), kind="stable")
        rows = (order if bottom else order[::-1])[:count]
    columns = {"label": "name", "N_y": "count", "P_s": "source_prior", "P_t": "target_prior"}
    columns |= {"from": "target_prior_low", "to": "target_prior_high", "w": "importance_weight"}
    columns |= {"images": "target_images", "ratio": "assumption_ratio", "unlike": "assumption_flag"}
    _show(console, table.take(rows), columns)


def show_plan(console: rich.console.Console, labels: pa.Table, *, searched: Sequence[str] = (), count: int) -> None:
    """Prints the header of a plan, and its `count` labels with the highest quotas or the searched labels."""
    for key, value in plan.header_of(labels).items():
        if value not in (None, []):
            console.print(f"{key:<22}{_figure(value)}", highlight=False)
    order = np.argsort(labels["quota"].to_numpy(), kind="stable")[::-1][:count]
    columns = {"label": "name", "N_y": "count", "asked": "asked", "n_y": "quota", "unique": "unique"}
    columns |= {"repeats": "repeats", "seen": "seen", "capped": "capped"}
    _show(console, labels.take(rows_of(labels["name"], searched) if searched else order), columns)


def write_csv(table: pa.Table, path: str) -> None:
    """Writes `table` as CSV, completely or not at all. Creates the folder if necessary.

    Raises:
      ValueError: the file cannot be written.
    """
    temporary = f"{path}.{uuid.uuid4().hex}.tmp"
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        pyarrow.csv.write_csv(table, temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise ValueError(f"--csv: {path!r} cannot be written ({error.strerror or error})") from error
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def _plan_node(record: Record, target: str, arm: str) -> str:
    """Returns the id of the node that drew an arm's sample."""
    own = ids.arm_node(target, arm, ids.RESAMPLE)
    if own in record.nodes:  # earlier versions drew every sample for each target
        return own
    defined = {name: Arm(**settings) for name, settings in record.config.get("arms", {}).items()}
    shared = shared_settings(find_arm(arm, defined), record.config["targets"][target])
    return ids.sample_node(target, arm, ids.RESAMPLE, shared)


def _exclusions(record: Record) -> pa.Table:
    """Returns the run's exclusions from the source's train split."""
    node = next((node for node in reversed(ids.EXCLUSIONS) if node in record.nodes), None)
    if node is None:
        return exclusions.SCHEMA.empty_table()
    return storage.read_table(_list_files(record.uri(node, "exclusions"), exclusions.FILE_PATTERN))


def _list_files(uri: str, pattern: str) -> list[str]:
    """Returns the files of an artifact's split `train`."""
    folder = os.path.join(uri, "Split-train")
    if storage.is_remote(uri):
        return storage.list_files(folder, pattern)
    return [str(path) for path in sorted(pathlib.Path(folder).glob(pattern))]  # without TensorFlow, which takes seconds


def _one_of(option: str, chosen: str | None, choices: list[str]) -> str:
    if not choices:
        raise MissingError(f"{option}: the run has none; name another run")
    if chosen is None and len(choices) > 1:
        raise ValueError(f"{option}: the run has several; choose one of {', '.join(choices)}")
    if chosen is not None and chosen not in choices:
        raise MissingError(f"{option}: {chosen!r} is not in this run; choose one of {', '.join(choices)}")
    return chosen or choices[0]


def _show(console: rich.console.Console, rows: pa.Table, columns: dict[str, str]) -> None:
    table = rich.table.Table(box=rich.box.SIMPLE, padding=(0, 1, 0, 0))
    shown = {title: name for title, name in columns.items() if name in rows.column_names}
    for title in shown:
        # On a narrow terminal the labels are folded, so that the figures fit.
        table.add_column(
            title, justify="left" if title == "label" else "right", no_wrap=title != "label", overflow="fold"
        )
    for row in rows.select(list(shown.values())).to_pylist():
        table.add_row(*(make_cell(_figure(row[name])) for name in shown.values()))
    console.print(table)


def _figure(value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
