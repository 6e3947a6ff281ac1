# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares the files of an upper with the host's. The machine may be in use: its files are only read."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import NamedTuple

from ..filesystem import compare, files, whiteout
from ..filesystem.walk import walk
from ..following import accounts
from ..headers.headerset import DIRECTORY
from ..host import homes, mounted
from ..launch import netshared, scriptlets
from ..machine import Machine

_MOUNT_POINTS = (netshared.MACROS, scriptlets.MACROS)


class PathDifference(NamedTuple):
    """One path at which overlay and host differ."""

    change: str
    """added, changed (type, permissions, owner, content or target) or removed."""
    path: str
    host_is_newer: bool
    """Of a changed path: whether the host's file was changed later than the overlay's, by st_ctime; else False."""


def differences(machine: Machine) -> list[PathDifference]:
    """Return the differences between the files of a machine's upper and the lower's, sorted by path.

    Left out are header sets and mount points, which are toy's own, and what the upper has in homes from a time when
    these were not shared: it does not show.
    """
    upper, lower, shared = Path(machine.overlay), Path(machine.root), homes.names()
    found = [difference for difference in _differences(upper, lower) if not mounted.is_in(difference.path, shared)]
    return sorted(found, key=lambda difference: PurePath(difference.path).parts)


def shadowing(machine: Machine) -> list[str]:
    """Return the paths at which a file of the overlay's hides one of the host's that was changed later.

    Left out are the files of accounts, which follow the host's in another way.
    """
    return [
        found.path
        for found in differences(machine)
        if found.change == "changed" and found.host_is_newer and found.path not in accounts.PATHS
    ]


def _differences(upper: Path, lower: Path) -> Iterator[PathDifference]:
    with files.directory(upper) as fd:
        if not compare.same(fd, ".", lower):
            yield PathDifference("changed", "/", os.stat(lower).st_ctime_ns > os.fstat(fd).st_ctime_ns)
    hidden: set[PurePath] = set()  # directories that show nothing of the lower
    for here, fd in walk(upper, skip={DIRECTORY}):
        below = lower / here
        with files.within(upper / here):
            names = sorted(os.listdir(fd))
            if here.parent in hidden or whiteout.is_opaque(fd) or not files.is_directory(below):
                hidden.add(here)
        if here in hidden:
            for name in sorted(set(os.listdir(below)) - set(names)) if files.is_directory(below) else ():
                yield PathDifference("removed", f"/{here / name}", False)
                yield from _removed(lower, here / name)
        for name in names:
            with contextlib.suppress(FileNotFoundError), files.within(upper / here):  # it is in use
                yield from _compare(fd, lower, here / name)


def _compare(fd: int, lower: Path, path: PurePath) -> Iterator[PathDifference]:
    ours = os.stat(path.name, dir_fd=fd, follow_symlinks=False)
    theirs = _status(lower / path)
    if theirs is None:
        if not whiteout.is_whiteout(ours) and not any(map(path.match, _MOUNT_POINTS)):
            yield PathDifference("added", f"/{path}", False)
        return
    if whiteout.is_whiteout(ours):
        yield PathDifference("removed", f"/{path}", False)
    elif not compare.same(fd, path.name, lower / path):
        yield PathDifference("changed", f"/{path}", theirs.st_ctime_ns > ours.st_ctime_ns)
    if not stat.S_ISDIR(ours.st_mode):
        yield from _removed(lower, path)


def _removed(lower: Path, path: PurePath) -> Iterator[PathDifference]:
    """Yield all that the lower has below a path, as removed."""
    for folder, directories, names in os.walk(lower / path) if files.is_directory(lower / path) else ():
        for name in (*directories, *names):
            yield PathDifference("removed", f"/{PurePath(folder, name).relative_to(lower)}", False)


def _status(path: Path) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG):
            raise
        return None
