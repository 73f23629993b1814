"""The Exclusions: the source images that must not be used, and the target images that they resemble. Pure.

A split of the source has one file per shard of its index, even if nothing is excluded. A row is a pair of images; a
source image is excluded if it is in a row. A summary lies beside the files.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.artifacts import index

FILE_PATTERN = "pairs-*.parquet"
SUMMARY_FILE = "summary.json"
CONTENT_PROPERTY = "content"  # a custom property of the exclusions and their plan: their `content_hash`
# From the most to the least certain: equal bytes, near perceptual hashes, near embeddings of the classifier.
REASONS = ("identical", "perceptual_hash", "embedding")

SCHEMA = pa.schema(
    [
        ("source_id", pa.string()),
        ("source_split", pa.string()),
        ("target", pa.string()),  # name of the target
        ("target_id", pa.string()),
        ("target_split", pa.string()),
        ("reason", pa.string()),  # one of REASONS
        ("distance", pa.int8()),  # bits of the perceptual hashes that differ; null for embeddings
        ("similarity", pa.float32()),  # cosine of the embeddings; null for hashes
        ("flipped", pa.bool_()),  # the source image resembles the mirror image of the target's
    ]
)


def excluded_ids(pairs: pa.Table) -> pa.Array:
    """Returns the ids of the excluded source images, each once."""
    return pc.unique(pairs["source_id"])


def content_hash(index_uri: str, tables: Iterable[pa.Table]) -> str:
    """Returns 32 hex digits that identify which images of an index are excluded; the reasons do not matter.

    Args:
      index_uri: URI of the index.
      tables: the pairs of each shard, in the order of the shards.
    """
    digest = hashlib.blake2b(f"{index_uri} {SCHEMA}".encode(), digest_size=16)
    for pairs in tables:
        digest.update(json.dumps(sorted(excluded_ids(pairs).to_pylist())).encode())
    return digest.hexdigest()


def excluded_keys(pairs: pa.Table) -> np.ndarray:
    """Returns uint64 [excluded]: the excluded source images' `key`s in the index."""
    return np.array([index.id_key(source_id) for source_id in excluded_ids(pairs).to_pylist()], np.uint64)


def mask_kept(keys: pa.ChunkedArray, excluded: np.ndarray) -> np.ndarray:
    """Returns bool [images]: whether each image is kept.

    Args:
      keys: the column `key` of a part of the index.
      excluded: the result of `excluded_keys`.
    """
    return ~np.isin(keys.to_numpy(), excluded)


def drop_excluded(table: pa.Table, pairs: pa.Table) -> pa.Table:
    """Returns the rows of `table`, which has a column source_id, whose images are not excluded."""
    return table.filter(pc.invert(pc.is_in(table["source_id"], value_set=excluded_ids(pairs))))


def describe_matches(pairs: pa.Table, source_id: str) -> list[str]:
    """Describes the target images that a source image resembles, one line each; no line if it is not excluded."""
    rows = pairs.filter(pc.equal(pairs["source_id"], source_id)).to_pylist()
    return [f"{_describe_match(row)} {row['target_id']} of {row['target']} ({row['target_split']})" for row in rows]


def counts(pairs: pa.Table, index_table: pa.Table) -> Counter[tuple[str, ...]]:
    """Returns the counts of one shard, which `summary` adds up.

    An image counts under its most certain reason, and there under its nearest target image.

    Args:
      pairs: the shard's pairs.
      index_table: the shard's index, with the column perceptual_hash.
    """
    found: Counter[tuple[str, ...]] = Counter(
        {("images",): len(index_table), ("without_hash",): index_table["perceptual_hash"].null_count}
    )
    seen = set()
    for row in pairs.to_pylist():  # an image's rows follow each other, the most certain and nearest first
        if row["source_id"] not in seen:
            seen.add(row["source_id"])
            found["excluded",] += 1
            found["flipped",] += row["flipped"]
            found["reasons", row["reason"]] += 1
            if row["reason"] == "perceptual_hash":
                found["distances", str(row["distance"])] += 1
    return found


def summary(settings: Mapping, targets: Mapping, splits: Iterable[tuple[str, Counter]]) -> str:
    """Returns the summary as JSON: the settings, the targets, and the counts of each split of the source.

    Args:
      settings: the settings of the filter.
      targets: name → description of the target.
      splits: (split, counts of one of its shards).
    """
    totals: dict[str, Counter] = {}
    for split, found in splits:
        totals[split] = totals.get(split, Counter()) + found
    source = {split: _nest(total) for split, total in sorted(totals.items())}
    content = {"settings": dict(settings), "targets": dict(targets), "source": source}
    return json.dumps(content, indent=2) + "\n"


def check_left(source: Mapping[str, Mapping]) -> None:
    """Checks that no split of the source lost all of its images.

    Args:
      source: split → its counts, as of a summary.

    Raises:
      ValueError: one did.
    """
    for split, found in source.items():
        if found["images"] and found["images"] == found["excluded"]:
            raise ValueError(
                f"near_duplicates: all {found['images']:,} images of the source's {split} are near-duplicates of the "
                "targets' images; give a source with other images, lower near_duplicates.distance, or set "
                "near_duplicates.enabled to false"
            )


def _nest(total: Counter[tuple[str, ...]]) -> dict[str, int | dict[str, int]]:
    def select(name: str) -> Iterator[tuple[str, int]]:
        return ((key[1], count) for key, count in total.items() if key[0] == name)

    return {
        **{name: total[name,] for name in ("images", "without_hash", "excluded", "flipped")},
        "reasons": dict(sorted(select("reasons"))),
        "distances": dict(sorted(select("distances"), key=lambda pair: int(pair[0]))),
    }


def _describe_match(row: Mapping) -> str:
    mirrored = "the mirror image of " if row["flipped"] else ""
    if row["reason"] == "identical":
        return "the same bytes as"
    if row["reason"] == "embedding":
        return f"embedding of cosine {row['similarity']:.3f} with"
    return f"perceptual hash {row['distance']} bits from {mirrored}".rstrip()
