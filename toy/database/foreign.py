# SPDX-License-Identifier: GPL-2.0-or-later
"""Shows a machine's rpm database to a confined process, as a copy or as read-only files.

Root in the overlay may have put anything in its place: no link is followed, and only the files that make up a
database are taken.
"""

import errno
import functools
import os
import stat
import time

from ..confined.confinement import UID, Place, bind_read_only
from ..errors import ToyError, moved_away
from .copies import FILES, WAL, being_written, fresh_for

_QUIET = 5
"""Seconds to wait for a moment in which nobody writes to a database."""

_PAUSE = 0.02
"""Seconds between two attempts."""

_LARGEST = 1 << 30
"""Most bytes of a database that is copied into memory: 10,000 packages have 0.4 GiB."""


def place(directory: str, *, is_still: bool) -> Place:
    """Return the `Place` of a confined process that is to read the database in a directory.

    The process sees a copy in memory or, if nobody writes to the database meanwhile (`is_still`), the files themselves,
    read-only: a launch after an update took 0.37 s so, and 0.41 s with a copy (`make bench`: 2,000 packages, xfs).
    """
    return Place(shown=directory, show=functools.partial(_show, directory, is_still=is_still))


def _show(name: str, source: int, target: str, *, is_still: bool) -> None:
    """Fill the directory `target` with a database; `source` is a descriptor of its directory, `name` its path."""
    if not is_still or not _bind(source, target, name):
        _copy(source, target, name)
    os.chown(target, UID, UID)


def _bind(source: int, target: str, name: str) -> bool:
    """Mount the files of a database, and say whether that was done: not if SQLite's -wal has something to be read."""
    found = _statuses(source, name)
    if WAL in found and found.pop(WAL).st_size:
        return False
    for file in found:
        bind_read_only(file, source, target)
    return True


def _copy(source: int, target: str, name: str) -> None:
    """Copy the files of a database as they are at one moment.

    Raises ToyError if one is no regular file, if they are too large, or if somebody writes to them for _QUIET seconds.
    """
    deadline = time.monotonic() + _QUIET
    while not _copied(source, target, name):
        if time.monotonic() > deadline:
            raise ToyError(*being_written(name))
        time.sleep(_PAUSE)
    for file in os.listdir(target):
        os.chown(f"{target}/{file}", UID, UID)


def _copied(source: int, target: str, name: str) -> bool:
    """Copy the files of a database once, and say whether nobody wrote to them meanwhile."""
    began, before = time.time_ns(), _statuses(source, name)
    if sum(status.st_size for status in before.values()) > _LARGEST:
        what = f"the rpm database in {name} is larger than the {_LARGEST >> 20} MiB that toy reads"
        raise ToyError(what, f"see which file is: ls -l {name}")
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
        return False  # a file was removed, or replaced by something else
    after = _statuses(source, name)
    return _identities(after) == _identities(before) and not fresh_for(
        (status.st_mtime_ns for status in after.values()), began
    )


def _statuses(source: int, name: str) -> dict[str, os.stat_result]:
    """Return what stat(2) says of a database's files, by name. Raises ToyError if one is no regular file."""
    found = {}
    for file in FILES:
        try:
            found[file] = os.stat(file, dir_fd=source, follow_symlinks=False)
        except FileNotFoundError:
            continue
        if not stat.S_ISREG(found[file].st_mode):
            raise ToyError(f"{name}/{file} is not a regular file", moved_away(f"{name}/{file}"))
    return found


def _identities(statuses: dict[str, os.stat_result]) -> list[tuple[str, int, int, int, int]]:
    return [(file, one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns) for file, one in statuses.items()]
