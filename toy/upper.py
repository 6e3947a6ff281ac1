# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of an overlay: operations on an upper that is not mounted.

Root in the overlay arranges that tree: no symbolic link in it is followed, and what is in the way of an operation
is the overlay's own business and stays.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePath

from . import files
from .package import PackageFile, is_plain
from .reconcile import Operations

_VAR = PurePath("var")
_ELSEWHERE = (PurePath("dev"), PurePath("proc"), PurePath("root"), PurePath("run"), PurePath("sys"), PurePath("tmp"))
"""Not in the overlay, whatever a package may own there."""


class UpperTree:
    """An upper with its /var apart from it, over a lower tree."""

    def __init__(self, upper: Path, var: Path, lower: Path) -> None:
        self._upper = upper
        self._var = var
        self._lower = lower

    def apply(self, operations: Operations) -> list[str]:
        """Carry out operations; those that were before change nothing. Returns the paths of changed files that stay."""
        stays = [file.path for file in operations.remove if not stat.S_ISDIR(file.mode) and not self._remove(file)]
        for file in sorted(operations.remove, reverse=True):  # a directory after what is in it
            if stat.S_ISDIR(file.mode):
                self._prune(file.path)
        for path in sorted(operations.show):  # a directory before what is in it
            self._show(path)
        for path in operations.merge:
            self._merge(path)
        for path in sorted(operations.hide, reverse=True):
            self._hide(path)
        return sorted(stays)

    def _place(self, path: str) -> tuple[Path, PurePath] | None:
        """Return the tree a path of a package lies in, and where there; None if that is not in the overlay."""
        if not is_plain(path):
            return None
        folder = os.path.realpath(self._lower / PurePath(path).parent.relative_to("/"))
        place = PurePath(folder).relative_to(self._lower) / PurePath(path).name
        if place.is_relative_to(_VAR):
            return self._var, place.relative_to(_VAR)
        return None if any(place.is_relative_to(other) for other in _ELSEWHERE) else (self._upper, place)

    @contextlib.contextmanager
    def _entry(self, path: str) -> Iterator[tuple[int, str, os.stat_result]]:
        """Yield directory, name and status of what the upper has at a path. Raises FileNotFoundError if nothing."""
        place = self._place(path)
        if place is None or not place[1].name:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        tree, where = place
        try:
            with files.directory(tree, where.parent) as fd:
                yield fd, where.name, os.stat(where.name, dir_fd=fd, follow_symlinks=False)
        except files.NotADirectory:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from None

    def _remove(self, file: PackageFile) -> bool:
        """Remove a file if it is what its package installed. Returns whether it is gone."""
        try:
            with self._entry(file.path) as (fd, name, status):
                if files.is_whiteout(status):
                    return True
                if file.kept and not file.digest and not file.target:
                    return False
                if stat.S_IFMT(status.st_mode) != stat.S_IFMT(file.mode):
                    return False
                if stat.S_ISREG(status.st_mode) and not self._is_installed(fd, name, file):
                    return False
                if stat.S_ISLNK(status.st_mode) and os.readlink(name, dir_fd=fd) != file.target:
                    return False
                os.unlink(name, dir_fd=fd)
        except FileNotFoundError:
            pass
        return True

    @staticmethod
    def _is_installed(dir_fd: int, name: str, file: PackageFile) -> bool:
        algorithm, _, digest = file.digest.partition(":")
        return bool(algorithm) and files.digest(dir_fd, name, algorithm) == digest

    def _prune(self, path: str) -> None:
        """Remove a directory if it is empty."""
        try:
            with self._entry(path) as (fd, name, status):
                if stat.S_ISDIR(status.st_mode):
                    os.rmdir(name, dir_fd=fd)
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise

    def _show(self, path: str) -> None:
        """Let the lower's file be seen."""
        with contextlib.suppress(FileNotFoundError), self._entry(path) as (fd, name, status):
            if files.is_whiteout(status):
                os.unlink(name, dir_fd=fd)
        self._merge(path)

    def _merge(self, path: str) -> None:
        """Have a directory not be opaque."""
        with contextlib.suppress(FileNotFoundError), self._entry(path) as (fd, name, status):
            if stat.S_ISDIR(status.st_mode):
                with files.opened(fd, name) as directory:
                    files.set_opaque(directory, False)

    def _hide(self, path: str) -> None:
        """Hide the lower's file, or a directory of which nothing would be seen any more."""
        place = self._place(path)
        if place is None or place[0] != self._upper or not place[1].name:
            return
        where = place[1]
        lower = self._lower / where
        if not os.path.lexists(lower):
            return
        is_directory = lower.is_dir() and not lower.is_symlink()
        try:
            with self._like_lower(where.parent) as fd:
                try:
                    status = os.stat(where.name, dir_fd=fd, follow_symlinks=False)
                except FileNotFoundError:
                    if not is_directory or not os.listdir(lower):
                        files.make_whiteout(fd, where.name)
                    return
                if not is_directory or not stat.S_ISDIR(status.st_mode):
                    return  # it is hidden, by a whiteout or by a file of the overlay's
                with files.opened(fd, where.name) as directory:
                    names = os.listdir(directory)
                    if set(os.listdir(lower)) - set(names) or not all(
                        files.is_whiteout(os.stat(name, dir_fd=directory, follow_symlinks=False)) for name in names
                    ):
                        return
                    for name in names:
                        os.unlink(name, dir_fd=directory)
                os.rmdir(where.name, dir_fd=fd)
                files.make_whiteout(fd, where.name)
        except files.NotADirectory:
            return  # hidden with the directory it is in, or by something else

    @contextlib.contextmanager
    def _like_lower(self, folder: PurePath) -> Iterator[int]:
        """Yield a descriptor of a directory of the upper, made with the lower's attributes where it is missing."""
        for part in (*list(folder.parents)[-2::-1], folder) if folder.name else ():
            with files.directory(self._upper, part.parent) as fd:
                try:
                    os.stat(part.name, dir_fd=fd, follow_symlinks=False)
                except FileNotFoundError:
                    files.make_directory(fd, part.name, like=os.stat(self._lower / part))
        with files.directory(self._upper, folder) as fd:
            yield fd
