"""Ten thousand files, most of them damaged: each is taken or set aside with a reason, and what is taken can be seen."""

import collections
import dataclasses
import io
import random
import resource
import struct
import zlib

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
import tensorflow as tf

from components.example_gen.examples import ImageChecker
from components.example_gen.readers.folder import FolderReader
from components.orientation import read_orientation, turn

FILES, SEED = 10_000, 20_240_607
MOST_PIXELS = 4_000_000  # of an image that is decoded: 16 MB with all that stands beside it
MEMORY = 512 << 20  # bytes more than before
# Of 256 levels, on average over an image: of a damaged progressive JPEG that lacks scans; and of a sound one in print
# colours, for which TensorFlow and Pillow have different formulas. They take a damage of its header differently.
DAMAGED, PRINTED = 2.0, 8.0
DAMAGES = ("none", "none", "flip", "flip", "cut", "splice", "insert", "header", "noise", "random")


@dataclasses.dataclass(frozen=True)
class File:
    """A generated file: its encoded bytes, the format that it began as, and what was done to it."""

    content: bytes
    image_format: str
    damage: str


def encode(draw: random.Random) -> tuple[bytes, str]:
    """Returns a small valid image and its format."""
    image_format = draw.choice(["JPEG", "JPEG", "PNG", "PNG", "GIF", "WEBP", "TIFF", "BMP"])
    height, width = draw.randint(1, 40), draw.randint(1, 40)
    pixels = np.random.default_rng(draw.getrandbits(32)).integers(0, 256, (height, width, 4), np.uint8)
    pixels = np.repeat(pixels[: -(-height // 4)], 4, 0)[:height]  # not noise alone
    image = PIL.Image.fromarray(pixels[..., :3])
    modes = {
        "JPEG": ["RGB", "L", "CMYK"],
        "PNG": ["RGB", "L", "RGBA", "LA", "P", "1"],
        "GIF": ["P", "L"],
        "WEBP": ["RGB", "RGBA"],
        "TIFF": ["RGB", "L", "RGBA", "CMYK", "1"],
        "BMP": ["RGB", "L", "1"],
    }
    mode = draw.choice(modes[image_format])
    image = PIL.Image.fromarray(pixels, "RGBA").convert(mode) if mode in ("RGBA", "LA") else image.convert(mode)
    options = {}
    if image_format == "JPEG":
        options = {"quality": draw.choice([30, 75, 95]), "progressive": draw.random() < 0.3}
        if draw.random() < 0.2:
            exif = PIL.Image.Exif()
            exif[0x0112] = draw.randint(1, 8)
            options["exif"] = exif.tobytes()
    if image_format == "TIFF":
        options = {"compression": draw.choice([None, "tiff_lzw", "tiff_adobe_deflate"])}
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue(), image_format


def damage(content: bytes, kind: str, draw: random.Random) -> bytes:
    """Returns what a kind of damage makes of an encoded image."""
    changed = bytearray(content)
    place = draw.randrange(len(content))
    if kind == "flip":
        for _ in range(draw.choice([1, 1, 3, 20])):
            changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    elif kind == "cut":
        del changed[place:]
    elif kind == "splice":
        other, _ = encode(draw)
        changed[place:] = other[draw.randrange(len(other)) :]
    elif kind == "insert":
        changed[place:place] = draw.randbytes(draw.randint(1, 64))
    elif kind == "header":  # sizes, in the order of bytes of most formats, among the first bytes
        place = draw.randrange(min(len(changed), 64))
        size = draw.choice([0, 1, 20_000, 65_535, 1 << 20, (1 << 31) - 1])
        changed[place : place + 4] = struct.pack(draw.choice("<>") + "I", size)
    elif kind == "noise":
        end = min(len(changed), place + draw.randint(1, 200))
        changed[place:end] = draw.randbytes(end - place)
    elif kind == "random":
        return draw.choice([b"", content[:8]]) + draw.randbytes(draw.randint(0, 400))
    return bytes(changed)


def bomb(side: int) -> bytes:
    """Returns a small PNG whose header and data say `side` × `side` white pixels."""
    rows = zlib.compress(b"\0" + b"\xff" * (side // 8)) if side < 2000 else zlib.compress(b"\0" * 1000)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def generate_files() -> list[File]:
    draw = random.Random(SEED)
    found = []
    for _ in range(FILES):
        content, image_format = encode(draw)
        kind = draw.choice(DAMAGES)
        found.append(File(damage(content, kind, draw), image_format, kind))
        if draw.random() < 0.01:
            found[-1] = File(bomb(draw.choice([1500, 30_000, 1 << 20])), "PNG", "bomb")
    return found


def show(content: bytes) -> np.ndarray:
    """Returns what Pillow shows of an encoded image: upright, the first picture, on white, [height, width, 3]."""
    with PIL.Image.open(io.BytesIO(content)) as image:
        image.load()
        if image.format != "JPEG":
            image.info.pop("icc_profile", None)
        # Of what a damage left of an EXIF, PIL makes something else now and then.
        named = image.format in ("JPEG", "PNG")
        turned = turn(image, read_orientation(content)) if named else PIL.ImageOps.exif_transpose(image)
        if turned.mode.startswith("I;16"):
            turned = PIL.Image.fromarray((np.asarray(turned) >> 8).astype(np.uint8))
        if turned.has_transparency_data:
            white = PIL.Image.new("RGBA", turned.size, "white")
            turned = PIL.Image.alpha_composite(white, turned.convert("RGBA"))
        return np.asarray(turned.convert("RGB"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_every_file_is_taken_or_set_aside_and_what_is_taken_can_be_seen(tmp_path):
    files = {f"{'ab'[i % 2]}/{i:05d}": file for i, file in enumerate(generate_files())}
    for path, file in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(file.content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    reader = FolderReader(folder=str(tmp_path), splits={"train": 0.5, "eval": 0.5})
    contents = reader.open(str(tmp_path / ".work"))
    check = ImageChecker(contents.vocabulary.names, MOST_PIXELS, True, threads=2)
    taken, rejected = {}, {}
    for part in contents.parts:
        for _, item in check.all(part, reader.read(part)):
            (taken if item.image else rejected)[item.row["source_id"]] = item
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10) - before

    assert len(taken) + len(rejected) == len(files) == FILES and taken.keys() | rejected.keys() == files.keys()
    assert all(item.row["reason"] and item.row["detail"] for item in rejected.values())
    undamaged = {path for path, file in files.items() if file.damage == "none"}
    assert len(undamaged) > FILES // 10 and undamaged <= taken.keys()
    differences = {path: _difference(item, files[path].content) for path, item in taken.items()}
    turned = {path for path, item in taken.items() if read_orientation(item.image) != 1}
    printed = {path for path, item in taken.items() if item.row["original_format"] == "jpeg" and item.row["converted"]}
    allowed = dict.fromkeys(taken, DAMAGED) | dict.fromkeys(undamaged, 0.0)
    allowed |= {path: PRINTED if path in undamaged else 255.0 for path in printed}
    assert {path: found for path, found in differences.items() if found > allowed[path]} == {}
    assert memory < MEMORY
    reasons = collections.Counter(item.row["reason"] for item in rejected.values()).most_common()
    told = ", ".join(f"{reason} {count:,}" for reason, count in reasons)
    different = sum(found > 0 for path, found in differences.items() if path not in printed)
    print(f"\n{len(taken):,} taken: {len(undamaged):,} undamaged, {len(turned):,} turned, {len(printed):,} printed")
    print(f"rejected: {told}")
    print(f"{different} others differ; most {max(differences.values()):.2f}; {memory / 1e6:.0f} MB")


def _difference(item, content: bytes) -> float:
    """Returns the mean difference of what TensorFlow shows of a record to what Pillow shows of the file."""
    # By the exact arithmetic of both: the faster one, which is the default, is some levels off.
    exact = {"dct_method": "INTEGER_ACCURATE"} if item.row["format"] == "jpeg" else {}
    decode = tf.io.decode_jpeg if exact else tf.io.decode_png
    stored = PIL.Image.fromarray(decode(item.image, 3, **exact).numpy())
    seen, expected = np.asarray(turn(stored, read_orientation(item.image))).astype(int), show(content)
    assert seen.shape == expected.shape == (item.row["height"], item.row["width"], 3)
    return float(np.abs(seen - expected).mean())
