"""Writing a file whole, or not at all."""

import contextlib
import os
import stat
import tempfile


def replace_file(path: str, content: bytes) -> None:
    """Put a file with ``content`` into the place of ``path`` in one step, or raise ``OSError``.

    Whoever reads meanwhile finds the old file or the new one. The new one has the old one's mode
    and owner; without an old one it is private. A link is replaced and not followed.
    """
    handle, unfinished = tempfile.mkstemp(prefix=".torch-", dir=os.path.dirname(path))
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            with contextlib.suppress(FileNotFoundError):
                old = os.stat(path)
                if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(file.fileno(), old.st_uid, old.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(old.st_mode))
        os.replace(unfinished, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(unfinished)
        raise
