"""Examples of single images as the ExampleGen makes them: for tests and benchmarks of what reads them."""

from components.artifacts import index
from components.artifacts.rejected import Rejection
from components.example_gen import examples
from components.example_gen.images import check as image_check


def make_record(
    image: bytes,
    labels: tuple[int, ...],
    source_id: str,
    *,
    split: str,
    names: tuple[str, ...],
    perceptual_hashes: bool = False,
) -> examples.Indexed:
    """Returns the record and the index row of an encoded image, checked and converted; see `examples.make_record`.

    Raises:
      ValueError: the image or a label cannot be taken.
    """
    read = examples.LabelledImage(image, labels, source_id)
    found = examples.check_example(read, index.content_hash(image), len(names), image_check.MOST_PIXELS)
    if isinstance(found, Rejection):
        raise ValueError(f"{source_id}: {found.reason}: {found.detail}")
    return examples.make_record(found, split=split, names=names, perceptual_hashes=perceptual_hashes)
