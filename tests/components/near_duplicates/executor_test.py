"""Both filters, from indices on disk to exclusions and plans."""

import itertools
import json
import pathlib

import numpy as np
import pytest
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils
from tfx.utils import json_utils

from components import storage
from components.artifacts import exclusions, index, plan, predictions
from components.artifacts.types import ExampleIndex, Exclusions, Predictions, ResamplePlan
from components.example_gen import testing
from components.near_duplicates import executor

BEAM = [
    "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner",  # by the name that every Beam version knows
    "--sdk_container_image=unused",  # or else TFX packs itself for remote workers, in three seconds
]


class Data:
    """Indices of a source and of targets on disk, and what the filters make of them."""

    def __init__(self, root: pathlib.Path):
        self.root = root
        self.hashed: dict[str, bool] = {}  # of indices that say whether they have hashes
        self._runs = itertools.count()

    def write_index(self, name: str, split: str, images: dict[str, bytes], shards: int = 1, hashed: bool = True):
        rows = [
            testing.make_record(image, (0,), source_id, split=split, names=("x",), perceptual_hashes=hashed).row
            for source_id, image in images.items()
        ]
        for shard in range(shards):
            path = self.root / name / f"Split-{split}" / storage.shard_name("index", shard, shards, ".parquet")
            storage.write_table(str(path), index.table(rows[shard::shards]))

    def write_predictions(self, name: str, split: str, rows: dict[str, list[float]], shards: int = 1):
        ids, points = list(rows), np.array(list(rows.values()))
        for shard in range(shards):
            path = self.root / name / f"Split-{split}" / storage.shard_name("predictions", shard, shards, ".parquet")
            part = slice(shard, None, shards)
            storage.write_table(str(path), predictions.table(ids[part], np.zeros((len(ids[part]), 1)), points[part]))

    def artifact(self, artifact_type, name: str):
        artifact = artifact_type()
        artifact.uri = str(self.root / name)
        if name in self.hashed:
            artifact.set_string_custom_property(index.HASHED_PROPERTY, index.HASHED[self.hashed[name]])
        return [artifact]

    def filter(self, targets: list[str], *, distance=4, flips=1, beam_args=()) -> "Found":
        inputs = {"index": self.artifact(ExampleIndex, "source")}
        for i, name in enumerate(targets):
            inputs[f"target_indices_{i}"] = self.artifact(ExampleIndex, name)
        properties = {"targets": json_utils.dumps(targets), "distance": float(distance), "flips": float(flips)}
        return self._do(executor.Executor, inputs, properties, beam_args)

    def filter_embeddings(self, earlier: "Found", targets: list[str], threshold: float) -> "Found":
        inputs = {
            "index": self.artifact(ExampleIndex, "source"),
            "earlier_exclusions": self.artifact(Exclusions, earlier.exclusions),
            "source_predictions": self.artifact(Predictions, "source-predictions"),
        }
        for i, name in enumerate(targets):
            inputs[f"target_predictions_{i}"] = self.artifact(Predictions, f"{name}-predictions")
        properties = {"targets": json_utils.dumps(targets), "threshold": threshold}
        return self._do(executor.EmbeddingExecutor, inputs, properties)

    def _do(self, executor_class, inputs, properties, beam_args=()) -> "Found":
        folder = self.root / "out" / str(next(self._runs))
        outputs = {
            "exclusions": self.artifact(Exclusions, str(folder / "exclusions")),
            "plan": self.artifact(ResamplePlan, str(folder / "plan")),
        }
        context = base_beam_executor.BaseBeamExecutor.Context(
            beam_pipeline_args=[*BEAM, *beam_args], tmp_dir=str(self.root / "tmp"), unique_id="1"
        )
        executor_class(context).Do(inputs, outputs, {**properties, "code_version": "1"})
        return Found(*(artifact_utils.get_single_uri(outputs[key]) for key in ("exclusions", "plan")))


class Found:
    """What a filter wrote."""

    def __init__(self, exclusions_uri: str, plan_uri: str):
        self.exclusions, self._plan = exclusions_uri, plan_uri
        self.summary = json.loads(storage.read_text(f"{exclusions_uri}/{exclusions.SUMMARY_FILE}"))

    def pairs(self, split: str) -> list[dict]:
        table = storage.read_table(storage.list_files(f"{self.exclusions}/Split-{split}", exclusions.FILE_PATTERN))
        return table.to_pylist()

    def copies(self) -> list[list[int]]:
        paths = storage.list_files(f"{self._plan}/Split-train", plan.COPIES_PATTERN)
        return [plan.copies_of(storage.read_table(path)).tolist() for path in paths]

    def files(self, folder: str) -> dict[str, bytes]:
        root = pathlib.Path(self.exclusions if folder == "exclusions" else self._plan)
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def data(tmp_path, patch, encoded) -> Data:
    """Two targets in a source: equal bytes, re-encoded, mirrored, and black images."""
    data = Data(tmp_path)
    black = encoded(np.zeros((9, 9), np.uint8))
    pets = {split: {f"{split}-{i}": encoded(patch(i)) for i in numbers} for split, numbers in PETS.items()}
    for split, images in pets.items():
        data.write_index("pets", split, images)
    data.write_index("dishes", "train", {"dish": encoded(patch(30)), "black": black}, shards=2)
    source = {f"other-{i}": encoded(patch(i)) for i in range(8, 28)}
    source["equal"] = pets["test"]["test-4"]
    source["jpeg"] = encoded(patch(2), "JPEG", quality=60)
    source["mirrored"] = encoded(np.asarray(patch(30))[:, ::-1])
    source["black"] = black
    source["nearly black"] = encoded(np.full((9, 9), 1, np.uint8))
    data.write_index("source", "train", source, shards=4)
    data.write_index("source", "eval", {"small": encoded(patch(5).resize((64, 48))), "free": encoded(patch(29))})
    return data


PETS = {"train": [1, 2], "test": [4, 5]}


def described(pairs: list[dict]) -> set[tuple]:
    return {
        tuple(pair[key] for key in ("source_id", "target", "target_id", "target_split", "reason", "flipped"))
        for pair in pairs
    }


def test_the_union_over_the_targets(data):
    found = data.filter(["dishes", "pets"])
    assert described(found.pairs("train")) == {
        ("equal", "pets", "test-4", "test", "identical", False),
        ("jpeg", "pets", "train-2", "train", "perceptual_hash", False),
        ("mirrored", "dishes", "dish", "train", "perceptual_hash", True),
        ("black", "dishes", "black", "train", "identical", False),
    }
    assert described(found.pairs("eval")) == {("small", "pets", "test-5", "test", "perceptual_hash", False)}
    assert {pair["source_split"] for pair in found.pairs("eval")} == {"eval"}

    # Aligned with the index: the excluded ones have the numbers 20 to 23 of 25, in four shards.
    copies = found.copies()
    assert [len(part) for part in copies] == [7, 6, 6, 6]
    assert [copies[i % 4][i // 4] for i in range(25)] == [1] * 20 + [0] * 4 + [1]

    summary = found.summary
    assert summary["settings"] == {"distance": 4, "flips": True}
    assert summary["targets"] == {"dishes": {"images": 2, "without_hash": 1}, "pets": {"images": 4, "without_hash": 0}}
    distances = {pair["source_id"]: str(pair["distance"]) for pair in found.pairs("train")}
    train = summary["source"]["train"]
    assert sum(train.pop("distances").values()) == 2 and set(distances.values()) <= {"0", "2", "4"}
    assert train == {
        "images": 25,
        "without_hash": 2,
        "excluded": 4,
        "flipped": 1,
        "reasons": {"identical": 2, "perceptual_hash": 2},
    }
    assert summary["source"]["eval"]["excluded"] == 1


def test_settings(data):
    assert "mirrored" not in {pair["source_id"] for pair in data.filter(["dishes", "pets"], flips=0).pairs("train")}
    only = data.filter(["dishes"])
    assert {pair["source_id"] for pair in only.pairs("train")} == {"mirrored", "black"}
    assert only.pairs("eval") == []


@pytest.mark.parametrize(
    "mode", ["multi_threading", pytest.param("multi_processing", marks=pytest.mark.slow)], ids=["threads", "processes"]
)
def test_the_mode_of_the_runner_does_not_matter(data, mode):
    reference = data.filter(["dishes", "pets"])
    args = [f"--direct_running_mode={mode}", "--direct_num_workers=2"]
    again = data.filter(["dishes", "pets"], beam_args=args)
    for folder in ("exclusions", "plan"):
        assert again.files(folder) == reference.files(folder)


def test_the_sharding_does_not_matter(data, patch, encoded):
    # Two images of the target that are equally near, so that the order decides which is listed first.
    same = {f"same-{i}": encoded(patch(6), compress_level=i) for i in range(3)}
    for name, shards in (("one", 1), ("three", 3)):
        data.write_index(name, "train", same, shards=shards)
    source = {f"source-{i}": encoded(patch(i)) for i in range(12)}
    found = []
    for target, shards in (("one", 1), ("three", 5)):
        data = Data(data.root / target / "run")
        data.write_index("source", "train", source, shards=shards)
        data.write_index("target", "train", same, shards=1 if target == "one" else 3)
        found.append(data.filter(["target"]))
    assert found[0].pairs("train") == found[1].pairs("train")
    assert [pair["target_id"] for pair in found[0].pairs("train")] == ["same-0", "same-1", "same-2"]
    assert found[0].summary == found[1].summary


@pytest.mark.parametrize("side", ["source", "target"])
def test_an_index_that_was_written_without_hashes(data, encoded, patch, side):
    data.write_index("plain", "train", {"a": encoded(patch(0))}, hashed=side != "target")
    data.hashed = {"source": side != "source", "plain": side != "target"}
    name = "index" if side == "source" else "target 'plain'"
    with pytest.raises(ValueError, match=rf"^{name}: its index has no perceptual hashes; give its ExampleGen perce"):
        data.filter(["plain"])


FLAT_TARGET = {"black": 0, "grey": 90}


@pytest.mark.parametrize("flat", ["source", "target", "both"])
def test_of_flat_images_equal_bytes_are_found(data, encoded, patch, caplog, flat):
    plain = {name: encoded(np.full((9, 7), value, np.uint8)) for name, value in FLAT_TARGET.items()}
    bright = {f"bright-{value}": encoded(np.full((9, 7), value, np.uint8)) for value in (91, 200, 255)}
    pictures = {f"picture-{i}": encoded(patch(i)) for i in (3, 5, 7)}
    source = {**bright, "same": plain["grey"], **({} if flat in ("source", "both") else pictures)}
    target = {**plain, **({} if flat in ("target", "both") else {"near": encoded(patch(5), "JPEG", quality=60)})}
    data = Data(data.root / flat)
    data.write_index("source", "train", source, shards=2)
    data.write_index("target", "train", target)
    data.hashed = {"source": True, "target": True}
    found = data.filter(["target"])
    assert described(found.pairs("train")) == {("same", "target", "grey", "train", "identical", False)}
    assert sum(map(sum, found.copies())) == len(source) - 1
    assert found.summary["targets"] == {"target": {"images": len(target), "without_hash": 2}}
    assert found.summary["source"]["train"]["without_hash"] == 4
    told = {record.message.split(":")[0] for record in caplog.records if "only those with equal" in record.message}
    assert told == {"source": {"source"}, "target": {"target 'target'"}, "both": {"source", "target 'target'"}}[flat]


def test_a_source_of_equal_flat_images_is_used_up(data, encoded):
    data = Data(data.root / "same")
    plain = {"black": encoded(np.zeros((9, 7), np.uint8))}
    data.write_index("source", "train", plain)
    data.write_index("target", "train", plain)
    with pytest.raises((ValueError, RuntimeError), match=r"near_duplicates: all 1 images of the source's train are"):
        data.filter(["target"])


def test_embeddings_add_to_what_was_found_before(data):
    earlier = data.filter(["dishes", "pets"])
    ids = [f"other-{i}" for i in range(8, 28)] + ["equal", "jpeg", "mirrored", "black", "nearly black"]
    points = {source_id: [0.0, -1.0, i] for i, source_id in enumerate(ids)}
    points |= {"other-9": [2.0, 0.5, 0.0], "jpeg": [0.0, 3.0, 0.0]}
    data.write_predictions("source-predictions", "train", points, shards=4)
    for name, split, rows in (
        ("pets", "train", {"train-2": [0.0, 1.0, 0.0], "train-1": [1.0, 1.0, 0.0]}),
        ("pets", "test", {"test-4": [1.0, 0.25, 0.0]}),
        ("dishes", "train", {"dish": [-1.0, -1.0, -1.0]}),
    ):
        data.write_predictions(f"{name}-predictions", split, rows)
    found = data.filter_embeddings(earlier, ["dishes", "pets"], threshold=0.99)
    new = described(found.pairs("train")) - described(earlier.pairs("train"))
    assert new == {
        ("other-9", "pets", "test-4", "test", "embedding", False),
        ("jpeg", "pets", "train-2", "train", "embedding", False),
    }
    assert found.pairs("eval") == earlier.pairs("eval")
    (nine,) = (pair for pair in found.pairs("train") if pair["source_id"] == "other-9")
    assert (nine["distance"], nine["similarity"]) == (None, pytest.approx(1))
    jpeg = [pair["reason"] for pair in found.pairs("train") if pair["source_id"] == "jpeg"]
    assert jpeg == ["perceptual_hash", "embedding"]
    copies = found.copies()
    assert sum(map(sum, copies)) == sum(map(sum, earlier.copies())) - 1
    assert copies[1][0] == 0
    assert found.summary["settings"] == {"threshold": 0.99}
    assert found.summary["targets"] == {"dishes": {"images": 1}, "pets": {"images": 3}}
    assert found.summary["source"]["train"]["reasons"] == {"embedding": 1, "identical": 2, "perceptual_hash": 2}


def test_predictions_of_another_source(data):
    data.write_predictions("source-predictions", "train", {"a": [1.0]}, shards=1)
    data.write_predictions("pets-predictions", "train", {"b": [1.0]})
    with pytest.raises(ValueError, match="1 files for 4 files of the index; both must come from the same source"):
        data.filter_embeddings(data.filter(["pets"]), ["pets"], threshold=0.99)
