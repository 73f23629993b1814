import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.artifacts import exclusions
from components.near_duplicates import embeddings, neighbours

FAR = 0xFFFF_0000_FFFF_0000


def images(rows: list[tuple], split: str = "train", target: str | None = None) -> pa.Table:
    """Images of (id, content hash, perceptual hash[, that of the mirror image])."""
    rows = [(*row, None)[:4] for row in rows]
    columns = {
        "source_id": pa.array([row[0] for row in rows], pa.string()),
        "split": pa.array([split] * len(rows), pa.string()),
        "content_hash": pa.array([row[1] for row in rows], pa.string()),
        "perceptual_hash": pa.array([row[2] for row in rows], pa.uint64()),
        "perceptual_hash_flipped": pa.array([row[3] for row in rows], pa.uint64()),
    }
    if target is not None:
        columns["target"] = pa.array([target] * len(rows), pa.string())
    return pa.table(columns)


TARGETS = pa.concat_tables(
    [
        images([("cat", "c", 0b0, FAR), ("flat", "f", None), ("cow", "w", 1 << 60, 1 << 61)], "test", "pets"),
        images([("flat", "f", None), ("soup", "s", 0b1111, None)], "train", "dishes"),
    ]
)


def found(source: pa.Table, **settings) -> list[tuple]:
    pairs = neighbours.HashNeighbours(TARGETS, **{"distance": 4, "flips": True, **settings})(source)
    assert pairs.schema == exclusions.SCHEMA
    assert pairs["similarity"].null_count == len(pairs)
    columns = ["source_id", "target", "target_id", "target_split", "reason", "distance", "flipped"]
    return [tuple(row.values()) for row in pairs.select(columns).to_pylist()]


def test_the_nearest_first_and_only_what_is_near():
    source = images([("far", "x", 0xFFFF), ("near", "y", 0b11), ("none", "z", None), ("cat", "q", 0b0)], "eval")
    assert found(source, distance=1) == [
        ("cat", "pets", "cat", "test", "perceptual_hash", 0, False),
        ("cat", "pets", "cow", "test", "perceptual_hash", 1, False),
    ]
    assert found(source, distance=2) == [
        ("near", "pets", "cat", "test", "perceptual_hash", 2, False),
        ("near", "dishes", "soup", "train", "perceptual_hash", 2, False),
        ("cat", "pets", "cat", "test", "perceptual_hash", 0, False),
        ("cat", "pets", "cow", "test", "perceptual_hash", 1, False),
    ]


def test_mirror_images_only_if_asked_for():
    source = images([("mirrored", "x", FAR ^ 0b1)])
    assert found(source) == [("mirrored", "pets", "cat", "test", "perceptual_hash", 1, True)]
    assert found(source, flips=False) == []


def test_equal_bytes_are_found_without_a_hash_and_come_first():
    source = images([("a", "f", None), ("b", "c", 1 << 60)])
    assert found(source, distance=1) == [
        ("a", "pets", "flat", "test", "identical", 0, False),
        ("a", "dishes", "flat", "train", "identical", 0, False),
        ("b", "pets", "cat", "test", "identical", 0, False),
        ("b", "pets", "cow", "test", "perceptual_hash", 0, False),
    ]


def test_the_split_of_the_source():
    (pair,) = neighbours.HashNeighbours(TARGETS, distance=0, flips=True)(images([("a", "s", 5)], "eval")).to_pylist()
    assert (pair["source_split"], pair["target_split"]) == ("eval", "train")


@pytest.mark.parametrize("source", [images([]), images([("a", "x", None)]), images([]).slice(0, 0)])
def test_nothing_to_find(source):
    assert found(source) == []


def test_thousands_that_are_all_alike():
    targets = images([(f"t{i:04d}", f"c{i % 7}", 5, 5) for i in range(3_000)], "test", "pets")
    source = images([(f"s{i}", f"c{i % 9}" if i % 9 < 7 else "other", 5) for i in range(4_000)])
    pairs = neighbours.HashNeighbours(targets, distance=10, flips=True)(source)
    assert len(pairs) == 4_000 * neighbours.MAX_MATCHES
    rows = pairs.to_pylist()
    assert {row["target_id"] for row in rows[:8]} == {f"t{7 * i:04d}" for i in range(8)}
    assert {row["reason"] for row in rows[:8]} == {"identical"}
    assert [row["target_id"] for row in rows[7 * 8 : 8 * 8]] == [f"t{i:04d}" for i in range(8)]


@settings(max_examples=60, deadline=None)
@given(data=st.data(), distance=st.integers(0, 10), flips=st.booleans())
def test_who_is_excluded_is_who_has_a_pair(data, distance, flips):
    # A few bits here and there of few centres, so that there are pairs of every distance.
    value = st.one_of(
        st.none(),
        st.builds(
            lambda centre, bits: centre ^ sum(1 << bit for bit in bits),
            st.sampled_from([0, FAR]),
            st.sets(st.integers(0, 63), max_size=6),
        ),
    )
    content = st.sampled_from("abcdefgh")
    source = data.draw(st.lists(st.tuples(content, value), max_size=15))
    targets = data.draw(st.lists(st.tuples(content, value, value), min_size=1, max_size=15))
    table = images([(f"t{i}", *row) for i, row in enumerate(targets)], "test", "pets")
    pairs = neighbours.HashNeighbours(table, distance=distance, flips=flips)(
        images([(f"s{i}", *row) for i, row in enumerate(source)])
    ).to_pylist()

    expected: dict[str, list[float]] = {}
    for i, (content_hash, own) in enumerate(source):
        for other_content, plain, flipped in targets:
            distances = [
                bin(own ^ other).count("1")
                for other in ([plain, flipped] if flips else [plain])
                if None not in (own, other)
            ]
            best = min(distances, default=99)
            best = -1 if content_hash == other_content else best
            if best <= distance:
                expected.setdefault(f"s{i}", []).append(best)
    nearest: dict[str, list[float]] = {}
    for pair in pairs:
        nearest.setdefault(pair["source_id"], []).append(-1 if pair["reason"] == "identical" else pair["distance"])
    assert nearest == {source_id: sorted(all_of)[: neighbours.MAX_MATCHES] for source_id, all_of in expected.items()}


@pytest.mark.parametrize("blocks", [(2, 3), (1024, 4096)])
def test_embeddings(monkeypatch, blocks):
    monkeypatch.setattr(embeddings, "_SOURCE_BLOCK", blocks[0])
    monkeypatch.setattr(embeddings, "_TARGET_BLOCK", blocks[1])
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(13, 3)).astype(np.float16), rng.normal(size=(7, 3)).astype(np.float16)
    source[4], target[2] = 0, 0  # resembles nothing
    source[5] = 2 * target[6]
    matches = embeddings.find_near(embeddings.normalise(source), embeddings.normalise(target), 0.8)
    cosines = np.zeros((13, 7))
    for i, one in enumerate(source.astype(float)):
        for j, other in enumerate(target.astype(float)):
            if one.any() and other.any():
                cosines[i, j] = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    expected = sorted((i, 1 - cosines[i, j], j) for i, j in zip(*np.nonzero(cosines >= 0.8), strict=True))
    assert list(zip(matches.source, matches.target, strict=True)) == [(i, j) for i, _, j in expected]
    assert matches.distance == pytest.approx([distance for _, distance, _ in expected], abs=1e-6)
    exact = embeddings.find_near(embeddings.normalise(source), embeddings.normalise(target), 1.0)
    assert (exact.source.tolist(), exact.target.tolist()) == ([5], [6])


def test_embeddings_that_do_not_fit():
    with pytest.raises(ValueError, match="target_predictions: embeddings have 3 dimensions, the source's have 2"):
        embeddings.find_near(np.ones((1, 2), np.float32), np.ones((1, 3), np.float32), 0.5)
    for threshold in (0.0, 1.01):
        with pytest.raises(ValueError, match=rf"threshold: {threshold}"):
            embeddings.find_near(np.ones((1, 2), np.float32), np.ones((1, 2), np.float32), threshold)
