# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares files by their content, safely for root where somebody else may have arranged them."""

import hashlib
import os
import stat
from pathlib import Path

from . import files

_LARGEST = 8 << 30
"""Most bytes of a file that is compared by its content."""


def digest(dir_fd: int, name: str, algorithm: str) -> str:
    """Return the hexadecimal digest of a file's content; `algorithm` is a name that hashlib knows.

    It is empty for a directory, and for a file of more than _LARGEST bytes: somebody may have made one of exabytes,
    of nothing but holes.
    """
    with files.opened(dir_fd, name) as fd:
        status, found = os.fstat(fd), hashlib.new(algorithm)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
            return ""
        left = status.st_size  # no more: somebody may append to it faster than we read
        while left > 0 and (part := os.read(fd, min(left, 1 << 18))):
            found.update(part)
            left -= len(part)
        return found.hexdigest()


def same(dir_fd: int, name: str, other: Path) -> bool:
    """Say whether two files exist and are alike: in type, permissions, owner, and content, target or device number.

    The contents of files of more than _LARGEST bytes are taken for the same if their sizes are.
    """
    try:
        one, two = os.stat(name, dir_fd=dir_fd, follow_symlinks=False), os.lstat(other)
    except OSError:
        return False
    if (one.st_mode, one.st_uid, one.st_gid, one.st_rdev) != (two.st_mode, two.st_uid, two.st_gid, two.st_rdev):
        return False
    if stat.S_ISLNK(one.st_mode):
        return os.readlink(name, dir_fd=dir_fd) == os.readlink(other)
    if not stat.S_ISREG(one.st_mode):
        return True
    with files.directory(other.parent) as folder:
        return one.st_size == two.st_size and digest(dir_fd, name, "md5") == digest(folder, other.name, "md5")
