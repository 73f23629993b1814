"""Examples of single images as the ExampleGen makes them: for tests and benchmarks of what reads them."""

from components.artifacts import index
from components.example_gen import examples
from components.example_gen.images import check as image_check
from components.sharding import Keyed


def keyed(
    image: bytes,
    labels: tuple[int, ...],
    source_id: str,
    *,
    split: str,
    names: tuple[str, ...],
    perceptual_hashes: bool = False,
) -> Keyed:
    """Returns the record and the index row of an encoded image, checked and converted; see `examples.keyed`."""
    read = examples.LabelledImage(image, labels, source_id)
    example, facts = examples.taken(read, index.content_hash(image), len(names), image_check.MOST_PIXELS)
    return examples.keyed(example, split=split, names=names, facts=facts, perceptual_hashes=perceptual_hashes)
