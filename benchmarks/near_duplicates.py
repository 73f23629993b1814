"""Near-duplicates: recall, false alarms, and the cost of the matching.

  python -m benchmarks.near_duplicates

recall: the share of variants (re-encoded, resized, cropped, …) whose hash is within d bits of their original's. The
  images are patches of the photographs in scikit-learn and scikit-image, and glyphs of the embedded source set.
precision: the share of true pairs among the pairs of a variant and an original, or its mirror image, within d bits. The
  photographs are a hard test: neighbouring patches of one sky hardly differ.
false alarms: the share of originals that have another original, or its mirror image, within d bits.
embeddings: with --model, the SavedModel of a source classifier: the same for the glyphs, by cosine of its embeddings.
cost: seconds and memory of the matching as the number of source hashes grows, compared with all pairs of the same
  hashes in vectorised numpy. A hundredth of the source's hashes lies 0 to 12 bits from a target's; the rest is random.
"""

import argparse
import collections
import io
import time
import tracemalloc
from collections.abc import Callable, Sequence

import numpy as np
import PIL.Image
import PIL.ImageEnhance
import PIL.ImageOps

from benchmarks import data
from components.example_gen.builders import glyph_alphabet, glyph_renderer
from components.example_gen.images import perceptual_hash
from components.near_duplicates import embeddings, matching

_DISTANCES = range(matching.MAX_DISTANCE + 1)
_COSINES = (0.9, 0.95, 0.98, 0.985, 0.99, 0.995)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark with the arguments of a command line, by default this process's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patch", type=int, default=128, help="side of the patches of photographs, in pixels")
    parser.add_argument("--glyphs", type=int, default=2_000)
    parser.add_argument("--sources", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--targets", type=int, default=10_000)
    parser.add_argument("--distances", type=int, nargs="+", default=[4, 6, 10], help="distances to measure the cost at")
    parser.add_argument("--model", help="a Format-Serving folder, such as the demo's source-classifier")
    args = parser.parse_args(arguments)
    for title, images in (
        (f"photographs, patches of {args.patch} pixels", photographs(args.patch)),
        ("glyphs, 32 pixels", glyphs(args.glyphs)),
    ):
        measure_quality(title, images)
    if args.model:
        measure_embeddings(args.model, glyphs(args.glyphs))
    measure_cost(args.sources, args.targets, args.distances)


def photographs(patch: int) -> list[PIL.Image.Image]:
    """Returns patches of photographs; the patches do not overlap."""
    import skimage.data

    named = ["astronaut", "brick", "camera", "chelsea", "coffee", "coins", "grass", "gravel", "hubble_deep_field"]
    named += ["immunohistochemistry", "moon", "retina", "rocket"]
    photos = [*data.photographs(), *(getattr(skimage.data, name)() for name in named)]
    photos += [np.asarray(pair) for pair in skimage.data.stereo_motorcycle()[:1]]
    return [
        PIL.Image.fromarray(photo[top : top + patch, left : left + patch])
        for photo in photos
        for top in range(0, photo.shape[0] - patch + 1, patch)
        for left in range(0, photo.shape[1] - patch + 1, patch)
    ]


def glyphs(count: int) -> list[PIL.Image.Image]:
    """Returns glyphs of the embedded source set, with as many different labels as possible."""
    labels = np.random.default_rng(0).permutation(len(glyph_alphabet.CHARACTERS))
    drawn = collections.Counter(int(labels[i % len(labels)]) for i in range(count))
    files = [file for label, n in drawn.items() for file in glyph_renderer.images_of_label(label, "eval", n)]
    return [PIL.Image.open(io.BytesIO(file)) for file in files]


def variants(rng: np.random.Generator) -> dict[str, Callable[[PIL.Image.Image], PIL.Image.Image]]:
    """Returns name → function that makes this variant of an image."""

    def jpeg(quality: int):
        def encode(image: PIL.Image.Image) -> PIL.Image.Image:
            return PIL.Image.open(io.BytesIO(data.encode(image, "JPEG", quality=quality)))

        return encode

    def resize(factor: float):
        return lambda image: image.resize([max(1, round(side * factor)) for side in image.size])

    def crop(share: float):
        def crop_image(image: PIL.Image.Image) -> PIL.Image.Image:
            # Removes `share` of each side, split at random between its two ends.
            width, height = image.size
            lost = [round(side * share) for side in image.size]
            left, top = (int(rng.integers(0, length + 1)) for length in lost)
            return image.crop((left, top, left + width - lost[0], top + height - lost[1]))

        return crop_image

    return {
        **{f"JPEG quality {quality}": jpeg(quality) for quality in (95, 75, 40)},
        **{f"resized ×{factor}": resize(factor) for factor in (0.5, 0.75, 1.5, 2.0)},
        **{f"cropped by {100 * share:.0f}% a side": crop(share) for share in (0.025, 0.05)},
        **{f"brightness ×{x}": lambda image, x=x: PIL.ImageEnhance.Brightness(image).enhance(x) for x in (0.8, 1.2)},
        **{f"contrast ×{x}": lambda image, x=x: PIL.ImageEnhance.Contrast(image).enhance(x) for x in (0.8, 1.2)},
        "greyscale": lambda image: image.convert("L"),
        "mirrored": PIL.ImageOps.mirror,
        "resized ×0.5, JPEG 60": lambda image: jpeg(60)(resize(0.5)(image)),
    }


def measure_quality(title: str, images: list[PIL.Image.Image]) -> None:
    """Prints recall by variant, precision and false alarms, for each distance."""
    known = [image for image in images if perceptual_hash.hash_image(image)[0] is not None]
    originals = np.array([perceptual_hash.hash_image(image) for image in known], np.uint64)
    print(f"\n{title}: {len(images):,}, of which {len(images) - len(known)} are flat and have no hash")
    _print("recall within d bits", _DISTANCES, "d")
    recalls, pairs, right = [], 0, 0
    for name, make in variants(np.random.default_rng(0)).items():
        made = [perceptual_hash.hash_image(make(image))[0] for image in known]
        rows, own, distances = _find_pairs(np.array([h for h in made if h is not None], np.uint64), originals)
        own = np.flatnonzero([h is not None for h in made])[rows] == own
        pairs, right = pairs + _count_up_to(distances), right + _count_up_to(distances[own])
        recalls.append(_count_up_to(distances[own]) / len(known))
        _print(name, recalls[-1], ".3f")
    _print("mean", np.mean(recalls, axis=0), ".3f")
    _print("precision", right / pairs, ".3f")
    rows, others, distances = _find_pairs(originals[:, 0], originals)
    rows, distances = rows[rows != others], distances[rows != others]
    alarms = [len(set(rows[distances <= d].tolist())) / len(known) for d in _DISTANCES]
    _print("false alarms, %", 100 * np.array(alarms), ".2f")


def measure_embeddings(model: str, images: list[PIL.Image.Image]) -> None:
    """Prints recall by variant and false alarms, for each cosine."""
    import tensorflow as tf

    loaded = tf.saved_model.load(model)

    def unit(images: list[PIL.Image.Image]) -> np.ndarray:
        files = [data.encode(image, "PNG") for image in images]
        pixels = [loaded.signatures["decode"](encoded=tf.constant(file))["pixels"] for file in files]
        return embeddings.normalise(loaded.signatures["features"](pixels=tf.stack(pixels))["features"].numpy())

    originals = unit(images)
    print()
    _print("recall from cosine on", _COSINES, ".3f")
    for name, make in variants(np.random.default_rng(0)).items():
        cosines = (unit([make(image) for image in images]) * originals).sum(axis=1)
        _print(name, [np.mean(cosines >= cosine) for cosine in _COSINES], ".3f")
    cosines = originals @ originals.T
    np.fill_diagonal(cosines, -1)
    _print("false alarms, %", [100 * np.mean(cosines.max(axis=1) >= cosine) for cosine in _COSINES], ".2f")


def _find_pairs(found: np.ndarray, originals: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns (row, original, distance) of all pairs within the largest distance, mirror images included."""
    nearest: dict[tuple[int, int], int] = {}
    for column in originals.T:
        for block in matching.MultiIndex(column, matching.MAX_DISTANCE).pairs(found):
            for row, original, distance in zip(*(values.tolist() for values in block), strict=True):
                nearest[row, original] = min(distance, nearest.get((row, original), distance))
    pairs = np.array([(*pair, distance) for pair, distance in nearest.items()], np.int64).reshape(-1, 3)
    return tuple(pairs.T)


def _count_up_to(distances: np.ndarray) -> np.ndarray:
    """Returns int64 [distances 0…10]: how many values are at most each distance."""
    return np.cumsum(np.bincount(distances, minlength=len(_DISTANCES)))


def _print(name: str, values, spec: str) -> None:
    print(f"{name:<24}" + "".join(f"{value:7{spec}}" for value in values))


def measure_cost(sizes: list[int], num_targets: int, distances: list[int]) -> None:
    """Prints the cost of the matching, and of all pairs at the largest size."""
    rng = np.random.default_rng(0)
    targets = _draw_hashes(rng, num_targets)
    sources = {size: _draw_sources(rng, size, targets) for size in sizes}
    largest = sources[sizes[-1]]
    start = time.perf_counter()
    expected = _count_all_pairs(largest, targets, distances)
    brute = time.perf_counter() - start
    print(f"\n{num_targets:,} target hashes; all pairs of {len(largest):,} source hashes: {brute:.1f} s")
    for distance in distances:
        seconds = []
        for size in sizes:
            start = time.perf_counter()
            index = matching.MultiIndex(targets, distance)
            pairs = sum(len(rows) for rows, _, _ in index.pairs(sources[size]))
            seconds.append(time.perf_counter() - start)
            print(f"d = {distance:<3}{size:>10,} source hashes{seconds[-1]:9.3f} s {pairs:>9,} pairs")
        if pairs != expected[distance]:
            raise RuntimeError(f"d = {distance}: {pairs} pairs, but all pairs gives {expected[distance]}")
        tracemalloc.start()
        sum(len(rows) for rows, _, _ in matching.MultiIndex(targets, distance).pairs(largest))
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        growth = np.diff(np.log(seconds)) / np.diff(np.log(sizes))
        print(
            f"d = {distance:<3}growth exponents {' '.join(f'{exponent:.2f}' for exponent in growth)}; "
            f"peak {peak:.0f} MB; all pairs take {brute / seconds[-1]:.0f} times as long"
        )


def _draw_sources(rng: np.random.Generator, count: int, targets: np.ndarray) -> np.ndarray:
    """Returns random hashes, of which a hundredth lies 0 to 12 bits from a target's."""
    found = _draw_hashes(rng, count)
    near = rng.choice(count, count // 100, replace=False)
    flips = rng.random((len(near), 64)).argsort(axis=1).astype(np.uint64)
    bits = np.where(np.arange(64) < rng.integers(0, 13, (len(near), 1)), np.uint64(1) << flips, np.uint64(0))
    found[near] = targets[rng.integers(0, len(targets), len(near))] ^ np.bitwise_or.reduce(bits, axis=1)
    return found


def _count_all_pairs(source: np.ndarray, targets: np.ndarray, distances: list[int]) -> dict[int, int]:
    """Returns the number of pairs within each distance. It compares every source hash with all targets at once."""
    within = np.zeros(max(distances) + 1, np.int64)
    for value in source:
        found = matching.popcount(targets ^ value)
        found = found[found <= max(distances)]
        if len(found):
            within += np.bincount(found, minlength=len(within))
    return dict(zip(distances, np.cumsum(within)[distances].tolist(), strict=True))


def _draw_hashes(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.integers(0, 1 << 64, count, np.uint64)


if __name__ == "__main__":
    main()
