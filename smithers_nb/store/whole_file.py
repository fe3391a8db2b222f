"""Files that are written whole, or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from ..errors import StoreError


@contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Give a file to write to, which has its name once all of it is written.

    Raises:
        StoreError: if it can't be written.
    """
    target = Path(path)
    try:
        # Written beside the target, and moved to its place when it is whole: no reader ever sees half of one.
        with tempfile.NamedTemporaryFile("wb", dir=target.parent, suffix=".part", delete=False) as file:
            try:
                yield file
                file.close()
                # A temporary file can be read by its owner only; this one is to be passed on.
                os.chmod(file.name, 0o666 & ~_umask())
                os.replace(file.name, target)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(file.name)
                raise
    except OSError as error:
        raise StoreError(
            f"{target} can't be written: {error.strerror}. Check the folder and its permissions."
        ) from error


def _umask() -> int:
    # It can't be asked without being set.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
