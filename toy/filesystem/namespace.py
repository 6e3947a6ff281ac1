# SPDX-License-Identifier: GPL-2.0-or-later
"""Gives this process a mount namespace of its own: what it mounts shows only to it and to what it starts."""

import ctypes  # os.unshare is as new as Python 3.12
import os

from .. import process

_CLONE_NEWNS = 0x20000
"""See unshare(2)."""


def enter() -> None:
    """Leave the mount namespace for a new one. What is mounted outside later shows here as well, not the reverse."""
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNS):
        error = ctypes.get_errno()
        raise OSError(error, f"unshare: {os.strerror(error)}")
    mount("--make-rslave", "/")


def mount(*arguments: str) -> None:
    """Mount something as the command of that name does, by the old way into the kernel: the new one limits options."""
    process.run(["mount", *arguments], environment={"LIBMOUNT_FORCE_MOUNT2": "always"})
