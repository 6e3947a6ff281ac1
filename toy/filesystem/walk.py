# SPDX-License-Identifier: GPL-2.0-or-later
"""Walks all directories of a tree that somebody else may have arranged, and may be changing meanwhile."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import NamedTuple

from . import files

_TOP = PurePath()

_LONGEST_PATH = 4096
"""Bytes, with the one after its end: PATH_MAX of linux/limits.h."""


def walk(root: Path, below: PurePath = _TOP, *, skip: PurePath | None = None) -> Iterator[tuple[PurePath, int]]:
    """Yield the directories of a tree from `below` downwards, each with a descriptor that is good until the next.

    Any comes after the one that it is in. `skip` is left out with what is in it; so is what vanishes or moves
    meanwhile, and what has so long a path that nobody can name it: there can be any number of levels of that.
    """
    try:
        with files.directory(root, below) as first:
            fd = os.dup(first)
    except (FileNotFoundError, files.NotADirectory):
        return
    try:
        yield below, fd
        # One descriptor is open, however deep it is.
        above = [_Level.of(root, below, fd)]
        while above:
            level = above[-1]
            if not level.names:
                above.pop()
                if above:
                    fd = _replaced(fd, above[-1].again(root, fd))
                continue
            inner = level.path / level.names.pop()
            if inner == skip or len(os.fsencode(inner)) >= _LONGEST_PATH:
                continue
            child = _opened_directory(inner.name, fd, root / inner)
            if child is not None:
                fd = _replaced(fd, child)
                yield inner, fd
                above.append(_Level.of(root, inner, fd))
    finally:
        os.close(fd)


class _Level(NamedTuple):
    """A directory on the way down, and the names of those in it that were not looked at yet."""

    path: PurePath
    names: list[str]
    identity: tuple[int, int]

    @classmethod
    def of(cls, root: Path, path: PurePath, fd: int) -> "_Level":
        """Look at a directory."""
        with files.within(root / path), files.scan(fd) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        return cls(path, names, _identity(fd))

    def again(self, root: Path, below: int) -> int | None:
        """Open this directory once more, from one that was in it; None, and no more names, if that cannot be."""
        fd = _opened_directory("..", below, root / self.path)
        if fd is not None:
            if _identity(fd) == self.identity:
                return fd
            os.close(fd)  # somebody put it elsewhere
        with contextlib.suppress(FileNotFoundError, files.NotADirectory), files.directory(root, self.path) as fd:
            if _identity(fd) == self.identity:
                return os.dup(fd)
        self.names.clear()
        return None


def _identity(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def _opened_directory(name: str, dir_fd: int, path: Path) -> int | None:
    """Open a directory, or return None if it is none any more. `path` is what an OSError says."""
    try:
        with files.naming(path):
            return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise
        return None


def _replaced(fd: int, other: int | None) -> int:
    """Close a descriptor, if there is another one for it."""
    if other is None:
        return fd
    os.close(fd)
    return other
