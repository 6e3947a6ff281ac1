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
from ..filesystem.stat_lines import stat_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

WAL = "rpmdb.sqlite-wal"

FILES = ("Index.db", "Packages", "Packages.db", "rpmdb.sqlite", WAL)
"""Files of a database, of any backend; without -shm, which SQLite makes anew, and -journal, which may name any file."""

TICK = 20_000_000
"""Nanoseconds after which a file that changes again gets another time: kernels count in steps of up to 10 ms."""


class Copy:
    """A copy of a database that is being made in an empty directory; it shares blocks where the file system can."""

    def __init__(self, source: str, target: str) -> None:
        self.source = source
        self.target = target
        self._paths = _files(source)
        self._looked, self._began = stat_lines(self._paths), time.time_ns()
        # A slash at the end: if that is no directory any more, nothing is written.
        options = ["--no-dereference", "--reflink=auto", "--preserve=mode"]
        self._work = process.Started(["cp", *options, "--", *self._paths, f"{target}/"], ())

    def is_true(self) -> bool:
        """Wait until the copy is made, and say whether it has the content that the original has now."""
        try:
            return (
                self._work.succeeded()
                and not is_fresh(map(os.stat, self._paths), self._began)
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
        if is_fresh(map(os.stat, _files(source)), time.time_ns()):
            time.sleep(TICK / 10**9)
        return Copy(source, target).is_true()
    except FileNotFoundError:
        return False


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


def is_fresh(files: Iterable[os.stat_result], now: int) -> bool:
    """Say whether one of these files may change again and keep its time; `now` is in nanoseconds."""
    return any(now - status.st_mtime_ns in range(TICK) for status in files)


def being_written(path: str) -> tuple[str, str]:
    """Return what is wrong, and what to do, if somebody does not stop writing to a database."""
    return f"the rpm database in {path} is being written to", "wait for rpm and zypper to end: ps -C rpm,zypper"
