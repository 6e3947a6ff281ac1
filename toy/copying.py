# SPDX-License-Identifier: GPL-2.0-or-later
"""Copies of an rpm database that are as it was at one moment, whoever has it open.

rpm's lock is not taken: it would make rpm fail rather than wait. No module is imported that takes time: the first copy
begins before those are.
"""

from __future__ import annotations

import os
import time

from . import run, seen
from .machine import RPMDB, Machine, database_below

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_TICK = 20_000_000
"""Nanoseconds after which a file that changes once more gets another time: kernels count in steps of up to 10 ms."""


class Copy:
    """A copy of a database, being made in an empty directory; it shares blocks where the file system can."""

    def __init__(self, source: str, target: str) -> None:
        self.source = source
        self.target = target
        self._paths = _files(source)
        self._looked, self._began = seen.looks(self._paths), time.time_ns()
        # A slash at the end: if that is no directory any more, nothing is written.
        command = ["cp", "--reflink=auto", "--preserve=mode", "--", *self._paths, f"{target}/"]
        self._work = run.Started(command, ())

    def is_true(self) -> bool:
        """Wait for the end of it, and say whether it is what the original is now."""
        try:
            return (
                self._work.succeeded()
                and not _is_fresh(self._paths, self._began)
                and _files(self.source) == self._paths
                and seen.looks(self._paths) == self._looked
            )
        except FileNotFoundError:  # one of its files went meanwhile
            return False

    def stop(self) -> None:
        """End it, if it has not ended."""
        self._work.stop()


def ahead(machine: Machine) -> Copy | None:
    """Begin to copy the host's database into `new_rpmdb`, if another one will most likely be made from it."""
    last = seen.last(machine)
    dbpath = RPMDB if last is None else last.dbpath
    if last is not None and last.database == seen.of_database(machine, dbpath):
        return None
    try:
        if os.path.exists(machine.new_base):
            return None  # what is in `new_rpmdb` is wanted
        os.mkdir(machine.new_rpmdb)
        return Copy(database_below(machine.root, dbpath), machine.new_rpmdb)
    except OSError:
        return None  # whoever opens it says what is the matter


def copy(source: str, target: str) -> bool:
    """Copy a database into an empty directory; False if somebody wrote to it meanwhile."""
    try:
        if _is_fresh(_files(source), time.time_ns()):
            time.sleep(_TICK / 10**9)
        return Copy(source, target).is_true()
    except FileNotFoundError:
        return False


def _files(path: str) -> list[str]:
    """Return what makes up a database, apart from SQLite's -shm, which it makes anew.

    An empty file says nothing: SQLite's -wal gets another time whenever somebody has read the database.
    """
    with os.scandir(path) as entries:
        return sorted(
            entry.path
            for entry in entries
            if entry.is_file(follow_symlinks=False)
            and entry.name[0] != "."
            and not entry.name.endswith("-shm")
            and entry.stat(follow_symlinks=False).st_size
        )


def _is_fresh(paths: Iterable[str], now: int) -> bool:
    """Say whether a file might change once more without getting another time."""
    return any(now - os.stat(path).st_mtime_ns in range(_TICK) for path in paths)
