# SPDX-License-Identifier: GPL-2.0-or-later
"""Refuses to work on machines where nobody would find them: in a snapshot that an update is at work on.

A launch with nothing to do imports this module, so what takes time to import is imported where it is used.
"""

import os

from ..errors import ToyError

_UPDATE = "TRANSACTIONAL_UPDATE"
"""Environment variable of what transactional-update runs (transactional-update, lib/Transaction.cpp: runCommand)."""

_SUBVOLUME = 256
"""Inode number of the root of each btrfs subvolume (btrfs-progs, BTRFS_FIRST_FREE_OBJECTID)."""


def require_running_system() -> None:
    """Raise ToyError in `transactional-update shell` and its like: a machine that is made there is found by nobody.

    The /var there is the snapshot's own, and is covered by the host's as soon as the snapshot is booted.
    """
    if _is_chroot() and (_UPDATE in os.environ or _is_unfinished_snapshot()):
        raise ToyError(
            "machines cannot be used in the snapshot of an unfinished update",
            "leave it (exit), and run toy in the running system",
        )


def _is_chroot() -> bool:
    try:
        return not os.path.samestat(os.stat("/proc/1/root/"), os.stat("/"))
    except OSError:  # there is no /proc, or it tells us nothing
        return True


def _is_unfinished_snapshot() -> bool:
    """Say whether the root is a snapshot that an update is still at work on: _UPDATE is lost in sudo(8)."""
    if os.stat("/").st_ino != _SUBVOLUME:  # quicker than to read the table of all mounts
        return False
    from . import snapper

    number = snapper.number_of(_mounted())
    if number is None:
        return False
    try:
        # snapper's files can be seen in an update, and where a rescue system works on the installed one.
        if os.path.samestat(os.stat(snapper.root(number)), os.stat("/")):
            return snapper.is_in_progress(number)
    except OSError:
        pass
    return os.access("/", os.W_OK)  # a finished snapshot cannot be written


def _mounted() -> str:
    """Return which directory of a file system is mounted at the root, or "" if that is not known."""
    from .mounted import table

    found = ""
    try:
        for _, _, directory, point, _, _ in table():
            if point == "/":
                found = directory  # the last is the uppermost
    except OSError:
        pass
    return found
