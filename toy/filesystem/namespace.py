# SPDX-License-Identifier: GPL-2.0-or-later
"""Gives this process a mount namespace of its own: what it mounts shows only to it and to what it starts."""

import ctypes  # os.unshare is as new as Python 3.12
import os

from .. import process

_CLONE_NEWNS = 0x20000
"""See unshare(2)."""


def enter() -> None:
    """Move this process into a new mount namespace. Later mounts outside of it show in it, but not the reverse."""
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNS):
        error = ctypes.get_errno()
        raise OSError(error, f"unshare: {os.strerror(error)}")
    mount("--make-rslave", "/")


def mount(*arguments: str) -> None:
    """Run mount with these arguments, by the old interface of the kernel: the new one limits the length of options."""
    process.run(["mount", *arguments], environment={"LIBMOUNT_FORCE_MOUNT2": "always"})
