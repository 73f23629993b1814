"""Files of a comparison. What is written appears whole or not at all."""

import contextlib
import os
import pathlib
import uuid
from collections.abc import Iterator


@contextlib.contextmanager
def write_whole(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Gives a path to write to, which takes the place of `path` in the end; an error leaves nothing of it behind.

    Makes the folder if necessary. The path given has the same suffix, which may say what is to be written.

    Raises:
      ValueError: the file cannot be written.
    """
    final = pathlib.Path(path)
    temporary = final.with_name(f".{uuid.uuid4().hex}{final.suffix}")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, final)
    except OSError as error:
        raise ValueError(f"{final}: cannot be written ({error.strerror or error})") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes `text` as UTF-8 to `path`, with its line ends as they are.

    Raises:
      ValueError: the file cannot be written.
    """
    with write_whole(path) as temporary:
        temporary.write_bytes(text.encode())
