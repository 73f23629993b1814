"""TensorFlow's ram://, made known to Beam and to TFX: an object store without a service."""

import io
import os

import tensorflow as tf
from apache_beam.io import filesystem
from tfx.dsl.io import filesystem_registry
from tfx.dsl.io.plugins import tensorflow_gfile


def walk(top: str):
    """As TensorFlow's, which lists what is in a folder `assets.extra` as files `.extra` of a folder `assets`, too."""
    for folder, folders, files in tf.io.gfile.walk(top):
        yield folder, folders, [name for name in files if _is_there(os.path.join(folder, name))]


def _is_there(path: str) -> bool:
    try:
        tf.io.gfile.stat(path)
    except tf.errors.NotFoundError:
        return False
    return True


def sizes_of(folder: str) -> dict[str, int]:
    """Returns the files below a folder, by their paths in it, with their sizes in bytes."""
    paths = [os.path.join(parent, name) for parent, _, names in walk(folder) for name in names]
    return {os.path.relpath(path, folder): tf.io.gfile.stat(path).length for path in paths}


class RamOfTfx(tensorflow_gfile.TensorflowFilesystem):
    """What TFX asks of a file system."""

    SUPPORTED_SCHEMES = ["ram://"]

    @staticmethod
    def walk(top, topdown=True, onerror=None):
        yield from walk(top)

    @staticmethod
    def rmtree(path):  # TensorFlow's would remove what it lists by mistake, too
        for folder, _, files in [*walk(path)][::-1]:
            for name in files:
                tf.io.gfile.remove(os.path.join(folder, name))
            tf.io.gfile.rmtree(folder)


filesystem_registry.DEFAULT_FILESYSTEM_REGISTRY.register(RamOfTfx, priority=0)


class RamFileSystem(filesystem.FileSystem):
    """What Beam asks of a file system: a listing of all that begins with a prefix, as object stores give it."""

    @classmethod
    def scheme(cls):
        return "ram"

    def join(self, basepath, *paths):
        return os.path.join(basepath, *paths)

    def split(self, path):
        return os.path.split(path)

    def mkdirs(self, path):
        tf.io.gfile.makedirs(path)

    def has_dirs(self):
        return False

    def _list(self, prefix):
        for folder, _, files in walk(os.path.dirname(prefix)):
            for path in sorted(os.path.join(folder, name) for name in files):
                if path.startswith(prefix):
                    yield self.metadata(path)

    def create(self, path, mime_type="application/octet-stream", compression_type=filesystem.CompressionTypes.AUTO):
        tf.io.gfile.makedirs(os.path.dirname(path))
        return _compressed(tf.io.gfile.GFile(path, "wb"), path, compression_type)

    def open(self, path, mime_type="application/octet-stream", compression_type=filesystem.CompressionTypes.AUTO):
        with tf.io.gfile.GFile(path, "rb") as file:
            return _compressed(io.BytesIO(file.read()), path, compression_type)

    def copy(self, source_file_names, destination_file_names):
        for source, target in zip(source_file_names, destination_file_names, strict=True):
            tf.io.gfile.copy(source, target, overwrite=True)

    def rename(self, source_file_names, destination_file_names):
        for source, target in zip(source_file_names, destination_file_names, strict=True):
            tf.io.gfile.makedirs(os.path.dirname(target))
            tf.io.gfile.rename(source, target, overwrite=True)

    def exists(self, path):
        return tf.io.gfile.exists(path)

    def size(self, path):
        return tf.io.gfile.stat(path).length

    def last_updated(self, path):
        return tf.io.gfile.stat(path).mtime_nsec / 1e9

    def metadata(self, path):
        return filesystem.FileMetadata(path, self.size(path), self.last_updated(path))

    def delete(self, paths):
        for path in paths:
            (tf.io.gfile.rmtree if tf.io.gfile.isdir(path) else tf.io.gfile.remove)(path)


def _compressed(file, path: str, compression: str):
    if compression == filesystem.CompressionTypes.AUTO:
        compression = filesystem.CompressionTypes.detect_compression_type(path)
    if compression == filesystem.CompressionTypes.UNCOMPRESSED:
        return file
    return filesystem.CompressedFile(file, compression_type=compression)
