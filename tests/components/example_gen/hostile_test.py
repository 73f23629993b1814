"""A folder with 1,000 good images and 60 hostile ones: what comes out, what is set aside, and when the run stops."""

import collections
import io
import os
import pathlib
import zlib

import numpy as np
import PIL.Image
import pytest

from components import storage
from components.artifacts import index, rejected
from components.example_gen.readers.folder import FolderReader

SHARES = {"train": 0.8, "eval": 0.2}
CONVERTED = ["cmyk", "alpha", "gif", "bmp", "webp", "tiff", "tiff16"]
UNTOUCHED = ["turned", "16bit", "palette", "1x1", "wrong_extension", "apng"]
REFUSED = {
    "truncated_jpeg": "truncated",
    "truncated_png": "truncated",
    "nothing": "empty",
    "text": "not_an_image",
    "postscript": "not_an_image",
    "bomb": "too_many_pixels",
    "flat_bomb": "too_many_pixels",
}


def encoded(image: PIL.Image.Image, image_format: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def bomb(width: int, height: int) -> bytes:
    """Returns a small PNG of many black pixels."""
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    data = zlib.compressobj(9)
    rows = b"".join(data.compress(bytes(1 + width)) for _ in range(height)) + data.flush()
    chunks = [(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(content).to_bytes(4, "big") + name + content + zlib.crc32(name + content).to_bytes(4, "big")
        for name, content in chunks
    )


def hostile(kind: str, value: int) -> bytes:
    """Returns an image of a kind; `value` makes its content another."""
    pixels = np.random.default_rng(value).integers(0, 256, (12, 20, 3), np.uint8)
    image = PIL.Image.fromarray(pixels)
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    grey16 = PIL.Image.fromarray(pixels[..., 0].astype(np.uint16) << 8)
    alpha = image.convert("RGBA")
    alpha.putpixel((3, 2), (9, 9, 9, 0))
    return {
        "cmyk": lambda: encoded(image.convert("CMYK"), "JPEG"),
        "alpha": lambda: encoded(alpha, "PNG"),
        "gif": lambda: encoded(image, "GIF", save_all=True, append_images=[image.rotate(180)]),
        "bmp": lambda: encoded(image, "BMP"),
        "webp": lambda: encoded(image, "WEBP"),
        "tiff": lambda: encoded(image, "TIFF"),
        "tiff16": lambda: encoded(grey16, "TIFF"),
        "turned": lambda: encoded(image, "JPEG", exif=exif.tobytes()),
        "16bit": lambda: encoded(grey16, "PNG"),
        "palette": lambda: encoded(image.quantize(16), "PNG"),
        "1x1": lambda: encoded(image.resize((1, 1)), "PNG"),
        "wrong_extension": lambda: encoded(image, "PNG"),
        "apng": lambda: encoded(image, "PNG", save_all=True, append_images=[image.rotate(180)]),
        "truncated_jpeg": lambda: encoded(image, "JPEG")[:-40],
        "truncated_png": lambda: encoded(image, "PNG")[:-200],
        "nothing": lambda: b"",
        "text": lambda: f"no image, only text {value}".encode(),
        "postscript": lambda: f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 {value}\n".encode(),
        "bomb": lambda: bomb(12_000 + value, 10),
        "flat_bomb": lambda: bomb(2, 60_000 + value),
    }[kind]()


@pytest.fixture(scope="module")
def folder(picture, tmp_path_factory) -> pathlib.Path:
    root = tmp_path_factory.mktemp("hostile")
    outside = tmp_path_factory.mktemp("outside")
    for name in ("ant", "bee"):
        (root / name).mkdir()
    for i in range(1000):
        (root / ["ant", "ant", "bee"][i % 3] / f"good-{i}.jpg").write_bytes(
            picture(i, 4 + i % 3, 6, "PNG" if i % 2 else "JPEG")
        )
    kinds = [*CONVERTED, *UNTOUCHED, *REFUSED]
    for i in range(56):
        kind = kinds[i % len(kinds)]
        (root / "bee" / f"{kind}-{i}.jpg").write_bytes(hostile(kind, i))
    (outside / "secret.png").write_bytes(picture(5000))
    (root / "ant" / "link.png").symlink_to(outside / "secret.png")
    (root / "ant" / "link").symlink_to(outside)
    (root / "ant" / "nowhere.png").symlink_to(root / "ant" / "not there.png")
    os.mkfifo(root / "ant" / "pipe.png")
    # Neither good nor hostile.
    (root / "ant" / ".hidden.png").write_bytes(picture(6000))
    (root / "ant" / "inside.png").symlink_to(root / "ant" / "good-0.jpg")
    (root / "readme.txt").write_text("about this data set")
    return root


@pytest.fixture(scope="module")
def made(generate, folder):
    return generate(FolderReader(folder=str(folder), splits=SHARES), shards=3, max_pixels=100_000, max_rejected=0.05)


def expected_kinds(kinds) -> dict[str, str]:
    names = [*CONVERTED, *UNTOUCHED, *REFUSED]
    return {f"bee/{names[i % 20]}-{i}.jpg": names[i % 20] for i in range(56) if names[i % 20] in kinds}


def test_good_and_convertible_images_come_out_and_no_other(made):
    taken = made.records("train") | made.records("eval")
    good = {f"{['ant', 'ant', 'bee'][i % 3]}/good-{i}.jpg" for i in range(1000)}
    assert set(taken) == good | set(expected_kinds([*CONVERTED, *UNTOUCHED])) | {"ant/inside.png"}


def test_bytes_stay_unless_they_have_to_change(made, folder):
    taken = made.records("train") | made.records("eval")
    changed = {
        source_id
        for source_id, record in taken.items()
        if record["image/encoded"][0] != (folder / source_id).read_bytes()
    }
    assert changed == set(expected_kinds(CONVERTED))
    formats = {source_id: record["image/format"][0].decode() for source_id, record in taken.items()}
    assert collections.Counter(formats[source_id] for source_id in changed) == {"png": 21}


def test_the_rest_is_listed_with_reasons(made, folder):
    found = made.rejections()
    reasons = {source_id: REFUSED[kind] for source_id, kind in expected_kinds(REFUSED).items()}
    reasons |= {"ant/link.png": "outside_root", "ant/link": "outside_root"}
    reasons |= {"ant/nowhere.png": "unreadable", "ant/pipe.png": "unreadable"}
    assert {source_id: row["reason"] for source_id, row in found.items()} == reasons
    assert len(reasons) == 17 + 4
    for source_id, row in found.items():
        assert row["uri"] == str(folder / source_id) and row["detail"] and row["split"] in SHARES
    assert found["ant/pipe.png"]["detail"] == "not a file"
    bomb_id = next(source_id for source_id in found if source_id.startswith("bee/bomb"))
    assert found[bomb_id]["detail"].endswith("pixels; max_pixels is 100000")


def test_rejections_stand_beside_their_splits_shards(made):
    for split in SHARES:
        paths = storage.list_files(str(made.rejected / f"Split-{split}"), rejected.FILE_PATTERN)
        assert [pathlib.Path(path).name for path in paths] == [f"rejected-{i:05d}-of-00003.parquet" for i in range(3)]
        for shard, path in enumerate(paths):
            for row in storage.read_table(path).to_pylist():
                assert (index.id_key(row["source_id"]) % 3, row["split"]) == (shard, split)


def test_past_the_share_that_is_allowed_the_run_stops_and_says_why(generate, folder):
    with pytest.raises(ValueError) as stopped:
        generate(FolderReader(folder=str(folder), splits=SHARES), max_pixels=100_000, max_rejected=0.01)
    message = str(stopped.value)
    assert message.startswith(
        "max_rejected: 21 of 1061 images cannot be taken, more than the share 0.01 that is allowed: 6 truncated ("
    )
    parts = (
        "4 not_an_image (bee/",
        "4 too_many_pixels (bee/",
        "3 empty (bee/nothing-",
        "2 unreadable (ant/nowhere.png: ",
    )
    for part in parts:
        assert part in message
    assert message.endswith("; repair or remove them, or raise max_rejected")
    assert "\n" not in message
