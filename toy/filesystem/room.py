# SPDX-License-Identifier: GPL-2.0-or-later
"""Which file system a path is on, how much room there is, and commands that say when there is none."""

import contextlib
import errno
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

from .. import process
from ..errors import ToyError, quoted
from .fields import unescaped

TROUBLE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)
"""Errors that are a file system's rather than a file's."""

FEW_FILES = 16
"""Files that a file system must have left for a launch that makes a database: it, its records, and their next ones."""

_SHORT = 16 << 20
"""Bytes; with fewer left, it is no surprise if something cannot be written."""

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


class NoRoom(ToyError):
    """What is to be made does not fit into its file system."""


class FileSystem(NamedTuple):
    """A mounted file system, as statvfs(3) and proc_pid_mountinfo(5) describe it."""

    point: str
    kind: str
    is_read_only: bool
    room: int
    """Bytes that can still be written, by others than root as well: confined processes make databases."""
    files: int | None
    """Files that can still be made, None if the file system knows no limit."""

    def __str__(self) -> str:
        return f"the file system {self.point} ({self.kind})"


def file_system(path: str) -> FileSystem | None:
    """Return the file system that a path is on, or would be, or None if that cannot be found out."""
    with contextlib.suppress(OSError, LookupError, ValueError):
        while not os.path.lexists(path):
            path = os.path.dirname(path)
        fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            found = os.fstatvfs(fd)
            point, kind = _mount(fd)
        finally:
            os.close(fd)
        files = found.f_favail if found.f_files else None
        return FileSystem(point, kind, bool(found.f_flag & os.ST_RDONLY), _free(found), files)
    return None


def _free(found: os.statvfs_result) -> int:
    return found.f_bavail * found.f_frsize if found.f_blocks else sys.maxsize  # ramfs counts none


def _mount(fd: int) -> tuple[str, str]:
    """Return mount point and type of the file system that a descriptor is on."""
    with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as file:
        number = next(line.split()[1] for line in file if line.startswith("mnt_id:"))
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        for line in file:
            before, _, after = line.partition(" - ")
            if line.startswith(f"{number} "):
                return unescaped(before.split(" ")[4]), after.split(" ")[0]
    return "/", "its mount point is outside of this root"


def lacking(path: str, size: int) -> NoRoom | None:
    """Return the error if `size` more bytes and some files do not fit where `path` is to be made, else None."""
    found = file_system(path)
    if found is None or (found.room >= size and (found.files is None or found.files >= FEW_FILES)):
        return None
    left = readable(found.room) if found.room < size else f"{found.files} files"
    takes = readable(size) if found.room < size else f"{FEW_FILES} files"
    return NoRoom(
        f"no room for {path}: it takes {takes}, and {found} has {left} left",
        f"see what takes the room: du {'' if found.room < size else '--inodes '}-xd2 {quoted(found.point)}",
    )


def run_on(dir_fd: int, name: str, command: list[str], *, pass_fds: Sequence[int] = ()) -> None:
    """Run a command that changes a file in a directory, which it finds as /proc/self/fd/DIR_FD.

    Raises OSError if the command says that the file system is full, read-only or the like: it cannot know the path.
    Raises ToyError as `process.run`.
    """
    try:
        process.run(command, pass_fds=[dir_fd, *pass_fds], environment={"LC_ALL": "C.UTF-8"})
    except process.Failed as error:
        for number in TROUBLE:
            if error.why.endswith(os.strerror(number)):
                raise OSError(number, os.strerror(number), f"{os.readlink(f'/proc/self/fd/{dir_fd}')}/{name}") from None
        raise


def is_short(path: str) -> bool:
    """Say whether the file system of a path is all but full."""
    found = os.statvfs(path)
    return not found.f_flag & os.ST_RDONLY and _free(found) < _SHORT


def short(path: str) -> str:
    """Return a note for an error if the file system of a path that rpm writes in is all but full, else nothing.

    btrfs has a little left when nothing can be written any more.
    """
    found = file_system(path)
    if found is None or not is_short(path):
        return ""
    return f"; {found} has but {readable(found.room)} left: df {quoted(path)}"


def readable(size: int) -> str:
    """Return a number of bytes for people, rounded down."""
    power = 0
    while size >= 1024 << 10 * power and power < len(_UNITS) - 1:
        power += 1
    return f"{size / (1 << 10 * power):.4g} {_UNITS[power]}"
