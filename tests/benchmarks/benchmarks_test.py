"""Every benchmark runs, at a tiny size, and prints its ratios."""

import importlib
import pathlib
import re

import pytest

import benchmarks.turns
from benchmarks import near_duplicates
from trainer import serving
from trainer.models import classifier
from trainer.models.backbone import Backbone, ImageConfig

FOLDER = pathlib.Path(benchmarks.turns.__file__).parent
NAMES = {path.stem for path in FOLDER.glob("*.py") if "argparse" in path.read_text(encoding="utf-8")}
NUMBER = r"(-?\d+(?:\.\d+)?)"

# Benchmark → its arguments; what stands before each of its ratios, as a regular expression; how many there are.
TINY = {
    "beam": (
        "--images 40 --predictions 6 --backbone compact_cnn --size 32 --runners in_memory processes-1 --repeats 1",
        r"/ in_memory: ",
        2 * 2,
    ),
    "decoding": ("--batch-size 2 --width 60 --height 40 --size 20 --calls 1 --repeats 1", r"served / plain: ", 1),
    "draws": (
        "--examples 50 --batch-size 20 --batches 3 --photographs 8 --small 12 --trained 4 6 --shares 0.3 --repeats 1 "
        "--rows 900",
        r"planned / independent: |from the plan / materialised: |bytes read / record: |rows of index and plan: ",
        6 + 2 + 2 + 1,
    ),
    "example_gen": ("--images 60 --width 40 --height 30 --repeats 1", r"/ loop: |CPU time: ", 4 * 2),
    "input_pipeline": (
        "--images 12 --width 50 --height 40 --size 24 --batch-size 4 --passes 1 --repeats 1",
        r"/ peer: ",
        3,
    ),
    "near_duplicates": (
        "--patch 400 --glyphs 5 --sources 200 400 --targets 50 --distances 4 10",
        r"all pairs take ",
        2,
    ),
    "predictor": (
        "--images 6 --backbone compact_cnn --size 32 --classes 5 --batch-size 4 --repeats 1",
        r"Predictor / [\w.]+: ",
        3,
    ),
    "priors": ("--sizes 3:40:60:0.6 --seeds 1", r"\(", 4 * 5),
    "report": ("--labels 30 --rows 200 --shards 2 --images 20", r"report / pandas: ", 1),
    "resampler": (
        "--records 40 --record-bytes 400 --repeats 1 --labels 5 --examples 300 --n 50 --pairs 200 400 --plan-labels 7",
        r"ratio |of CPU time |plan ×|peak ×|this project's same_distribution *",
        5,
    ),
    "run": (
        "--set classifier.steps=3 --set pretrain.steps=3 --set finetune.steps=3 --set resample.n=300",
        r"run / compute: ",
        1,
    ),
    "results": (
        "--budget 1 --workspace TMP/workspace --rows TMP --page TMP/page.md --data glyphs --seeds 1 "
        "--arms entire_source,same_distribution "
        "--set classifier.steps=3 --set pretrain.steps=3 --set finetune.steps=3 --set resample.n=300",
        r"(?:entire_source|same_distribution) \| ",
        2,
    ),
    "serving": (
        "--backbone compact_cnn --size 20 --classes 3 --width 60 --height 40 --batch-sizes 1 2 --calls 3",
        r"image_bytes / keras: ",
        2,
    ),
    "trainer": ("--networks compact_cnn --batch-size 4 --steps 2 --repeats 1", r"compact_cnn, .{,20} [\d .]+ ", 3),
}


SLOW = {"beam", "draws", "predictor", "report", "results", "run"}  # ten seconds and more


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in sorted(NAMES | set(TINY))]
)
def test_it_runs_and_prints_its_ratios(name, tmp_path, capsys):
    arguments, before, count = TINY[name]
    importlib.import_module(f"benchmarks.{name}").main(arguments.replace("TMP", str(tmp_path)).split())
    printed = capsys.readouterr().out
    assert len(re.findall(f"(?:{before}){NUMBER}", printed)) == count, printed


@pytest.mark.slow
def test_serving_of_a_folder_with_versions(tmp_path, capsys):
    image = ImageConfig(size=20, channels=1)
    model = classifier.build(Backbone(name="compact_cnn").build(image), 3)
    for version in ("9", "10"):
        folder = str(tmp_path / version)
        serving.ServingModule(model, image, ("a", "b", "c")).export(saved_model=folder)
    main = importlib.import_module("benchmarks.serving").main
    main(f"--model {tmp_path} --width 60 --height 40 --batch-sizes 2 --calls 3".split())
    printed = capsys.readouterr().out
    assert len(re.findall(f"image_bytes / features: {NUMBER}", printed)) == 1, printed
    assert str(tmp_path / "10") in printed


@pytest.mark.slow
def test_near_duplicates_by_the_embeddings_of_a_model(tmp_path, capsys):
    image = ImageConfig(size=32, channels=1)
    model = classifier.build(Backbone(name="compact_cnn").build(image), 3)
    folder, keras_file = str(tmp_path / "Format-Serving"), str(tmp_path / "model.keras")
    serving.ServingModule(model, image, ("a", "b", "c")).export(saved_model=folder, keras_file=keras_file)
    near_duplicates.measure_embeddings(folder, near_duplicates.glyphs(4))
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    values = [[float(value) for value in row[-6:]] for row in rows]
    assert len(values) == 1 + len(near_duplicates.variants(None))
    assert all(0 <= share <= 1 for row in values[:-1] for share in row)
    assert all(row == sorted(row, reverse=True) for row in values)  # fewer above a higher cosine
