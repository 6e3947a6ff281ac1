# SPDX-License-Identifier: GPL-2.0-or-later
"""Carries out `Operations` on the files of an upper. Whatever else is in their way is the user's own, and stays."""

import contextlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from pathlib import PurePath

from ..filesystem import attributes, compare, files, whiteout
from ..filesystem.exchange import exchange
from ..filesystem.walk import walk
from ..headers.package import PackageFile, folders
from .operations import Operations
from .upper_files import Trees, UpperFiles, has_content

_CHANGED = "{} (changed in the overlay)"

RENAMED = "{now} (it was {path}, of which the host has its own now)"
"""What is said of a file that stays with another name."""


class WritableUpper(UpperFiles):
    """An upper on which operations are carried out."""

    def __init__(self, trees: Trees, will_rename: Callable[[str, str], None] = lambda _, __: None) -> None:
        """Take the trees, and a function that is called with both paths before a file gets another name."""
        super().__init__(trees)
        self._will_rename = will_rename

    def apply(self, operations: Operations) -> list[str]:
        """Carry out operations; to repeat them changes nothing.

        Returns, sorted, the paths that should have gone but stay, each with the reason in parentheses.
        """
        stays = [kept for file in operations.remove if not file.is_directory and (kept := self._remove(file))]
        for file in sorted(operations.remove, reverse=True):  # a directory after what is in it
            if file.is_directory:
                self._prune(file.path)
        for path in sorted(operations.uncover):
            self._uncover(path)
        self._show(operations.show)
        for path in operations.merge:
            self._merge(path)
        stays += [_CHANGED.format(path) for path in operations.clear if not self._clear(path)]
        for path in operations.follow:
            self._follow(path)
        for path in sorted(operations.hide, reverse=True):
            self._hide(path)
        if operations.sweep:
            self._sweep()
        self._tidy({*operations.show, *(file.path for file in operations.remove)})
        for path in operations.drop:
            self._drop(path)
        return sorted(stays)

    def _remove(self, file: PackageFile) -> str | None:
        """Remove a file if it is as its package installed it. Returns what stays, and why, or None."""
        with contextlib.suppress(FileNotFoundError), self.entry(file.path) as (fd, name, status):
            if whiteout.is_whiteout(status):
                return None
            if file.is_ghost:
                return self._remove_ghost(file, fd, name, status)
            # The permissions of a configuration file are configuration as well.
            is_other = file.kept and stat.S_IMODE(status.st_mode) != stat.S_IMODE(file.mode)
            if is_other or not has_content(fd, name, file):
                return _CHANGED.format(file.path)
            os.unlink(name, dir_fd=fd)
        return None

    def _remove_ghost(self, file: PackageFile, dir_fd: int, name: str, status: os.stat_result) -> str | None:
        """Remove what a script made, if the lower has that too. Returns what stays, and why, or None.

        Nobody knows if somebody has changed it: a file with another content than the lower's is renamed, or stays if it
        is configuration. What the lower has not got stays, and nobody is told: no package brought it.
        """
        path = file.path
        lower = self._lower(path)
        is_in_upper = all(tree == self.upper for tree, _ in self.places(path))
        is_left_alone = path.startswith("/etc/alternatives/") or stat.S_ISDIR(status.st_mode)  # see `alternatives`
        if is_left_alone or not is_in_upper or not os.path.lexists(lower) or files.is_directory(lower):
            return None
        if not compare.same(dir_fd, name, lower):
            if file.kept:
                return _CHANGED.format(path)
            saved = files.saved_name(dir_fd, name)
            now = f"{os.path.dirname(path)}/{saved}"
            self._will_rename(path, now)
            os.rename(name, saved, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
            return RENAMED.format(path=path, now=now)
        os.unlink(name, dir_fd=dir_fd)
        return None

    def _prune(self, path: str) -> None:
        """Remove a directory if it is empty."""
        with contextlib.suppress(FileNotFoundError), self.entry(path) as (fd, name, status):
            if stat.S_ISDIR(status.st_mode):
                files.remove_if_empty(fd, name)

    def _uncover(self, path: str) -> None:
        """Put an opaque directory in the place of a whiteout that hides a directory of the lower."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), self.entry(path) as (fd, name, status):
            files.remove(fd, files.TEMPORARY)  # the whiteout, if this was killed below
            if whiteout.is_whiteout(status) and files.is_directory(self._lower(path)):
                files.make_directory(fd, files.TEMPORARY, like=self._lower(path), opaque=True)
                exchange(fd, files.TEMPORARY, name)  # at no moment does it show what the whiteout hides
                os.unlink(files.TEMPORARY, dir_fd=fd)

    def _show(self, paths: Iterable[str]) -> None:
        """Make paths of the lower visible: drop their whiteouts, and the opaque marks of the directories above them."""
        wanted = set(paths)
        leading = set[str]().union(*map(folders, wanted)) - wanted
        for path in sorted(wanted | leading):  # a directory before what is in it
            if path in wanted:
                with contextlib.suppress(FileNotFoundError), self.entry(path) as (fd, name, status):
                    if whiteout.is_whiteout(status):
                        os.unlink(name, dir_fd=fd)
                self._merge(path)
            elif self.is_opaque(path):
                self._open(path, wanted, leading)

    def _open(self, path: str, wanted: AbstractSet[str], leading: AbstractSet[str]) -> None:
        """Replace a directory's opaque mark by whiteouts for all lower entries but those `wanted`, or `leading` there.

        The directories in it become opaque instead.
        """
        with self.entry(path) as (fd, name, _), files.opened(fd, name) as directory:
            here = set(os.listdir(directory))
            for entry in self._lower_names(path):
                inner = f"{path}/{entry}"
                if entry not in here and inner in leading:
                    if files.is_directory(self._lower(inner)):
                        files.make_directory(directory, entry, like=self._lower(inner))
                elif entry not in here and inner not in wanted:
                    whiteout.make(directory, entry)
                if self._is_directory(directory, entry):
                    with files.opened(directory, entry) as child:
                        whiteout.set_opaque(child, True)
            whiteout.set_opaque(directory, False)

    def _lower_names(self, path: str) -> list[str]:
        """Return the names in a directory of the lower; none if it is no directory."""
        lower = self._lower(path)
        return os.listdir(lower) if files.is_directory(lower) else []

    @staticmethod
    def _is_directory(dir_fd: int, name: str) -> bool:
        try:
            return stat.S_ISDIR(os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode)
        except FileNotFoundError:
            return False

    def _merge(self, path: str) -> None:
        """Remove the opaque mark of a directory."""
        with contextlib.suppress(FileNotFoundError), self.entry(path) as (fd, name, status):
            if stat.S_ISDIR(status.st_mode):
                with files.opened(fd, name) as directory:
                    whiteout.set_opaque(directory, False)

    def _clear(self, path: str) -> bool:
        """Remove a directory that holds nothing but directories and whiteouts. Returns whether it is gone."""
        if not self.places(path):
            return True
        found = list(walk(self.upper, PurePath(path).relative_to("/")))
        known = {here for here, _ in found}
        for here in known:
            with files.directory(self.upper, here) as fd:
                for name in os.listdir(fd):
                    is_known = here / name in known
                    if not is_known and not whiteout.is_whiteout(os.stat(name, dir_fd=fd, follow_symlinks=False)):
                        return False
        for here, _ in reversed(found):
            with files.directory(self.upper, here) as fd:
                for name in os.listdir(fd):
                    os.unlink(name, dir_fd=fd)
            with files.directory(self.upper, here.parent) as fd:
                os.rmdir(here.name, dir_fd=fd)
        return True

    def _follow(self, path: str) -> None:
        """Give a directory of the upper the attributes of the lower's."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), self.entry(path) as (fd, name, status):
            lower = self._lower(path)
            if stat.S_ISDIR(status.st_mode) and files.is_directory(lower):
                with files.opened(fd, name) as directory, files.directory(lower) as model:
                    attributes.copy(model, directory)

    def _drop(self, path: str) -> None:
        """Remove a file of the upper, so that the lower's is seen."""
        with contextlib.suppress(FileNotFoundError), self.entry(path) as (fd, name, status):
            if stat.S_ISREG(status.st_mode):
                os.unlink(name, dir_fd=fd)

    def _hide(self, path: str) -> None:
        """Put a whiteout over the lower's file, or over its directory if the upper hides each entry of that."""
        places = self.places(path)
        if not places or places[-1][0] != self.upper:
            return
        where = places[-1][1]
        lower = self.lower / where
        if not os.path.lexists(lower):
            return
        seen = set(os.listdir(lower)) if lower.is_dir() and not lower.is_symlink() else set()
        try:
            with self._like_lower(where.parent) as fd:
                try:
                    status = os.stat(where.name, dir_fd=fd, follow_symlinks=False)
                except FileNotFoundError:
                    if not seen:
                        whiteout.make(fd, where.name)
                    return
                if not stat.S_ISDIR(status.st_mode):
                    files.remove(fd, files.TEMPORARY)  # the directory, if this was killed below
                    return  # a whiteout hides it, or a file of the overlay's
                with files.opened(fd, where.name) as directory:
                    names = os.listdir(directory)
                    if seen - set(names) or not all(
                        whiteout.is_whiteout(os.stat(name, dir_fd=directory, follow_symlinks=False)) for name in names
                    ):
                        return
                    files.remove(fd, files.TEMPORARY)
                    whiteout.make(fd, files.TEMPORARY)
                    exchange(fd, files.TEMPORARY, where.name)
                    for name in names:
                        os.unlink(name, dir_fd=directory)
                os.rmdir(files.TEMPORARY, dir_fd=fd)
        except files.NotADirectory:
            return  # a whiteout or a file of the overlay's is in the place of a directory above it

    @contextlib.contextmanager
    def _like_lower(self, folder: PurePath) -> Iterator[int]:
        """Yield a descriptor of a directory of the upper, made with the lower's attributes where it is missing."""
        for part in files.way(folder):
            with files.directory(self.upper, part.parent) as fd:
                try:
                    os.stat(part.name, dir_fd=fd, follow_symlinks=False)
                except FileNotFoundError:
                    files.make_directory(fd, part.name, like=self.lower / part)
        with files.directory(self.upper, folder) as fd:
            yield fd

    def _sweep(self) -> None:
        """Remove the whiteouts that hide nothing."""
        swept = set()
        for here, fd in walk(self.upper):
            with files.within(self.upper / here):
                for name in os.listdir(fd):
                    is_whiteout = whiteout.is_whiteout(os.stat(name, dir_fd=fd, follow_symlinks=False))
                    if is_whiteout and not os.path.lexists(self.lower / here / name):
                        os.unlink(name, dir_fd=fd)
                        swept.add(f"/{here / name}")
        self._tidy(swept)

    def _tidy(self, paths: Iterable[str]) -> None:
        """Remove the directories above these paths that are empty, not opaque, and have the attributes of the lower's.

        Such a copy would be in the way once the lower has a link or a file in its place.
        """
        for folder in sorted({str(above) for path in paths for above in PurePath(path).parents}, reverse=True):
            if any(tree != self.upper for tree, _ in self.places(folder)):
                continue  # it may lie in the machine's /var, which has no lower
            with contextlib.suppress(OSError), self.entry(folder) as (fd, name, status):
                if not stat.S_ISDIR(status.st_mode) or not files.is_directory(self._lower(folder)):
                    continue
                with files.opened(fd, name) as directory, files.directory(self._lower(folder)) as lower:
                    if whiteout.is_opaque(directory) or not attributes.same(directory, lower):
                        continue
                files.remove_if_empty(fd, name)
