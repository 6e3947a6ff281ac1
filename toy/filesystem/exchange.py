# SPDX-License-Identifier: GPL-2.0-or-later
"""Exchanges two files of a directory, of whatever kinds, in one step: renameat2(2), which Python does not have."""

import ctypes
import os

_EXCHANGE = 1 << 1
"""RENAME_EXCHANGE of linux/fs.h. A file system that cannot do that cannot have the upper of an overlay either."""


def exchange(dir_fd: int, one: str, other: str) -> None:
    """Have each of two files of a directory get the other's name."""
    names = (os.fsencode(one), os.fsencode(other))
    if ctypes.CDLL(None, use_errno=True).renameat2(dir_fd, names[0], dir_fd, names[1], _EXCHANGE):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), other)
