# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads and writes records of toy's own by path: a broken disk, or somebody, may have left anything there.

A launch with nothing to do imports this module, so what takes time to import is not imported.
"""

from __future__ import annotations

import errno
import os
import stat


def opened(path: str, flags: int) -> int:
    """Return a descriptor of a regular file, which is made if flags say so: an `opener` for open().

    Raises OSError; EINVAL and EISDIR mean that something else is there.
    """
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG  # os.open says the same, or makes it
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(mode):  # a FIFO would be waited for, and a device may do anything
        raise OSError(errno.EINVAL, "not a regular file", path)
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)


def read(path: str, *, longest: int = 16 << 20) -> bytes:
    """Return the content of a regular file of a trusted directory; anything else there is not opened.

    Raises OSError; EINVAL and EISDIR mean that it is not a regular file, EFBIG that it has more bytes than `longest`.
    """
    with open(path, "rb", opener=opened) as file:
        size = os.fstat(file.fileno()).st_size
        if size > longest:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
        return file.read(size)


def write(path: str, content: bytes) -> None:
    """Write a file, in place, or in the place of anything that is no directory."""
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            os.unlink(path)
    except FileNotFoundError:
        pass
    with open(path, "wb") as file:
        file.write(content)
