# SPDX-License-Identifier: GPL-2.0-or-later
"""Consistent copies of an rpm database that others may be writing to.

rpm's own lock is not taken, since it would make rpm fail rather than wait. `cold` begins a copy before anything heavy
is imported, so this module imports nothing heavy either.
"""

from __future__ import annotations

import os
import stat
import time

from .. import process
from ..filesystem.stat_lines import stat_lines, tick

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

WAL = "rpmdb.sqlite-wal"

FILES = ("Index.db", "Packages", "Packages.db", "rpmdb.sqlite", WAL)
"""Files of a database, of any backend; without -shm, which SQLite makes anew, and -journal, which may name any file."""


class Copy:
    """A copy of a database that is being made in an empty directory; it shares blocks where the file system can."""

    def __init__(self, source: str, target: str) -> None:
        self.source = source
        self.target = target
        self._paths = _files(source)
        self._looked, self._began = stat_lines(self._paths), time.time_ns()
        room = os.statvfs(target)
        # Without room for it, nothing is written but what shares its blocks.
        sharing = "auto" if not room.f_blocks or size(source) <= room.f_bavail * room.f_frsize else "always"
        # A slash at the end: if that is no directory any more, nothing is written.
        options = ["--no-dereference", f"--reflink={sharing}", "--preserve=mode"]
        self._work = process.Started(["cp", *options, "--", *self._paths, f"{target}/"], ())

    def is_true(self) -> bool:
        """Wait until the copy is made, and say whether it has the content that the original has now."""
        try:
            return (
                self._work.succeeded()
                and not fresh_for(_times(self._paths), self._began)
                and _files(self.source) == self._paths
                and stat_lines(self._paths) == self._looked
            )
        except FileNotFoundError:  # one of its files went meanwhile
            return False

    def stop(self) -> None:
        """Stop copying, if that has not ended."""
        self._work.stop()


def copy(source: str, target: str) -> bool:
    """Copy a database into an empty directory, and say whether that worked: not if somebody wrote to it meanwhile."""
    try:
        time.sleep(fresh_for(_times(_files(source)), time.time_ns()) / 10**9)
        return Copy(source, target).is_true()
    except FileNotFoundError:
        return False


def size(path: str) -> int:
    """Return how many bytes a database has."""
    return sum(os.lstat(file).st_size for file in _files(path))


def _files(path: str) -> list[str]:
    """Return the paths of a database's files that exist and are not empty.

    An empty one would only make the database look changed: SQLite's -wal gets another time whenever somebody has read
    the database.
    """
    found = []
    for name in FILES:
        try:
            status = os.lstat(f"{path}/{name}")
        except FileNotFoundError:
            continue
        if stat.S_ISREG(status.st_mode) and status.st_size:
            found.append(f"{path}/{name}")
    return found


def _times(paths: Iterable[str]) -> list[int]:
    return [os.stat(path).st_mtime_ns for path in paths]


def fresh_for(times: Iterable[int], now: int) -> int:
    """Return for how many nanoseconds one of the files that changed at `times` may yet change and keep its time.

    All are in nanoseconds since 1970. A time that is later than `now` does not count: such a file gets an earlier one.
    """
    return max((at + tick(at) - now for at in times if now - at in range(tick(at))), default=0)


def being_written(path: str) -> tuple[str, str]:
    """Return what is wrong, and what to do, if somebody does not stop writing to a database."""
    return f"the rpm database in {path} is being written to", "wait for rpm and zypper to end: ps -C rpm,zypper"
