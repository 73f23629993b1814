"""The source set of the embedded benchmark: printed characters of many scripts, drawn when it is prepared."""

import io
from collections.abc import Iterator

import tensorflow_datasets as tfds

from components import extras
from components.example_gen.builders import glyph_renderer
from components.example_gen.builders.glyph_alphabet import CHARACTERS, script_of
from components.example_gen.builders.glyph_renderer import SIZE

_BLOCK = 77  # labels drawn at a time

_DESCRIPTION = """
770 characters of 24 scripts (letters, digits, signs), as 32×32 grey images that resemble low-resolution scans: light
ink on a darker ground, from up to 16 fonts, under random rotation, scale, shear, shift, stroke, contrast, background,
noise, and for 60% of the images a bottleneck of 8 to 20 pixels. Labels have 60 to 140 train and 15 eval images each.

Each label's script, the level above it in the hierarchy, is in the metadata: `parents`, name → [script].

The fonts are those that matplotlib ships: DejaVu (the licence of Bitstream Vera; changes are in the public domain) and
STIX General (SIL Open Font License).
"""


class PrintedGlyphs(tfds.core.GeneratorBasedBuilder):
    """`printed_glyphs`: splits `train` (76,419 images, 60 to 140 a label) and `eval` (11,550, 15 a label).

    Features: `image` (uint8[32, 32, 1], PNG), `label` (of 770, named by the characters), `id` (`train-0042-017`: split,
    label, number within the label). Sources and licences are in the description.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(SIZE, SIZE, 1), encoding_format="png"),
                    "label": tfds.features.ClassLabel(names=CHARACTERS),
                    "id": tfds.features.Text(),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://dejavu-fonts.github.io",
            license="Bitstream Vera Fonts; SIL Open Font License 1.1",
            metadata=tfds.core.MetadataDict(parents={name: [script_of(name)] for name in CHARACTERS}),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        extras.require("demo", "joblib", "matplotlib")
        glyph_renderer.check_fonts()
        return {split: self._generate_examples(split) for split in glyph_renderer.SPLITS}

    def _generate_examples(self, split: str) -> Iterator[tuple[str, dict]]:
        import joblib  # of an extra: what is prepared can be read without it

        draw = joblib.delayed(glyph_renderer.images_of_label)
        jobs = [draw(label, split, int(count)) for label, count in enumerate(glyph_renderer.counts(split))]
        # joblib's processes neither fork TensorFlow's threads nor import the caller's main module again, which may be a
        # script without a guard. Block by block, so that little is drawn in vain if only the first examples are wanted.
        with joblib.Parallel(n_jobs=-1) as parallel:
            for start in range(0, len(jobs), _BLOCK):
                for label, images in enumerate(parallel(jobs[start : start + _BLOCK]), start):
                    for index, image in enumerate(images):
                        key = f"{split}-{label:04d}-{index:03d}"
                        yield key, {"image": io.BytesIO(image), "label": label, "id": key}
