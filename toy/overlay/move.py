# SPDX-License-Identifier: GPL-2.0-or-later
"""Moves files of an upper to where the lower's directories lead by now. `reconcile.relocate` says which."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple, Protocol

from ..filesystem import compare, files, whiteout
from ..headers.package import PackageFile
from .apply import WritableUpper


class Moved(NamedTuple):
    """What became of files that moved. Directories that moved with all that is in them count as one."""

    paths: dict[str, str]
    """The paths that they have now, by those that they had."""
    renamed: list[tuple[str, str]]
    """Those that have another name than they should have: both paths."""
    covering: list[tuple[str, str]]
    """Those in whose place the lower has another file: both paths."""
    links: dict[str, str]
    """The targets of links that went, since each led to the other path of what moved, by their paths."""
    copies: dict[str, str]
    """The paths of equal files that were in the place of those that went, by the paths of these."""


class Packages(Protocol):
    """The packages that own paths of the overlay's, as `reconcile.state.Facts` knows them."""

    def files_at(self, path: str) -> Sequence[PackageFile]: ...  # noqa: D102
    def has_below(self, directory: str) -> bool: ...  # noqa: D102


class MovableUpper(WritableUpper):
    """An upper in which files move."""

    def move(self, source: str, target: str, *, packages: Packages | None = None) -> Moved:
        """Move a file, or all that is in a directory, to another path; to repeat it changes nothing.

        Directories that are at both paths become one, with the attributes that the one at the target has. Where
        something else is at the target already, that stays, and what comes gets another name, NAME.rpmsave. If a
        directory was removed, and the lower has one at the target, what `packages` own there still shows.
        """
        moved = Moved({}, [], [], {}, {})
        emptied: list[str] = []
        todo = [(source, target)]
        while todo:
            old, new = todo.pop()
            with contextlib.suppress(FileNotFoundError, files.NotADirectory), self._literal(old) as (fd, name):
                status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                new = os.path.join(self._lead(os.path.dirname(new)), os.path.basename(new))
                if stat.S_ISDIR(status.st_mode):
                    new = self._lead(new)
                    with files.opened(fd, name) as directory:
                        made = self._make_directory(new, None if old == source else directory)
                        if made:
                            todo += [(f"{old}/{each}", f"{new}/{each}") for each in os.listdir(directory)]
                            emptied.append(old)
                    if made:
                        continue
                is_whiteout = whiteout.is_whiteout(status)
                if is_whiteout and packages is not None and self._has_below(new, packages):
                    hidden = self._hide_rest(new, packages)
                    moved.paths.update((f"{old}{path.removeprefix(new)}", path) for path in hidden)
                    os.unlink(name, dir_fd=fd)
                    continue
                if not is_whiteout:
                    self._make_folders_of(new, old)
                now = self._rename(fd, name, old, new, moved)
                if now is None:
                    continue
                moved.paths[old] = now
                if now != new:
                    moved.renamed.append((old, now))
                elif not is_whiteout and self._covers(now):
                    moved.covering.append((old, now))
        for path in reversed(emptied):
            with contextlib.suppress(FileNotFoundError), self._literal(path) as (fd, name):
                files.remove_if_empty(fd, name)
        self._tidy({source})
        return moved

    def _has_below(self, path: str, packages: Packages) -> bool:
        """Say whether the lower has a directory at a path, with something of these packages in it."""
        return files.is_directory(self._lower(path)) and packages.has_below(path)

    def _make_folders_of(self, path: str, old: str) -> None:
        """Make the directories on the way to a path that the lower lacks, like their namesakes on the way to `old`."""
        folder, model = os.path.dirname(path), os.path.dirname(old)
        place = self._place(folder)
        if place is None or place[1].name != os.path.basename(model) or files.is_directory(self._lower(folder)):
            return
        self._make_folders_of(folder, model)
        with self._literal(model) as (fd, name), self._parent(*place) as above:
            if not files.exists(above, name):
                with files.opened(fd, name) as like:
                    files.make_directory(above, name, like=like)

    def _hide_rest(self, folder: str, packages: Packages) -> Iterator[str]:
        """Put whiteouts over all in a directory of the lower's but what packages own. Yields their paths."""
        place = self._place(folder)
        todo = [folder] if place is not None and place[0] == self.upper else []
        while todo:
            here = todo.pop()
            if not self._make_directory(here, None):
                continue  # the overlay has something else there
            with self._literal(f"{here}/name") as (fd, _):
                for name in self._lower_names(here):
                    path = f"{here}/{name}"
                    if self._is_directory(fd, name) or self._has_below(path, packages):
                        todo.append(path)
                    elif not files.exists(fd, name) and not packages.files_at(path):
                        whiteout.make(fd, name)
                        yield path

    def link(self, path: str, text: str) -> None:
        """Make a symbolic link anew, if the overlay itself has what it leads to, and nothing at its path."""
        self.copy(os.path.normpath(os.path.join(os.path.dirname(path), text)), path, text=text)

    def copy(self, source: str, path: str, *, text: str | None = None) -> None:
        """Copy a file, or link to it by `text`, if the overlay itself has it, and nothing at the other path."""
        place = self._place(path)
        with contextlib.suppress(FileNotFoundError, files.NotADirectory), self._literal(source) as (fd, name):
            if place is None or _is_whiteout(fd, name):
                return
            with self._parent(*place) as folder:
                if files.exists(folder, place[1].name):
                    return
                if text is not None:
                    os.symlink(text, place[1].name, dir_fd=folder)
                else:
                    files.copy_tree(f"/proc/self/fd/{fd}/{name}", folder, place[1].name, pass_fds=[fd])

    def make_way(self, path: str, target: str) -> None:
        """Put a directory like the host's in the place of a link in the machine's /var, if it has this target."""
        place = self._place(path)
        is_in_var = place is not None and place[0] != self.upper and files.is_directory(self._lower(path))
        with contextlib.suppress(FileNotFoundError, files.NotADirectory), self._literal(path) as (fd, name):
            status = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if is_in_var and stat.S_ISLNK(status.st_mode) and os.readlink(name, dir_fd=fd) == target:
                os.unlink(name, dir_fd=fd)
                files.make_directory(fd, name, like=self._lower(path))

    @contextlib.contextmanager
    def _literal(self, path: str) -> Iterator[tuple[int, str]]:
        """Yield directory descriptor and name of a path of the overlay's, whatever the lower has on the way."""
        place = self._place(path)
        if place is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        tree, where = place
        with files.directory(tree, where.parent) as fd:
            yield fd, where.name

    def _covers(self, path: str) -> bool:
        """Say whether the lower has another file at a path than the upper."""
        if self._place(path) is None or not os.path.lexists(self._lower(path)):
            return False
        with self._literal(path) as (fd, name):
            return not compare.same(fd, name, self._lower(path))

    def _make_directory(self, path: str, private: int | None) -> bool:
        """Make a directory as the lower has it, and say whether the overlay itself has one there now.

        It has not if the lower has none, or if something else is there. `private` is an open directory, if what is in
        that is to move there: nobody may see it who could not before.
        """
        place = self._place(path)
        if place is None:
            return False
        tree, where = place
        model = self._model(tree)
        try:
            with self._parent(tree, where) as fd:
                if files.exists(fd, where.name) and _is_whiteout(fd, where.name):
                    self._uncover(path)  # what it hides stays hidden
                if not files.exists(fd, where.name):
                    if not files.is_directory(model / where):
                        return False
                    is_wider = (
                        private is not None and os.lstat(model / where).st_mode & ~os.fstat(private).st_mode & 0o077
                    )
                    files.make_directory(fd, where.name, like=private if is_wider else model / where)
                return stat.S_ISDIR(os.stat(where.name, dir_fd=fd, follow_symlinks=False).st_mode)
        except files.NotADirectory:
            return False

    def _model(self, tree: Path) -> Path:
        return self.lower if tree == self.upper else self.lower / "var"

    @contextlib.contextmanager
    def _parent(self, tree: Path, where: PurePath) -> Iterator[int]:
        with files.directory(tree, where.parent, create=True, like=self._model(tree)) as fd:
            yield fd

    def _rename(self, dir_fd: int, name: str, source: str, target: str, moved: Moved) -> str | None:
        """Rename what is at the path `source`, and return the path that it has then; None if nothing is left of it.

        What goes is put into `moved`.
        """
        place = self._place(target)
        if place is None:
            return None
        tree, where = place
        status = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
        with self._parent(tree, where) as fd:
            is_there = files.exists(fd, where.name)
            if whiteout.is_whiteout(status):
                if tree != self.upper or is_there or not os.path.lexists(self.lower / where):
                    os.unlink(name, dir_fd=dir_fd)
                    return None
            elif is_there and (_link(fd, where.name, target) == source or _is_whiteout(fd, where.name)):
                if not _is_whiteout(fd, where.name):
                    moved.links[target] = os.readlink(where.name, dir_fd=fd)
                os.unlink(where.name, dir_fd=fd)  # it led to what comes, or hides what that hides as well
                is_there = False
            elif is_there and _link(dir_fd, name, source) == target:
                moved.links[source] = os.readlink(name, dir_fd=dir_fd)
                os.unlink(name, dir_fd=dir_fd)
                return None
            elif is_there and _are_alike(dir_fd, name, fd, where.name):
                moved.copies[source] = target
                os.unlink(name, dir_fd=dir_fd)
                return None
            free = files.saved_name(fd, where.name) if is_there else where.name
            now = os.path.join(os.path.dirname(target), free)
            if is_there:
                self._will_rename(source, now)
            os.rename(name, free, src_dir_fd=dir_fd, dst_dir_fd=fd)
            return now


def _is_whiteout(dir_fd: int, name: str) -> bool:
    return whiteout.is_whiteout(os.stat(name, dir_fd=dir_fd, follow_symlinks=False))


def _link(dir_fd: int, name: str, path: str) -> str | None:
    """Return the path that a link leads to, by its text, or None if it is no link; `path` is its own."""
    try:
        return os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(name, dir_fd=dir_fd)))
    except OSError:
        return None


def _are_alike(one_fd: int, one: str, other_fd: int, other: str) -> bool:
    """Say whether two files have the same mode, owner, and content or target."""
    ours, theirs = (os.stat(name, dir_fd=fd, follow_symlinks=False) for fd, name in ((one_fd, one), (other_fd, other)))
    if (ours.st_mode, ours.st_uid, ours.st_gid) != (theirs.st_mode, theirs.st_uid, theirs.st_gid):
        return False
    if stat.S_ISLNK(ours.st_mode):
        return os.readlink(one, dir_fd=one_fd) == os.readlink(other, dir_fd=other_fd)
    digest = compare.digest(one_fd, one, "sha256") if stat.S_ISREG(ours.st_mode) else ""
    return bool(digest) and digest == compare.digest(other_fd, other, "sha256")
