# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of an overlay: operations on an upper that is not mounted.

Root in the overlay arranges that tree: no symbolic link in it is followed, and what is in the way of an operation
is the overlay's own business and stays.
"""

import contextlib
import errno
import glob
import os
import stat
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path, PurePath

from . import files
from .operations import Operations
from .package import PackageFile, folders, is_plain

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
        stays = [file.path for file in operations.remove if not file.is_directory and not self._remove(file)]
        for file in sorted(operations.remove, reverse=True):  # a directory after what is in it
            if file.is_directory:
                self._prune(file.path)
        self._show(operations.show)
        for path in operations.merge:
            self._merge(path)
        for path in operations.clear:
            self._clear(path)
        for path in sorted(operations.hide, reverse=True):
            self._hide(path)
        if operations.sweep:
            self._sweep()
        self._tidy({*operations.show, *(file.path for file in operations.remove)})
        for path in operations.drop:
            self._drop(path)
        return sorted(stays)

    def has(self, path: str) -> bool:
        """Say whether the upper has a file, no directory and no whiteout, at a path."""
        with contextlib.suppress(FileNotFoundError), self._entry(path) as (_, _, status):
            return not stat.S_ISDIR(status.st_mode) and not files.is_whiteout(status)
        return False

    def is_hidden(self, path: str) -> bool:
        """Say whether a whiteout hides the lower's file at a path, or an opaque directory that it is in."""
        with contextlib.suppress(FileNotFoundError), self._entry(path) as (_, _, status):
            return files.is_whiteout(status)
        return any(map(self._is_opaque, folders(path)))

    def _is_opaque(self, path: str) -> bool:
        with contextlib.suppress(FileNotFoundError), self._entry(path) as (fd, name, status):
            if stat.S_ISDIR(status.st_mode):
                with files.opened(fd, name) as directory:
                    return files.is_opaque(directory)
        return False

    def is_other_kind(self, path: str) -> bool:
        """Say whether one of upper and lower has a directory at a path, and the other one something else."""
        with contextlib.suppress(OSError), self._entry(path) as (_, _, status):
            return stat.S_ISDIR(status.st_mode) != stat.S_ISDIR(os.lstat(self._lower / path.lstrip("/")).st_mode)
        return False

    def missing(self, files_of_package: Iterable[PackageFile]) -> list[str]:
        """Return the paths of those files that the lower does not have, but for what is the user's to remove."""
        return [
            file.path
            for file in files_of_package
            if not file.kept and self._places(file.path) and not os.path.lexists(f"{self._lower}/{file.path}")
        ]

    def hides_another(self, path: str) -> bool:
        """Say whether the upper has a file at a path, and another one than the lower."""
        with contextlib.suppress(FileNotFoundError), self._entry(path) as (fd, name, status):
            if not stat.S_ISDIR(status.st_mode) and not files.is_whiteout(status):
                return not files.same(fd, name, self._lower / path.lstrip("/"))
        return False

    def find(self, pattern: str) -> list[str]:
        """Return the paths of files that match a pattern, see glob(7)."""
        found = glob.glob(pattern.lstrip("/"), root_dir=self._upper)  # may leave the upper: `_entry` does not
        return [f"/{path}" for path in sorted(found) if self.has(f"/{path}")]

    def _places(self, path: str) -> list[tuple[Path, PurePath]]:
        """Return where a path of a package may lie: a tree, and the place in it.

        That is the path itself; or, if the lower has a symbolic link on the way, where that leads. None is
        anywhere else than in the overlay.
        """
        if not is_plain(path):
            return []
        literal = PurePath(path).relative_to("/")
        folder = os.path.realpath(self._lower / literal.parent)
        resolved = PurePath(folder).relative_to(self._lower) / literal.name
        places = []
        for place in dict.fromkeys((literal, resolved)):
            if place.is_relative_to(_VAR):
                places.append((self._var, place.relative_to(_VAR)))
            elif not any(place.is_relative_to(other) for other in _ELSEWHERE):
                places.append((self._upper, place))
        return [place for place in places if place[1].name]

    @contextlib.contextmanager
    def _entry(self, path: str) -> Iterator[tuple[int, str, os.stat_result]]:
        """Yield directory, name and status of what the upper has at a path. Raises FileNotFoundError if nothing."""
        for tree, where in self._places(path):
            try:
                with contextlib.ExitStack() as stack:
                    fd = stack.enter_context(files.directory(tree, where.parent))
                    status = os.stat(where.name, dir_fd=fd, follow_symlinks=False)
                    keep = stack.pop_all()
            except (FileNotFoundError, files.NotADirectory):
                continue
            with keep:
                yield fd, where.name, status
                return
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)

    def _remove(self, file: PackageFile) -> bool:
        """Remove a file if it is what its package installed. Returns whether it is gone."""
        with contextlib.suppress(FileNotFoundError), self._entry(file.path) as (fd, name, status):
            if files.is_whiteout(status):
                return True
            if file.is_ghost:
                return True  # as good as gone: no package brought it
            if stat.S_IFMT(status.st_mode) != stat.S_IFMT(file.mode):
                return False
            if stat.S_ISREG(status.st_mode) and not self._is_installed(fd, name, file):
                return False
            if stat.S_ISLNK(status.st_mode) and os.readlink(name, dir_fd=fd) != file.target:
                return False
            os.unlink(name, dir_fd=fd)
        return True

    @staticmethod
    def _is_installed(dir_fd: int, name: str, file: PackageFile) -> bool:
        algorithm, _, digest = file.digest.partition(":")
        return bool(algorithm) and files.digest(dir_fd, name, algorithm) == digest

    def _prune(self, path: str) -> None:
        """Remove a directory if it is empty."""
        with contextlib.suppress(FileNotFoundError), self._entry(path) as (fd, name, status):
            if stat.S_ISDIR(status.st_mode):
                files.remove_if_empty(fd, name)

    def _show(self, paths: Iterable[str]) -> None:
        """Let the lower's files be seen."""
        wanted = set(paths)
        leading = wanted.union(*map(folders, wanted))
        for path in sorted(leading):  # a directory before what is in it
            if path in wanted:
                with contextlib.suppress(FileNotFoundError), self._entry(path) as (fd, name, status):
                    if files.is_whiteout(status):
                        os.unlink(name, dir_fd=fd)
                self._merge(path)
            elif self._is_opaque(path):
                self._open(path, leading)

    def _open(self, path: str, seen: AbstractSet[str]) -> None:
        """Have a directory not be opaque, and yet nothing be seen through it but what is in `seen`."""
        with self._entry(path) as (fd, name, _), files.opened(fd, name) as directory:
            here = set(os.listdir(directory))
            lower = self._lower / path.lstrip("/")
            for entry in os.listdir(lower) if lower.is_dir() else ():
                if entry not in here and f"{path}/{entry}" not in seen:
                    files.make_whiteout(directory, entry)
                elif entry in here and stat.S_ISDIR(os.stat(entry, dir_fd=directory, follow_symlinks=False).st_mode):
                    with files.opened(directory, entry) as inner:
                        files.set_opaque(inner, True)
            files.set_opaque(directory, False)

    def _merge(self, path: str) -> None:
        """Have a directory not be opaque."""
        with contextlib.suppress(FileNotFoundError), self._entry(path) as (fd, name, status):
            if stat.S_ISDIR(status.st_mode):
                with files.opened(fd, name) as directory:
                    files.set_opaque(directory, False)

    def _clear(self, path: str) -> None:
        """Remove a directory that holds nothing but directories and whiteouts."""
        if not self._places(path):
            return
        found = list(files.walk(self._upper, PurePath(path).relative_to("/")))
        for here, _ in found:
            with files.directory(self._upper, here) as fd:
                inner = [os.stat(name, dir_fd=fd, follow_symlinks=False) for name in os.listdir(fd)]
                if not all(stat.S_ISDIR(status.st_mode) or files.is_whiteout(status) for status in inner):
                    return
        for here, _ in reversed(found):
            with files.directory(self._upper, here) as fd:
                for name in os.listdir(fd):
                    os.unlink(name, dir_fd=fd)
            with files.directory(self._upper, here.parent) as fd:
                os.rmdir(here.name, dir_fd=fd)

    def _drop(self, path: str) -> None:
        """Remove a file of the upper, so that the lower's is seen."""
        with contextlib.suppress(FileNotFoundError), self._entry(path) as (fd, name, status):
            if stat.S_ISREG(status.st_mode):
                os.unlink(name, dir_fd=fd)

    def _hide(self, path: str) -> None:
        """Hide the lower's file, or a directory of which nothing would be seen any more."""
        places = self._places(path)
        if not places or places[-1][0] != self._upper:
            return
        where = places[-1][1]
        lower = self._lower / where
        if not os.path.lexists(lower):
            return
        seen = set(os.listdir(lower)) if lower.is_dir() and not lower.is_symlink() else set()
        try:
            with self._like_lower(where.parent) as fd:
                try:
                    status = os.stat(where.name, dir_fd=fd, follow_symlinks=False)
                except FileNotFoundError:
                    if not seen:
                        files.make_whiteout(fd, where.name)
                    return
                if not stat.S_ISDIR(status.st_mode):
                    return  # it is hidden, by a whiteout or by a file of the overlay's
                with files.opened(fd, where.name) as directory:
                    names = os.listdir(directory)
                    if seen - set(names) or not all(
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

    def _sweep(self) -> None:
        """Remove the whiteouts that hide nothing."""
        swept = set()
        for here, fd in files.walk(self._upper):
            for name in os.listdir(fd):
                is_whiteout = files.is_whiteout(os.stat(name, dir_fd=fd, follow_symlinks=False))
                if is_whiteout and not os.path.lexists(self._lower / here / name):
                    os.unlink(name, dir_fd=fd)
                    swept.add(f"/{here / name}")
        self._tidy(swept)

    def _tidy(self, paths: Iterable[str]) -> None:
        """Remove the directories above these paths that are empty and in all else like the lower's.

        A copy that holds nothing would be in the way once the lower has a link or a file in its place.
        """
        for folder in sorted({str(above) for path in paths for above in PurePath(path).parents}, reverse=True):
            if any(tree != self._upper for tree, _ in self._places(folder)):
                continue  # nothing would be seen through it
            with contextlib.suppress(OSError), self._entry(folder) as (fd, name, status):
                lower = os.lstat(self._lower / folder.lstrip("/"))
                if (status.st_mode, status.st_uid, status.st_gid) != (lower.st_mode, lower.st_uid, lower.st_gid):
                    continue
                with files.opened(fd, name) as directory:
                    if files.is_opaque(directory):
                        continue
                files.remove_if_empty(fd, name)
