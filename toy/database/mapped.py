# SPDX-License-Identifier: GPL-2.0-or-later
"""Ends toy in order if what SQLite maps into memory has no room on the disk.

SQLite maps the -shm of a database that it reads. It writes a byte to each page of that before, but where blocks are
smaller than pages (ext4, xfs), or are never written in place (btrfs), a full disk is SIGBUS all the same.
"""

import ctypes
import os
import signal
from pathlib import Path

from ..errors import EXIT_FAILURE, quoted
from ..filesystem import room
from ..streams import say

_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_int)

_KEPT: list[object] = []
"""Handlers, to which the C library has no reference that counts."""


def expect(path: Path) -> None:
    """From now on, have SIGBUS end this process with a line on the database in a directory that is on a full disk."""
    where, ours = room.file_system(os.fspath(path)), os.getpid()
    stderr = os.dup(2)  # by then, what librpm says there may be silenced

    def end(_number: int) -> None:
        # A handler of Python's would never run: where this returns to, the signal comes again.
        if os.getpid() != ours:
            signal.signal(signal.SIGBUS, signal.SIG_DFL)
            return
        os.dup2(stderr, 2)
        see = f"see what is full: df --output=avail,iavail,target {quoted(path)}"
        say(f"cannot read the rpm database in {path}: no space left in {where} for SQLite's -shm; {see}")
        os._exit(EXIT_FAILURE)

    _KEPT.append(_HANDLER(end))
    ctypes.CDLL(None).signal(signal.SIGBUS, _KEPT[-1])
