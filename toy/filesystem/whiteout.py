# SPDX-License-Identifier: GPL-2.0-or-later
"""Whiteouts and opaque directories: how the upper of an overlay hides what lies below it.

See Documentation/filesystems/overlayfs.rst of Linux, "whiteouts and opaque directories".
"""

import errno
import os
import stat

from .attributes import OVERLAY

_OPAQUE = f"{OVERLAY}opaque"


def make(dir_fd: int, name: str) -> None:
    """Make a whiteout in a directory of an upper that is not mounted: it hides the lower's `name`."""
    os.mknod(name, stat.S_IFCHR, os.makedev(0, 0), dir_fd=dir_fd)


def is_whiteout(status: os.stat_result) -> bool:
    """Say whether a file of an upper is a whiteout: whether it hides the lower's of the same name."""
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def is_opaque(dir_fd: int) -> bool:
    """Say whether a directory of an upper is opaque: whether it hides all of the one below it."""
    try:
        return os.getxattr(dir_fd, _OPAQUE) == b"y"
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise
        return False


def set_opaque(dir_fd: int, opaque: bool) -> None:
    """Make a directory of an upper opaque, or no longer opaque."""
    if opaque:
        os.setxattr(dir_fd, _OPAQUE, b"y")
    elif is_opaque(dir_fd):
        os.removexattr(dir_fd, _OPAQUE)
