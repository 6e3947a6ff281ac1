# SPDX-License-Identifier: GPL-2.0-or-later
"""Walks all directories of a tree that somebody else may have arranged, and may be changing meanwhile."""

import contextlib
import errno
import os
from collections.abc import Container, Iterator
from pathlib import Path, PurePath
from typing import NamedTuple

from . import files

_TOP = PurePath()

_LONGEST_PATH = 4096
"""Bytes of a path, with the null byte at its end: PATH_MAX of linux/limits.h."""


def walk(root: Path, below: PurePath = _TOP, *, skip: Container[PurePath] = ()) -> Iterator[tuple[PurePath, int]]:
    """Yield `below` and all directories under it, each with a descriptor that is valid until the next one is yielded.

    A directory comes after the one that it is in. Left out, with all that is in them, are those in `skip`, directories
    that vanish or move meanwhile, and those with a path that is too long to be used: a tree can have any depth. If
    `skip` gets a directory while that is yielded, what is in it is left out.
    """
    try:
        with files.directory(root, below) as first:
            fd = os.dup(first)
    except (FileNotFoundError, files.NotADirectory):
        return
    try:
        yield below, fd
        # Only one descriptor is open, however deep the tree is.
        above = [_Level.of(root, below, fd)]
        while above:
            level = above[-1]
            if not level.names:
                above.pop()
                if above:
                    fd = _replaced(fd, above[-1].again(root, fd))
                continue
            inner = level.path / level.names.pop()
            if inner in skip or len(os.fsencode(inner)) >= _LONGEST_PATH:
                continue
            child = _opened_directory(inner.name, fd, root / inner)
            if child is not None:
                fd = _replaced(fd, child)
                yield inner, fd
                above.append(_Level(inner, [], _identity(fd)) if inner in skip else _Level.of(root, inner, fd))
    finally:
        os.close(fd)


class _Level(NamedTuple):
    """A directory on the way down, and the names of those in it that were not walked yet."""

    path: PurePath
    names: list[str]
    identity: tuple[int, int]

    @classmethod
    def of(cls, root: Path, path: PurePath, fd: int) -> "_Level":
        """Return the level of a directory, given its descriptor, with the names of all directories in it."""
        with files.within(root / path), files.scan(fd) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        return cls(path, names, _identity(fd))

    def again(self, root: Path, below: int) -> int | None:
        """Return a new descriptor of this directory, opened from `below`, which was in it, or by its path.

        If neither leads to it any more, return None and drop the names that were not walked yet.
        """
        fd = _opened_directory("..", below, root / self.path)
        if fd is not None:
            if _identity(fd) == self.identity:
                return fd
            os.close(fd)  # somebody moved `below` elsewhere
        with contextlib.suppress(FileNotFoundError, files.NotADirectory), files.directory(root, self.path) as fd:
            if _identity(fd) == self.identity:
                return os.dup(fd)
        self.names.clear()
        return None


def _identity(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def _opened_directory(name: str, dir_fd: int, path: Path) -> int | None:
    """Return a descriptor of a directory, or None if there is none any more. An OSError gets `path`, the whole path."""
    try:
        with files.naming(path):
            return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise
        return None


def _replaced(fd: int, other: int | None) -> int:
    """Return `other` and close `fd`, or return `fd` if `other` is None."""
    if other is None:
        return fd
    os.close(fd)
    return other
