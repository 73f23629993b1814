"""printed_glyphs: its alphabet, its images, and the files that TFDS makes of them."""

import collections
import io
import subprocess
import sys

import joblib
import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from components.example_gen.builders import glyph_renderer
from components.example_gen.builders.glyph_alphabet import CHARACTERS, SCRIPTS, script_of
from components.example_gen.builders.printed_glyphs import PrintedGlyphs

ENCODED = {"image": tfds.decode.SkipDecoding()}


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def test_alphabet_has_770_distinct_characters_in_24_scripts():
    assert len(CHARACTERS) == len(set(CHARACTERS)) == 770
    assert len(SCRIPTS) == 24
    # TFDS keeps names one a line, and strips them.
    assert [name for name in CHARACTERS if len(name) != 1 or name != name.strip() or not name.isprintable()] == []


def test_script_of_a_character():
    look_alikes = {"7": "digits", "S": "latin", "ʒ": "latin", "З": "cyrillic", "з": "cyrillic", "ვ": "georgian"}
    assert {name: script_of(name) for name in look_alikes} == look_alikes
    assert collections.Counter(map(script_of, CHARACTERS))["digits"] == 10
    with pytest.raises(ValueError, match="'語'"):
        script_of("語")


def test_every_font_draws_its_characters_in_full_and_not_as_a_box():
    glyph_renderer.check_fonts()
    edge = glyph_renderer._CANVAS
    for character in CHARACTERS:
        for font in glyph_renderer.fonts_of(character):
            _, (left, top, right, bottom) = glyph_renderer._ink(character, font, 2)
            assert 0 < left < right < edge and 0 < top < bottom < edge, (character, font)
            draw = glyph_renderer._font(font).getmask
            assert bytes(draw(character)) != bytes(draw("\ufffe")), (character, font)  # a noncharacter: no font has it


def test_a_character_without_a_font_is_named():
    with pytest.raises(ValueError, match=r"'語' \(U\+8A9E\)"):
        glyph_renderer.fonts_of("語")


def test_a_missing_font_is_named(monkeypatch):
    monkeypatch.setattr(glyph_renderer, "FONTS", ("DejaVuSans", "Garamond"))
    with pytest.raises(ValueError, match=r"fonts: Garamond\.ttf not in "):
        glyph_renderer._code_points.__wrapped__()


def test_counts():
    train, evaluation = glyph_renderer.counts("train"), glyph_renderer.counts("eval")
    assert train.shape == evaluation.shape == (770,)
    assert (train.min(), train.max(), train.sum()) == (60, 140, 76_419)
    assert set(evaluation) == {15}
    with pytest.raises(ValueError, match="'test' is not one of train, eval"):
        glyph_renderer.counts("test")


def test_an_image_depends_on_split_label_and_index_and_on_nothing_else():
    five = glyph_renderer.images_of_label(42, "train", 5)
    assert glyph_renderer.images_of_label(42, "train", 2) == five[:2]
    others = [glyph_renderer.images_of_label(42, "eval", 5), glyph_renderer.images_of_label(43, "train", 5)]
    assert len({*five, *others[0], *others[1]}) == 15


def test_other_processes_draw_the_same_images():
    here = [glyph_renderer.images_of_label(label, "eval", 3) for label in (0, 400, 769)]
    draw = joblib.delayed(glyph_renderer.images_of_label)
    assert joblib.Parallel(n_jobs=2)(draw(label, "eval", 3) for label in (0, 400, 769)) == here


@pytest.mark.parametrize(
    ("label", "split", "message"), [(770, "eval", "label: 770"), (-1, "eval", "label: -1"), (0, "dev", "split: 'dev'")]
)
def test_what_cannot_be_drawn(label, split, message):
    with pytest.raises(ValueError, match=message):
        glyph_renderer.images_of_label(label, split, 1)


def test_images_are_small_and_grey_with_light_ink_on_a_darker_ground():
    for label in range(len(CHARACTERS)):
        (png,) = glyph_renderer.images_of_label(label, "eval", 1)
        image = pixels(png).astype(float)
        assert image.shape == (32, 32) and png.startswith(b"\x89PNG")
        border = np.concatenate([image[[0, -1]].ravel(), image[:, [0, -1]].ravel()])
        # Noise alone, with a standard deviation of 10 at most, brings the lightest 20 of 1,024 pixels to 24.
        assert np.sort(image.ravel())[-20:].mean() - np.median(border) > 25, CHARACTERS[label]


def test_digits_are_told_apart_by_their_nearest_mean():
    means = np.stack(
        [np.mean([pixels(png) for png in glyph_renderer.images_of_label(k, "train", 60)], 0) for k in range(10)]
    )
    means = (means - means.mean((1, 2), keepdims=True)) / means.std((1, 2), keepdims=True)
    hits = [
        int((means * pixels(png)).sum((1, 2)).argmax() == label)
        for label in range(10)
        for png in glyph_renderer.images_of_label(label, "eval", 15)
    ]
    assert np.mean(hits) > 0.5


def test_the_builder_writes_what_the_renderer_draws(tmp_path):
    builder = PrintedGlyphs(data_dir=tmp_path)
    first = tfds.download.DownloadConfig(max_examples_per_split=150)
    builder.download_and_prepare(download_config=first)

    counts = glyph_renderer.counts("train")
    drawn = {
        f"train-{label:04d}-{index:03d}": (label, image)
        for label in range(3)
        for index, image in enumerate(glyph_renderer.images_of_label(label, "train", int(counts[label])))
    }
    rows = list(builder.as_dataset(split="train", decoders=ENCODED).as_numpy_iterator())
    written = {row["id"].decode(): (row["label"], row["image"]) for row in rows}
    assert len(rows) == len(written) == 150
    assert written == dict(list(drawn.items())[:150])


def test_names_and_scripts_survive_on_disk(tmp_path):
    one = tfds.download.DownloadConfig(max_examples_per_split=1)
    PrintedGlyphs(data_dir=tmp_path).download_and_prepare(download_config=one)
    info = tfds.builder_from_directory(tmp_path / "printed_glyphs" / "1.0.0").info
    assert tuple(info.features["label"].names) == CHARACTERS
    assert info.metadata["parents"] == {name: [script_of(name)] for name in CHARACTERS}


def test_a_script_without_a_main_guard_can_prepare_it(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import tensorflow_datasets as tfds\n"
        "from components.example_gen.builders.printed_glyphs import PrintedGlyphs\n"
        f"builder = PrintedGlyphs(data_dir={str(tmp_path)!r})\n"
        "builder.download_and_prepare(download_config=tfds.download.DownloadConfig(max_examples_per_split=1))\n"
        "print('prepared', builder.info.splits['eval'].num_examples)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.count("prepared 1") == 1


@pytest.mark.slow
def test_full_preparation(tmp_path):
    builder = PrintedGlyphs(data_dir=tmp_path)
    builder.download_and_prepare()
    assert {name: split.num_examples for name, split in builder.info.splits.items()} == {
        "train": 76_419,
        "eval": 11_550,
    }
    ids, images = [], set()
    for split in builder.info.splits:
        labels = []
        for row in builder.as_dataset(split=split, decoders=ENCODED).as_numpy_iterator():
            labels.append(row["label"])
            ids.append(row["id"])
            images.add(row["image"])
            assert np.ptp(pixels(row["image"]).astype(int)) > 40, row["id"]
        np.testing.assert_array_equal(np.bincount(labels, minlength=770), glyph_renderer.counts(split))
    assert len(ids) == len(set(ids)) == len(images) == 87_969
