# SPDX-License-Identifier: GPL-2.0-or-later
"""Copies of an rpm database that are as it was at one moment, whoever has it open.

rpm's lock is not taken: it would make rpm fail rather than wait. No module is imported that takes time: the first copy
begins before those are.
"""

from __future__ import annotations

import errno
import os
import stat
import time

from . import run, seen
from .errors import ToyError, moved_away
from .machine import RPMDB, Machine, database_below

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

WAL = "rpmdb.sqlite-wal"

_FILES = ("Index.db", "Packages", "Packages.db", "rpmdb.sqlite", WAL)
"""What makes up a database, of whichever kind. SQLite makes its -shm anew, and a -journal may name any file."""

_TICK = 20_000_000
"""Nanoseconds after which a file that changes once more gets another time: kernels count in steps of up to 10 ms."""

_QUIET = 5
"""Seconds to wait for a moment in which nobody writes to a database."""

_LARGEST = 1 << 30
"""Bytes of a database that is copied into memory: 10,000 packages have 0.4."""


class Copy:
    """A copy of a database, being made in an empty directory; it shares blocks where the file system can."""

    def __init__(self, source: str, target: str) -> None:
        self.source = source
        self.target = target
        self._paths = _files(source)
        self._looked, self._began = seen.looks(self._paths), time.time_ns()
        # A slash at the end: if that is no directory any more, nothing is written.
        options = ["--no-dereference", "--reflink=auto", "--preserve=mode"]
        self._work = run.Started(["cp", *options, "--", *self._paths, f"{target}/"], ())

    def is_true(self) -> bool:
        """Wait for the end of it, and say whether it is what the original is now."""
        try:
            return (
                self._work.succeeded()
                and not _is_fresh(map(os.stat, self._paths), self._began)
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
        if _is_fresh(map(os.stat, _files(source)), time.time_ns()):
            time.sleep(_TICK / 10**9)
        return Copy(source, target).is_true()
    except FileNotFoundError:
        return False


def copy_hostile(source: int, target: str, *, name: str, owner: int) -> None:
    """Copy a database that root in an overlay may be changing meanwhile, for another user, into an empty directory.

    `source` is a descriptor of its directory, and `name` what to call that. Raises ToyError if one of its files is no
    regular file, if they are too large, or if somebody does not stop to write to them.
    """
    deadline = time.monotonic() + _QUIET
    while not _copied(source, target, name):
        if time.monotonic() > deadline:
            raise ToyError(f"the rpm database in {name} is being written to", "try again when that is done")
        time.sleep(_TICK / 10**9)
    for path in (target, *(f"{target}/{file}" for file in os.listdir(target))):
        os.chown(path, owner, owner)


def _copied(source: int, target: str, name: str) -> bool:
    """Copy the files of a database once, and say whether nobody wrote to them meanwhile."""
    began, before = time.time_ns(), statuses(source, name)
    if sum(status.st_size for status in before.values()) > _LARGEST:
        raise ToyError(f"the rpm database in {name} has more than {_LARGEST >> 20} MiB", f"look at it: ls -l {name}")
    try:
        for file in os.listdir(target):
            os.unlink(f"{target}/{file}")
        for file in before:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            with open(os.open(file, flags, dir_fd=source), "rb") as inner, open(f"{target}/{file}", "wb") as outer:
                left = before[file].st_size
                while left > 0 and (sent := os.sendfile(outer.fileno(), inner.fileno(), None, left)):
                    left -= sent
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise ToyError(f"there is no memory for a copy of the rpm database in {name}", "see: free -m") from None
        return False  # it went, or became something else
    after = statuses(source, name)
    return _looks(after) == _looks(before) and not _is_fresh(after.values(), began)


def statuses(source: int, name: str) -> dict[str, os.stat_result]:
    """Return the files of a database; `source` and `name` as above. Raises ToyError if one is no regular file."""
    found = {}
    for file in _FILES:
        try:
            found[file] = os.stat(file, dir_fd=source, follow_symlinks=False)
        except FileNotFoundError:
            continue
        if not stat.S_ISREG(found[file].st_mode):
            raise ToyError(f"{name}/{file} is not a regular file", moved_away(f"{name}/{file}"))
    return found


def _looks(statuses: dict[str, os.stat_result]) -> list[tuple[str, int, int, int, int]]:
    return [(file, one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns) for file, one in statuses.items()]


def _files(path: str) -> list[str]:
    """Return what there is of the files of a database.

    An empty file says nothing: SQLite's -wal gets another time whenever somebody has read the database.
    """
    found = []
    for name in _FILES:
        try:
            status = os.lstat(f"{path}/{name}")
        except FileNotFoundError:
            continue
        if stat.S_ISREG(status.st_mode) and status.st_size:
            found.append(f"{path}/{name}")
    return found


def _is_fresh(files: Iterable[os.stat_result], now: int) -> bool:
    """Say whether a file might change once more without getting another time."""
    return any(now - status.st_mtime_ns in range(_TICK) for status in files)
