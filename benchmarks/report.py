"""How long a report takes, what memory, and how large it is, for a source of many labels and images.

  python -m benchmarks.report
  python -m benchmarks.report --labels 1000 --rows 100000

All is made up, of the sizes given, and in a process of its own, whose peak memory is told with and without its imports.
In a run on this machine the process has what the other nodes have imported, too (TFMA, TFDV and Beam).

The peer is a quick look with pandas at the same artifacts: it reads the columns of the source's index, counts the
images of each label, puts the label prior beside them and writes that one table with `DataFrame.to_html`. It has no
picture, chart or verdict. So the ratio, of the time for the whole report to that for the table, is what they cost.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

import numpy as np

from benchmarks import peak_memory

_LABELS_OF_TARGET = 10


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark with the arguments of a command line, by default this process's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=int, default=18_291, help="of the source")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the source's index")
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--images", type=int, default=1_000, help="of the target, whose predictions are kept")
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.folder:
        print(json.dumps(_measure(args.folder)))
        return
    with tempfile.TemporaryDirectory() as folder:
        _write_data(folder, args.labels, args.rows, args.shards, args.images)
        command = [sys.executable, "-m", "benchmarks.report", "--folder", folder]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = json.loads(told.splitlines()[-1])
    ratio = (found["block"] + found["page"]) / found["table"]
    print(f"data block    {found['block']:6.1f} s")
    print(f"page, card    {found['page']:6.1f} s   {found['bytes'] / 1e6:.1f} MB")
    print(f"pandas table  {found['table']:6.1f} s   {found['table_bytes'] / 1e6:.1f} MB   report / pandas: {ratio:.2f}")
    parts = f"{found['imports'] / 1e9:.2f} GB after the imports, {found['block_peak'] / 1e9:.2f} GB after the block"
    print(f"peak memory   {found['peak'] / 1e9:6.2f} GB  {parts}")


def _write_data(folder: str, labels: int, rows: int, shards: int, images: int) -> None:
    """Writes the artifacts of a source and of a target, whose records are all the same."""
    import pyarrow as pa

    from benchmarks import data
    from components import records, storage
    from components.artifacts import data_report, index, label_prior, predictions, vocabulary
    from components.example_gen import testing

    names = tuple(f"label-{i:05d}" for i in range(labels))
    classes = tuple(f"class-{i}" for i in range(_LABELS_OF_TARGET))
    random = np.random.default_rng(0)
    (jpeg,) = data.cut_jpegs(1, (300, 300), (200, 200))
    for side, of_side, count, parts in (("source", names, rows, shards), ("pets", classes, images, 1)):
        root = os.path.join(folder, f"{side}-examples")
        record = testing.make_record(jpeg, (0,), "x", names=of_side, split="train")
        length = len(record.record)
        for shard in range(parts):
            size = len(range(shard, count, parts))
            ids = [f"{side}-{i}" for i in range(shard, count, parts)]
            table = index.table([record.row]).take(pa.array(np.zeros(size, np.int64)))
            table = index.replace_column(table, "source_id", ids)
            table = index.replace_column(table, "key", [index.id_key(each) for each in ids])
            chosen = random.integers(0, len(of_side), size).astype(np.int32)
            lists = pa.ListArray.from_arrays(pa.array(np.arange(size + 1, dtype=np.int32)), pa.array(chosen))
            table = table.set_column(table.column_names.index("labels"), index.SCHEMA.field("labels"), lists)
            table = index.add_places(table, records.compute_offsets([length]).repeat(size), [length] * size)
            path = os.path.join(root, "index", "Split-train", storage.shard_name("index", shard, parts, ".parquet"))
            storage.write_table(path, table)
            path = os.path.join(root, "examples", "Split-train", storage.shard_name(storage.RECORD_STEM, shard, parts))
            storage.write_records(path, [record.record])
        summary = json.dumps({"examples": {"train": count}, "findings": []})
        storage.write_text(os.path.join(root, "index", data_report.SUMMARY_FILE), summary)
        text = vocabulary.dumps(vocabulary.make_vocabulary(of_side, {name: [f"group {name[:8]}"] for name in of_side}))
        storage.write_text(os.path.join(root, "vocabulary", vocabulary.FILE_NAME), text)
    path = os.path.join(folder, "pets-predictions", "predictions", "Split-train")
    logits = random.normal(size=(images, labels)).astype(np.float16)
    table = predictions.table([f"pets-{i}" for i in range(images)], logits)
    storage.write_table(os.path.join(path, storage.shard_name("predictions", 0, 1, ".parquet")), table)
    share = random.gamma(0.3, size=labels)
    prior = label_prior.LabelPrior(
        names, np.full(labels, max(1, rows // labels)), share / share.sum(), "mean_prediction", 2.0, images
    )
    path = os.path.join(folder, "pets-prior", "label_prior", label_prior.FILE_NAME)
    storage.write_table(path, label_prior.to_table(prior))


def _measure(folder: str) -> dict[str, float]:
    from ml_metadata.proto import metadata_store_pb2 as mlmd

    from components.transfer_report import block, output
    from pipeline.nodes import ids
    from pipeline.report import inputs, run

    text = """
name: pets
image: {size: 32, channels: 3}
backbone: {name: compact_cnn}
source: {folder: source, splits: {train: train, eval: eval}}
targets: {pets: {data: {folder: pets, splits: {train: train, eval: eval}}, arms: [same_distribution]}}
classifier: {preset: small_classifier}
pretrain: {preset: small_pretrain}
finetune: {preset: small_finetune}
resample: {n: 10000}
"""
    names = [
        *(f"{side}-{ids.EXAMPLES}.{key}" for side in ("source", "pets") for key in ("examples", "index", "vocabulary")),
        "pets-predictions.predictions",
        "pets-prior.label_prior",
    ]
    artifacts = {name: mlmd.Artifact(uri=os.path.join(folder, *name.split("."))) for name in names}
    nodes = {name.partition(".")[0]: block.Node(name.partition(".")[0], "", "ran") for name in names}
    imports = peak_memory.read_peak()
    start = time.perf_counter()
    found = run.collect(inputs.Inputs(inputs.parse(text), text, artifacts, {}, nodes))
    seconds = {"block": time.perf_counter() - start, "block_peak": peak_memory.read_peak()}
    start = time.perf_counter()
    path = output.write(os.path.join(folder, "report"), found)
    seconds["page"] = time.perf_counter() - start
    peak = peak_memory.read_peak()
    start = time.perf_counter()
    table = _write_table(folder)
    seconds["table"] = time.perf_counter() - start
    sizes = {"bytes": os.path.getsize(path), "table_bytes": os.path.getsize(table)}
    return {**seconds, **sizes, "peak": peak, "imports": imports}


def _write_table(folder: str) -> str:
    """Writes the labels of the source with their images and shares, by pandas alone; returns the path of the page."""
    import pandas as pd

    from components.artifacts import label_prior

    rows = pd.read_parquet(os.path.join(folder, "source-examples", "index", "Split-train"))
    counts = rows["labels"].explode().value_counts()
    prior = pd.read_parquet(os.path.join(folder, "pets-prior", "label_prior", label_prior.FILE_NAME))
    path = os.path.join(folder, "table.html")
    prior.assign(images=prior.index.map(counts)).to_html(path)
    return path


if __name__ == "__main__":
    main()
