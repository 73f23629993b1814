"""A run that is interrupted again and again, at each kind of node, ends as one that is not."""

import json
import pathlib
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

import pytest

import pipeline
from pipeline.nodes import ids

pytestmark = pytest.mark.slow

DEMO = str(pathlib.Path(pipeline.__file__).parent / "configs" / "demo.yaml")
OVERRIDES = [
    "source.splits={train: 'train[:3%]', eval: 'eval[:4%]'}",
    "classifier.steps=12",
    "pretrain.steps=8",
    "finetune.steps=10",
    *(f"{training}.batch_size=32" for training in ("classifier", "pretrain", "finetune")),
    "resample.n=300",
    "targets.digits.arms=[entire_source, same_distribution]",
    "targets.digits.evaluation.minimum=0",
    "targets.digits.evaluation.max_regression=1",
    "checkpoint.steps=2",
]
# An unhindered end takes four seconds at the most; a training has ten after the call under way.
MOST_SECONDS = 15


def command(workspace: pathlib.Path) -> list[str]:
    sets = [part for override in OVERRIDES for part in ("--set", override)]
    return [sys.executable, "-m", "pipeline.cli", "run", DEMO, "--workspace", str(workspace), *sets]


def newest_record(workspace: pathlib.Path) -> dict:
    return json.loads(max((workspace / "runs").glob("*.json")).read_text())["nodes"]


def contents(workspace: pathlib.Path) -> dict[str, bytes]:
    """Returns what the run computed: the prior, the samples and the histories of all trainings, by node and file."""
    found = {}
    for node, result in newest_record(workspace).items():
        for output, patterns in (("label_prior", "*"), ("plan", "**/*.parquet"), ("model_run", "metrics.json")):
            for uri in result["outputs"].get(output, []):
                for path in sorted(pathlib.Path(uri).glob(patterns)):
                    found[f"{node} {path.name}"] = path.read_bytes()
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> pathlib.Path:
    workspace = tmp_path_factory.mktemp("whole") / "workspace"
    subprocess.run(command(workspace), check=True, capture_output=True)
    return workspace


def choose(workspace: pathlib.Path, count: int, draw: random.Random) -> list[tuple[str | None, str, float]]:
    """Returns nodes to hit, in their order, of all kinds if `count` allows: (the one before, it, seconds)."""
    record = newest_record(workspace)
    order = list(record)
    hit = [node for node in order if record[node]["state"] == "done"]
    chosen = list({ids.kind_of(node): node for node in draw.sample(hit, len(hit))}.values())[:count]
    chosen += draw.choices(hit, k=count - len(chosen))
    chosen.sort(key=order.index)
    return [
        (
            order[order.index(node) - 1] if order.index(node) else None,
            node,
            draw.uniform(0.1, 0.8) * record[node]["seconds"],
        )
        for node in chosen
    ]


def end_at(workspace: pathlib.Path, previous: str | None, seconds: float, number: int) -> tuple[int, float, str]:
    """Starts a run and signals it so many seconds after the node `previous`; returns code, seconds to end, output."""
    logs = set(workspace.glob("logs/*"))
    process = subprocess.Popen(command(workspace), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    output = ""
    if previous is None:
        while set(workspace.glob("logs/*")) == logs:
            assert process.poll() is None
            time.sleep(0.02)
    else:
        assert process.stdout
        while f" {previous} " not in output:
            line = process.stdout.readline()
            assert line, output
            output += line
    time.sleep(seconds)
    process.send_signal(number)
    start = time.monotonic()
    rest, errors = process.communicate(timeout=120)
    return process.returncode, time.monotonic() - start, output + rest + errors


def check(whole: pathlib.Path, workspace: pathlib.Path, numbers: Sequence[int], seed: int) -> list[str]:
    """Interrupts runs by the signals `numbers`, one after the other; returns what was hit. The last run is whole."""
    draw, report = random.Random(seed), []
    for (previous, node, seconds), number in zip(choose(whole, len(numbers), draw), numbers, strict=True):
        code, took, output = end_at(workspace, previous, seconds, number)
        name = signal.Signals(number).name
        report.append(f"{node}, {seconds:.1f} s after its start, {name}: {code}, {took:.1f} s")
        print(report[-1], flush=True)
        assert code == (-number if number == signal.SIGKILL else 128 + number), output
        assert "failed" not in output and "Traceback" not in output, output
        if number != signal.SIGKILL:
            assert took < MOST_SECONDS, report[-1]
            stopped = [line for line in output.splitlines() if line.startswith("stopped: ")]
            assert len(stopped) == 1 and stopped[0].startswith(f"stopped: {name}"), output
            assert stopped[0].endswith("; run the same command to resume")
    done = subprocess.run(command(workspace), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert contents(workspace) == contents(whole)
    assert not list(workspace.glob("checkpoints/*/*")) and len(list(workspace.glob("serving/digits/[0-9]*"))) == 1
    return report


def test_twenty_interruptions(whole, tmp_path):
    report = check(whole, tmp_path / "workspace", [signal.SIGINT, signal.SIGTERM] * 10, seed=1)
    assert len(report) == 20


def test_ten_kills(whole, tmp_path):
    assert len(check(whole, tmp_path / "workspace", [signal.SIGKILL] * 10, seed=2)) == 10
