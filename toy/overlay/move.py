# SPDX-License-Identifier: GPL-2.0-or-later
"""Moves files of an upper to where the lower's directories lead by now. `reconcile.relocate` says which."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePath

from ..filesystem import compare, files, whiteout
from .apply import WritableUpper


class MovableUpper(WritableUpper):
    """An upper in which files move."""

    def move(self, source: str, target: str) -> list[tuple[str, str]]:
        """Move a file, or all that is in a directory, to another path; to repeat it changes nothing.

        Directories that are at both paths become one, with the attributes that the one at the target has. Where
        something else is at the target already, that stays, and what comes gets another name, NAME.rpmsave. Returns
        the pairs of a path and the path that what was there has now instead of the one it should have.
        """
        renamed: list[tuple[str, str]] = []
        emptied: list[str] = []
        todo = [(source, target)]
        while todo:
            old, new = todo.pop()
            with contextlib.suppress(FileNotFoundError, files.NotADirectory), self._literal(old) as (fd, name):
                status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    new = self._lead(new)
                    if self._make_directory(new):
                        with files.opened(fd, name) as directory:
                            todo += [(f"{old}/{each}", f"{new}/{each}") for each in os.listdir(directory)]
                        emptied.append(old)
                        continue
                now = self._rename(fd, name, status, new)
                if now not in (None, new):
                    renamed.append((old, now or ""))
        for path in reversed(emptied):
            with contextlib.suppress(FileNotFoundError), self._literal(path) as (fd, name):
                files.remove_if_empty(fd, name)
        self._tidy({source})
        return renamed

    @contextlib.contextmanager
    def _literal(self, path: str) -> Iterator[tuple[int, str]]:
        """Yield directory descriptor and name of a path of the upper, whatever the lower has on the way."""
        where = PurePath(path[1:])
        with files.directory(self.upper, where.parent) as fd:
            yield fd, where.name

    def _make_directory(self, path: str) -> bool:
        """Make a directory as the lower has it, and say whether the overlay itself has one there now.

        It has not if the lower has none, or if something else is there.
        """
        place = self._place(path)
        if place is None:
            return False
        tree, where = place
        model = self._model(tree)
        try:
            with self._parent(tree, where) as fd:
                if not files.exists(fd, where.name):
                    if not files.is_directory(model / where):
                        return False
                    files.make_directory(fd, where.name, like=model / where)
                return stat.S_ISDIR(os.stat(where.name, dir_fd=fd, follow_symlinks=False).st_mode)
        except files.NotADirectory:
            return False

    def _model(self, tree: Path) -> Path:
        return self.lower if tree == self.upper else self.lower / "var"

    @contextlib.contextmanager
    def _parent(self, tree: Path, where: PurePath) -> Iterator[int]:
        with files.directory(tree, where.parent, create=True, like=self._model(tree)) as fd:
            yield fd

    def _rename(self, dir_fd: int, name: str, status: os.stat_result, target: str) -> str | None:
        """Rename something to a path, and return the path that it has then; None if nothing is left of it."""
        place = self._place(target)
        if place is None:
            return None
        tree, where = place
        with self._parent(tree, where) as fd:
            if whiteout.is_whiteout(status):
                hides = tree == self.upper and os.path.lexists(self.lower / where) and not files.exists(fd, where.name)
                if not hides:
                    os.unlink(name, dir_fd=dir_fd)
                    return None
            elif files.exists(fd, where.name) and _are_alike(dir_fd, name, fd, where.name):
                os.unlink(name, dir_fd=dir_fd)
                return None
            free = files.saved_name(fd, where.name) if files.exists(fd, where.name) else where.name
            os.rename(name, free, src_dir_fd=dir_fd, dst_dir_fd=fd)
            return f"{os.path.dirname(target)}/{free}"


def _are_alike(one_fd: int, one: str, other_fd: int, other: str) -> bool:
    """Say whether two files have the same mode, owner, and content or target."""
    ours, theirs = (os.stat(name, dir_fd=fd, follow_symlinks=False) for fd, name in ((one_fd, one), (other_fd, other)))
    if (ours.st_mode, ours.st_uid, ours.st_gid) != (theirs.st_mode, theirs.st_uid, theirs.st_gid):
        return False
    if stat.S_ISLNK(ours.st_mode):
        return os.readlink(one, dir_fd=one_fd) == os.readlink(other, dir_fd=other_fd)
    digest = compare.digest(one_fd, one, "sha256") if stat.S_ISREG(ours.st_mode) else ""
    return bool(digest) and digest == compare.digest(other_fd, other, "sha256")
