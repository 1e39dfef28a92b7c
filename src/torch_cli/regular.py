"""Reading files that others may have put there: only regular ones, and only a limited part.

A pipe in place of a file would block forever, and a device never ends.
"""

import errno
import os
import stat
from typing import BinaryIO


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file for reading; raises ``OSError`` for anything else, without waiting."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    file = os.open(path, flags)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(errno.EINVAL, "Not a regular file", os.fspath(path))
    except BaseException:
        os.close(file)
        raise
    return os.fdopen(file, "rb")


def read_regular(path: str | os.PathLike[str], most: int) -> bytes:
    """Return the content of a regular file; raises ``OSError`` if it has over ``most`` bytes."""
    with open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"Larger than {most} bytes", os.fspath(path))
    return content
