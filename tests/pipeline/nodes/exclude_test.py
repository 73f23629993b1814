"""Images of the target that are planted in the source: what the whole pipeline makes of them."""

import json
import pathlib

import pytest
import tensorflow_datasets as tfds

import pipeline
from components.artifacts import exclusions, index, label_prior, plan
from pipeline import pipeline as pipeline_module
from pipeline.config.load import load
from pipeline.place import Place
from pipeline.runners.local import State

DEMO = str(pathlib.Path(pipeline.__file__).parent / "configs" / "demo.yaml")
# 20 scenes of each split of the target, of which the first ten of each are planted in the source's train split, and the
# last of the eval split in the source's eval split.
SPLITS = ("train", "eval", "test")
PLANTED = {f"planted-{split}-{i}": f"{split}-{i}" for split in SPLITS for i in range(10)}


def target_seed(split: str, i: int) -> int:
    return 1000 * (1 + SPLITS.index(split)) + i


def source_rows(scene, encoded) -> dict[str, list[dict]]:
    """160 scenes of two labels and 30 planted ones, most of which have the first label; and 40 of eval and one."""
    train = [{"image": encoded(scene(i)), "label": i % 2, "id": f"own-{i}"} for i in range(160)]
    for number, (name, target_id) in enumerate(PLANTED.items()):
        split, _, i = target_id.partition("-")
        image = scene(target_seed(split, int(i)))
        if split == "train":
            image = encoded(image, "JPEG", quality=40 + 5 * int(i))
        elif split == "eval":
            image = encoded(image.resize((48, 36)))
        else:
            image = encoded(image.resize((180, 135)), "JPEG", quality=80)
        train.append({"image": image, "label": int(number >= 20), "id": name})
    eval_rows = [{"image": encoded(scene(500 + i)), "label": i % 2, "id": f"eval-{i}"} for i in range(40)]
    eval_rows.append({"image": encoded(scene(target_seed("eval", 19)), "JPEG"), "label": 0, "id": "planted"})
    return {"train": train, "eval": eval_rows}


def target_rows(scene, encoded) -> dict[str, list[dict]]:
    return {
        split: [
            {"image": encoded(scene(target_seed(split, i))), "label": i % 2, "id": f"{split}-{i}"} for i in range(20)
        ]
        for split in SPLITS
    }


class _Scenes(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    VERSION = tfds.core.Version("1.0.0")

    def __init__(self, name: str, rows: dict[str, list[dict]], data_dir: str):
        self.name, self._rows = name, rows
        super().__init__(data_dir=data_dir)

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "label": tfds.features.ClassLabel(names=["one", "two"]),
            "id": tfds.features.Text(),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(split) for split in self._rows}

    def _generate_examples(self, split):
        yield from enumerate(self._rows[split])


@pytest.fixture(scope="module")
def overrides(tmp_path_factory, scene, encoded) -> list[str]:
    folder = str(tmp_path_factory.mktemp("tfds"))
    rows = {"planted_source": source_rows(scene, encoded), "scenes": target_rows(scene, encoded)}
    data = {}
    for name, of_splits in rows.items():
        _Scenes(name, of_splits, folder).download_and_prepare()
        splits = {split: split for split in of_splits}
        data[name] = json.dumps({"dataset": name, "splits": splits, "data_dir": folder, "id_key": "id"})
    return [
        f"source={data['planted_source']}",
        f"targets.digits.data={data['scenes']}",
        "targets.digits.arms=[entire_source, same_distribution]",
        "targets.digits.push=null",
        *(f"{training}.steps=3" for training in ("classifier", "pretrain", "finetune")),
        *(f"{training}.batch_size=16" for training in ("classifier", "pretrain", "finetune")),
        "resample={n: 320}",
        "near_duplicates={enabled: true}",
    ]


@pytest.mark.slow
def test_planted_images_go_and_nothing_counts_them(run, read, overrides, tmp_path):
    results, summary = run(DEMO, overrides, tmp_path)
    assert summary.excluded == {"train": (190, 30), "eval": (41, 1)}

    found = read(results["source-exclusions"], "exclusions", f"Split-train/{exclusions.FILE_PATTERN}")
    assert dict(zip(found["source_id"].to_pylist(), found["target_id"].to_pylist(), strict=True)) == PLANTED
    assert len(found) == 30
    assert found["target_split"].to_pylist() == [name.split("-")[0] for name in found["target_id"].to_pylist()]
    in_eval = read(results["source-exclusions"], "exclusions", f"Split-eval/{exclusions.FILE_PATTERN}")
    assert in_eval["source_id"].to_pylist() == ["planted"]
    uri = results["source-exclusions"].outputs["exclusions"][0].uri
    counts = json.loads(pathlib.Path(uri, exclusions.SUMMARY_FILE).read_text())
    assert counts["settings"] == {"distance": 6, "flips": True}
    assert counts["source"]["train"]["excluded"] == 30
    assert counts["targets"] == {"digits": {"images": 60, "without_hash": 0}}

    # 80 of each label are left; with the planted ones they would be 100 and 90.
    prior = read(results["digits-prior"], "label_prior", label_prior.FILE_NAME)
    assert prior["count"].to_pylist() == [80, 80]
    assert prior["source_prior"].to_pylist() == [0.5, 0.5]

    rows = read(results["source-examples"], "index", f"Split-train/{index.FILE_PATTERN}")["source_id"].to_pylist()
    for node, total in (("source-exclusions", 160), ("digits-same-distribution-resample", 320)):
        copies = read(results[node], "plan", f"Split-train/{plan.COPIES_PATTERN}")["copies"].to_pylist()
        taken = dict(zip(rows, copies, strict=True))
        assert sum(copies) == total
        assert {name for name in rows if not taken[name]} >= set(PLANTED)
        if node == "source-exclusions":
            assert {name for name in rows if not taken[name]} == set(PLANTED)
    header = plan.header_of(read(results["digits-same-distribution-resample"], "plan", plan.LABELS_FILE))
    assert (header["examples"], header["excluded_examples"]) == (320, 30)

    # Trainings on all of the source follow the plan, and a rerun reuses everything.
    assert {result.state for result in run(DEMO, overrides, tmp_path)[0].values()} <= {State.REUSED, State.RESOLVED}

    # So does one with another target, whose images resemble none of the source: they have been excluded already.
    data = next(override for override in overrides if override.startswith("targets.digits.data="))
    more = [f"targets.more.{data.removeprefix('targets.digits.')}", "targets.more.arms=[same_distribution]"]
    again, _ = run(DEMO, [*overrides, *more], tmp_path)
    executed = {node for node, result in again.items() if result.state is State.DONE}
    assert executed == {"source-exclusions", *(node for node in again if node.startswith("more-"))} - {"more-schema"}


def nodes_of(tmp_path, overrides: list[str]) -> dict:
    nodes = pipeline_module.create_pipeline(load(DEMO, overrides), Place.local(str(tmp_path))).components
    return {node.id: node for node in nodes}


def test_who_gets_the_exclusions(tmp_path, overrides):
    nodes = nodes_of(tmp_path, overrides)
    found = nodes["source-exclusions-known"].outputs
    for node in ("source-classifier", "source-entire-source-specialist"):
        assert nodes[node].inputs["plan"] is found["plan"]
    for node in ("digits-prior", "digits-same-distribution-resample"):
        assert nodes[node].inputs["exclusions"] is found["exclusions"]
    assert [nodes[f"{side}-examples"].exec_properties["perceptual_hashes"] for side in ("source", "digits")] == [1, 1]
    assert "source-train-predictions" not in nodes


def test_who_gets_the_exclusions_of_the_second_stage(tmp_path, overrides):
    nodes = nodes_of(tmp_path, [*overrides, "near_duplicates.embeddings=0.99"])
    first, second = (nodes[f"source-{stage}-known"].outputs for stage in ("exclusions", "embedding-exclusions"))
    assert nodes["source-classifier"].inputs["plan"] is first["plan"]
    found = nodes["source-exclusions"].outputs["exclusions"]
    assert nodes["source-embedding-exclusions"].inputs["earlier_exclusions"] is found
    assert nodes["source-entire-source-specialist"].inputs["plan"] is second["plan"]
    for node in ("digits-prior", "digits-same-distribution-resample"):
        assert nodes[node].inputs["exclusions"] is second["exclusions"]
    assert json.loads(nodes["digits-predictions"].exec_properties["splits"]) == list(SPLITS)


def test_switched_off(tmp_path, overrides):
    nodes = nodes_of(tmp_path, [*overrides, "near_duplicates.enabled=false"])
    assert not [name for name in nodes if "exclusions" in name]
    assert nodes["source-examples"].exec_properties["perceptual_hashes"] == 0
    assert "plan" not in nodes["source-classifier"].inputs


@pytest.mark.slow
def test_the_second_stage(run, read, overrides, tmp_path):
    only = [
        "targets.digits.arms=[same_distribution]",
        "near_duplicates.embeddings=0.9999",
        "near_duplicates.distance=0",
    ]
    results, _ = run(DEMO, [*overrides, *only], tmp_path)
    pattern = f"Split-train/{exclusions.FILE_PATTERN}"
    first = read(results["source-exclusions"], "exclusions", pattern)
    both = read(results["source-embedding-exclusions"], "exclusions", pattern)
    assert len(set(first["source_id"].to_pylist())) < 30
    assert set(both["source_id"].to_pylist()) > set(first["source_id"].to_pylist())
    assert set(both["reason"].to_pylist()) == {"perceptual_hash", "embedding"}
    prior = read(results["digits-prior"], "label_prior", label_prior.FILE_NAME)
    assert sum(prior["count"].to_pylist()) == 190 - len(set(both["source_id"].to_pylist()))
