"""What becomes of an image that was read: an example of each of our splits that takes it, or a rejection."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from components import sharding
from components.artifacts import index, rejected
from components.artifacts.rejected import Rejection
from components.example_gen import examples
from components.example_gen.parallel_map import ahead
from components.example_gen.readers.reader import Part

_THREADS = 2  # decoding leaves the interpreter, and each may hold a large image


@dataclasses.dataclass(frozen=True)
class Check:
    """How the images of a data set are checked.

    Attributes:
      names: of its labels.
      max_pixels: height × width that is allowed.
      perceptual_hashes: whether rows of the index get them.
    """

    names: tuple[str, ...]
    max_pixels: int
    perceptual_hashes: bool

    def all(
        self, part: Part, images: Iterable[examples.LabelledImage | Rejection]
    ) -> Iterator[tuple[str, sharding.Keyed]]:
        """Yields (our split, example) for `images` of `part`, in their order; a rejection has no record."""
        return itertools.chain.from_iterable(ahead(lambda item: list(self._one(part, item)), images, _THREADS))

    def _one(self, part: Part, item: examples.LabelledImage | Rejection) -> Iterator[tuple[str, sharding.Keyed]]:
        is_image = isinstance(item, examples.LabelledImage)
        content_hash = index.content_hash(item.image if is_image else item.source_id.encode())
        splits = part.splits_of(content_hash)
        if not splits:
            return
        taken = examples.taken(item, content_hash, len(self.names), self.max_pixels) if is_image else item
        for split in splits:
            if isinstance(taken, Rejection):
                yield split, _set_aside(taken, split)
            else:
                example, facts = taken
                yield (
                    split,
                    examples.keyed(
                        example,
                        split=split,
                        names=self.names,
                        facts=facts,
                        perceptual_hashes=self.perceptual_hashes,
                    ),
                )


def repeated(row: Mapping[str, Any], first: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the rejection of an example whose id `first` of its split has, too; all three are rows of tables.

    The same image again, as where the content is the id, is left out without being a fault of the data.
    """
    same = row["content_hash"] == first["content_hash"]
    reason = rejected.DUPLICATE_IMAGE if same else "duplicate_id"
    detail = f"another image of this split has the same id{' and content' if same else ''}"
    return Rejection(row["source_id"], None, reason, detail).row(row["split"])


def _set_aside(rejection: Rejection, split: str) -> sharding.Keyed:
    """Returns `rejection` as it travels among the records: without one."""
    return sharding.Keyed(index.id_key(rejection.source_id), b"", rejection.row(split))
