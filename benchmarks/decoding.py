"""The decoding of a served model beside plain `tf.io.decode_jpeg`, for batches of photographs.

  python -m benchmarks.decoding
  python -m benchmarks.decoding --batch-size 8 --width 400 --height 300 --size 224

Both make squares for the network out of the same JPEGs, in one call of a graph for a batch. Plain is what one would
write: `decode_jpeg`, the central square, `tf.image.resize`, mapped over the batch. The served model also looks for what
turns a picture, for print colours, other formats, and images that cannot be decoded. The median of the turns is given;
a ratio below 1 means that the served model is faster.
"""

import argparse
import functools
import statistics
import tempfile
from collections.abc import Callable, Sequence

import tensorflow as tf

from benchmarks import data
from benchmarks.turns import in_turns, timed
from trainer import serving
from trainer.models import classifier
from trainer.models.backbone import Backbone, ImageConfig


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark with the arguments of a command line, by default this process's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--width", type=int, default=500, help="of the JPEGs, in pixels")
    parser.add_argument("--height", type=int, default=375)
    parser.add_argument("--size", type=int, default=299, help="of what the network sees, in pixels")
    parser.add_argument("--calls", type=int, default=20, help="in a turn")
    parser.add_argument("--repeats", type=int, default=5, help="turns, of which the median is given")
    args = parser.parse_args(arguments)
    jpegs = tf.constant(list(data.cut_jpegs(args.batch_size, (args.width,) * 2, (args.height,) * 2)))
    with tempfile.TemporaryDirectory() as folder:
        served = _export(ImageConfig(size=args.size, channels=3), folder)
        tasks: dict[str, Callable] = {"plain": functools.partial(_decode_plainly, size=args.size), "served": served}

        def measure(decode: Callable) -> float:
            return timed(lambda: [decode(jpegs) for _ in range(args.calls)])[0] / args.calls / args.batch_size

        found = in_turns({name: functools.partial(measure, task) for name, task in tasks.items()}, args.repeats)
    seconds = {name: statistics.median(values) for name, values in found.items()}
    for name, value in seconds.items():
        print(f"{name:8} {1000 * value:6.2f} ms an image   {name} / plain: {value / seconds['plain']:.2f}")


def _export(image: ImageConfig, folder: str) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns the decoding of a batch in an exported model, read back."""
    model = classifier.build(Backbone(name="compact_cnn").build(image), 2)
    module = serving.ServingModule(model, image, ("a", "b"))
    module.batch = tf.function(module.decode_batch, input_signature=[tf.TensorSpec([None], tf.string)])
    tf.saved_model.save(module, folder)
    return tf.saved_model.load(folder).batch


@functools.partial(tf.function, reduce_retracing=True)
def _decode_plainly(encoded: tf.Tensor, size: int) -> tf.Tensor:
    def decode(one: tf.Tensor) -> tf.Tensor:
        pixels = tf.io.decode_jpeg(one, channels=3)
        shape = tf.shape(pixels)[:2]
        side = tf.reduce_min(shape)
        begin = (shape - side) // 2
        square = pixels[begin[0] : begin[0] + side, begin[1] : begin[1] + side]
        return tf.cast(tf.round(tf.image.resize(square, [size, size])), tf.uint8)

    return tf.map_fn(decode, encoded, fn_output_signature=tf.TensorSpec([size, size, 3], tf.uint8))


if __name__ == "__main__":
    main()
