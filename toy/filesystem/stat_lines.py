# SPDX-License-Identifier: GPL-2.0-or-later
"""Describes files by what stat(2) says of them, as text that is only compared.

So a launch sees whether a file changed without opening it. A launch with nothing to do imports this module, so what
takes time to import is imported where it is used.
"""

from __future__ import annotations

import os
import stat
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_SECOND = 10**9
_TICK, _COARSE_TICK = 20_000_000, 2 * _SECOND
"""Nanoseconds: kernels count in steps of up to 10 ms, and file systems whose times are all whole seconds (ext3, vfat)
in steps of up to two of those."""


def names(directory: str) -> list[str]:
    """Return the sorted names in a directory, or none if it cannot be read."""
    try:
        return sorted(os.listdir(directory))
    except OSError:  # missing or unreadable, which its stat line says as well
        return []


def tick(changed: int) -> int:
    """Return in how many nanoseconds a file may change again and keep the time `changed`, in nanoseconds since 1970."""
    return _TICK if changed % _SECOND else _COARSE_TICK


def may_change_unseen(changed: int, *, now: int) -> bool:
    """Say whether a file that changed at `changed` may change again and keep that time; in nanoseconds since 1970."""
    return changed > now - tick(changed)


def stat_lines(paths: Iterable[str], *, settled: bool = False) -> str:
    """Return what stat(2) says of paths, a line for each.

    With `settled`, no two calls return the same text while a file changed so recently that it may change unseen.
    """
    lines = []
    now = time.time_ns()
    for path in paths:
        try:
            status = os.stat(path)
        except OSError as error:
            lines.append(f"{error.errno} {path}")
            continue
        # Without ctime: SQLite sets the owner of its -wal whenever root reads the database, which changes nothing.
        changed = status.st_mtime_ns if path.endswith("-wal") else max(status.st_mtime_ns, status.st_ctime_ns)
        racy = f"{now} " if settled and may_change_unseen(changed, now=now) else ""
        # No st_dev: of a btrfs subvolume it is another one after each boot. And no st_ino of a directory: in an overlay
        # of two file systems it is another one whenever the kernel has forgotten it (overlayfs.rst, Inodes).
        inode = 0 if stat.S_ISDIR(status.st_mode) else status.st_ino
        lines.append(f"{racy}{inode} {status.st_mode:o} {status.st_size} {status.st_mtime_ns} {changed} {path}")
    return "\n".join(lines)
