"""Text that people and their programs wrote: in UTF-8, in UTF-16 with its mark, or in the encoding that they name."""

import codecs
from typing import Annotated

import pydantic

_MARKS = (  # the longer ones first: that of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LOOKED_AT = 1000  # bytes in which the zeros of an unmarked UTF-16 are looked for
_ADVICE = "set encoding: to what the file is written in, such as latin-1, cp1252 or utf-16"
_SHOWN = 20  # characters in a message, before and behind the one that is wrong


def _check_encoding(name: str) -> str:
    try:
        "a".encode(name)
    except LookupError as error:
        raise ValueError(f"{name!r} is no encoding of text; some are utf-8, utf-16, latin-1 and cp1252") from error
    return name


Encoding = Annotated[str, pydantic.AfterValidator(_check_encoding)]


def read_text(key: str, path: str, encoding: str = "utf-8", *, advice: str | None = None) -> str:
    """Reads the text file at `path`. A byte order mark tells more than `encoding`, and is no part of the text.

    Args:
      key: of the configuration, which names the file.
      path: of the file.
      encoding: as Python calls it.
      advice: what to do with a file in another encoding; None: to set the key `encoding`.

    Raises:
      ValueError: the file cannot be read, or is written in another encoding; the message names the line.
    """
    import tensorflow as tf

    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            content = file.read()
    except tf.errors.OpError as error:
        raise ValueError(f"{key}: {path!r} cannot be read: {error.message}; correct the path") from error
    return decode(key, path, content, encoding, advice=advice)


def decode(key: str, path: str, content: bytes, encoding: str = "utf-8", *, advice: str | None = None) -> str:
    """Returns `content`, which was read from `path`, as text; see `read_text`.

    Raises:
      ValueError: it is written in another encoding.
    """
    encoding = next((marked for mark, marked in _MARKS if content.startswith(mark)), encoding)
    # UTF-16 without its mark is valid UTF-8 with a zero beside each letter.
    begin = content[:_LOOKED_AT]
    if encoding.replace("-", "").lower() == "utf8" and begin.count(0) > len(begin) // 4:
        order = "le" if begin[1::2].count(0) >= begin[::2].count(0) else "be"
        raise ValueError(f"{key}: {path!r} is UTF-16 without its mark; {advice or f'set encoding: utf-16-{order}'}")
    try:
        return content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode(encoding, "replace")
        here = before[before.rfind("\n") + 1 :][-_SHOWN:] + _guess(content[error.start : error.start + _SHOWN])
        raise ValueError(
            f"{key}: line {before.count(chr(10)) + 1} of {path!r} is not {encoding}: {error.reason} (in latin-1 it "
            f"would be {here!r}); {advice or _ADVICE}"
        ) from error


def _guess(content: bytes) -> str:
    return content.decode("latin-1").partition("\n")[0]
