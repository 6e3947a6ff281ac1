# SPDX-License-Identifier: GPL-2.0-or-later
"""Looks at the files of an upper that is not mounted, for the planner: at each place once."""

import contextlib
import glob
import os
import stat
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path, PurePath

from ..filesystem import attributes, compare, files, whiteout
from ..filesystem.walk import walk
from ..headers.package import PackageFile
from ..host.mounted import is_in
from .upper_files import Trees, UpperFiles, has_content

_DIGITS = 10
"""Most digits of a user's or group's number: somebody in the overlay may write millions, for which int() fails."""


class UpperView(UpperFiles):
    """The files of an upper that does not change meanwhile: each place in it is looked at once."""

    def __init__(self, trees: Trees) -> None:
        super().__init__(trees)
        self._statuses: dict[str, os.stat_result | None] = {}
        self._present: dict[str, bool] = {"/": True}
        """By directory, whether the overlay itself has it: it lacks most of those in which packages have files."""
        self._touched: dict[str, bool] = {}
        self._numbers: dict[str, dict[str, int]] = {}
        self._opaque: dict[str, bool] = {}
        self._hiding: dict[str, str | None] = {"/": None}
        self._shadowing: dict[str, str | None] = {"/": None}

    def _status(self, path: str) -> os.stat_result | None:
        """Return the status of what the upper has at a path, or None if it has nothing."""
        if path not in self._statuses:
            found = None
            if self._has_folder_of(path):
                with contextlib.suppress(FileNotFoundError), self.entry(path) as (_, _, found):
                    pass
            self._statuses[path] = found
        return self._statuses[path]

    def _has_folder_of(self, path: str) -> bool:
        folder = os.path.dirname(path)
        if folder not in self._present:
            self._present[folder] = any(self._is_directory(tree, where.parent) for tree, where in self.places(path))
        return self._present[folder]

    def has_folder(self, folder: str) -> bool:
        """Say whether the overlay itself has a directory."""
        return self._has_folder_of(f"{folder.rstrip('/')}/name")

    def touches(self, path: str) -> bool:
        """Say whether the upper may hide, shadow or replace the lower's file at a path.

        It does not for most of a package's files, in directories that it lacks: each directory is looked at once.
        """
        folder = path[: path.rfind("/")]
        if folder not in self._touched:
            above = folder or "/"
            hides = self._hidden_in(above) is not None or self._shadowed_in(above) is not None
            self._touched[folder] = hides or self._has_folder_of(path)
        return self._touched[folder]

    @staticmethod
    def _is_directory(tree: Path, where: PurePath) -> bool:
        try:
            with files.directory(tree, where):
                return True
        except (FileNotFoundError, files.NotADirectory):
            return False

    def is_opaque(self, path: str) -> bool:
        """Say whether the upper has a directory at a path that hides all of the lower's."""
        if path not in self._opaque:
            self._opaque[path] = self._status(path) is not None and super().is_opaque(path)
        return self._opaque[path]

    def has(self, path: str) -> bool:
        """Say whether the upper has a file, no directory and no whiteout, at a path."""
        status = self._status(path)
        return status is not None and not stat.S_ISDIR(status.st_mode) and not whiteout.is_whiteout(status)

    def shows(self, path: str) -> bool:
        """Say whether the overlay shows anything at a path."""
        if self._status(path) is not None:
            return not self.is_whiteout(path)
        return self.is_in_lower(path) and self.hidden_by(path) is None

    def is_whiteout(self, path: str) -> bool:
        """Say whether the upper has a whiteout at a path."""
        status = self._status(path)
        return status is not None and whiteout.is_whiteout(status)

    def hidden_by(self, path: str) -> str | None:
        """Return the path of the whiteout or opaque directory that hides the lower's file at a path, or None."""
        if self._status(path) is not None:
            return path if self.is_whiteout(path) else None
        return self._hidden_in(os.path.dirname(path))

    def _hidden_in(self, folder: str) -> str | None:
        if folder not in self._hiding:
            status = self._status(folder)
            if status is not None and (whiteout.is_whiteout(status) or self.is_opaque(folder)):
                self._hiding[folder] = folder
            elif status is not None and not stat.S_ISDIR(status.st_mode):
                self._hiding[folder] = None
            else:
                self._hiding[folder] = self._hidden_in(os.path.dirname(folder))
        return self._hiding[folder]

    def shadowed_by(self, path: str) -> str | None:
        """Return the path, this or one above, at which the upper has another file in front of the lower's, or None."""
        if path.startswith("/var/"):
            return None  # it has no lower
        status = self._status(path)
        if status is None:
            return self._shadowed_in(os.path.dirname(path))
        if whiteout.is_whiteout(status):
            return None
        if self.is_other_kind(path):
            return path
        if stat.S_ISDIR(status.st_mode):
            return None
        with self.entry(path) as (fd, name, _):
            return None if compare.same(fd, name, self._lower(path)) else path

    def _shadowed_in(self, folder: str) -> str | None:
        if folder not in self._shadowing:
            if self._status(folder) is None:
                self._shadowing[folder] = self._shadowed_in(os.path.dirname(folder))
            else:
                is_shadow = not self.is_whiteout(folder) and self.is_other_kind(folder)
                self._shadowing[folder] = folder if is_shadow else None
        return self._shadowing[folder]

    def is_other_kind(self, path: str) -> bool:
        """Say whether one of upper and lower has a directory at a path, and the other one something else."""
        status = self._status(path)
        with contextlib.suppress(OSError):
            if status is not None:
                return stat.S_ISDIR(status.st_mode) != stat.S_ISDIR(os.lstat(self._lower(path)).st_mode)
        return False

    def lead(self, folder: str) -> str:
        """Return where a directory's path leads in the overlay: by the lower's links, unless the upper hides them."""
        target = folder if is_in(folder, ["/var"]) else self._lead(folder)
        return folder if target != folder and self._is_directory(self.upper, PurePath(folder[1:])) else target

    def turned_into_links(self, new: AbstractSet[str]) -> dict[str, str]:
        """Return where the lower's links lead, by path, where the upper has directories that were there first.

        Left out are links to files, and those that lead to no place in the overlay; and opaque directories, which
        somebody in the overlay may have made in the place of a link, except in that of the `new` ones.
        """
        found = {}
        merged = {os.path.join(folder, name) for folder, names in self._merged_directories() for name in names}
        for path in sorted(merged | new):
            if self.is_link(path) and self._is_directory(self.upper, PurePath(path[1:])):
                target = self._lead(path)
                is_to_file = self.is_in_lower(target) and not files.is_directory(self._lower(target))
                is_place = target != path and self._place(target) is not None and not is_to_file
                if is_place and (path in new or not self.is_opaque(path)):
                    found[path] = target
        return found

    def _merged_directories(self) -> Iterator[tuple[str, list[str]]]:
        """Yield the directories that both have, and show both of, and the names of the upper's directories in each."""
        todo = ["/"]
        while todo:
            folder = todo.pop()
            if is_in(folder, ["/var"]):
                continue  # it is the machine's own
            with contextlib.suppress(FileNotFoundError, files.NotADirectory):
                with files.directory(self.upper, PurePath(folder[1:])) as fd:
                    if folder != "/" and whiteout.is_opaque(fd):
                        continue
                    with files.scan(fd) as entries:
                        names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
                yield folder, names
                paths = (os.path.join(folder, name) for name in names)
                todo += [path for path in paths if files.is_directory(self._lower(path))]

    def other_mode(self, path: str) -> int | None:
        """Return the upper's st_mode at a path where the lower has a directory, if mode or owner differ, or None."""
        status = self._status(path)
        with contextlib.suppress(OSError):
            if status is not None:
                lower = os.lstat(self._lower(path))
                if (status.st_mode, status.st_uid, status.st_gid) != (lower.st_mode, lower.st_uid, lower.st_gid):
                    return status.st_mode if stat.S_ISDIR(lower.st_mode) else None
        return None

    def is_as_installed(self, file: PackageFile) -> bool:
        """Say whether the upper has a file, no directory, that is just as its package installed it in the lower.

        Of capabilities and ACLs, of which `file` knows nothing, it has those that the lower's has now, or none.
        """
        if any(tree != self.upper for tree, _ in self.places(file.path)):
            return False
        with contextlib.suppress(FileNotFoundError), self.entry(file.path) as (fd, name, status):
            return (
                not file.is_directory
                and status.st_mode == file.mode
                and (status.st_uid, status.st_gid) == self.owner(file)
                and has_content(fd, name, file)
                and (stat.S_ISLNK(status.st_mode) or self._has_attributes_of_lower(fd, name, file.path))
            )
        return False

    def owner(self, file: PackageFile) -> tuple[int | None, int | None]:
        """Return the numbers that a file's owner and group have in the overlay, None for a name that it lacks."""
        user, _, group = file.owner.partition(":")
        return self._number("passwd", user), self._number("group", group)

    def _number(self, table: str, name: str) -> int | None:
        """Return the number of a name in /etc/passwd or /etc/group: passwd(5), group(5)."""
        if table not in self._numbers:
            found: dict[str, int] = {}
            where = PurePath("etc", table)
            content = files.content(self.upper, where) or files.content(self.lower, where) or b""
            for line in content.decode(errors="surrogateescape").splitlines():
                known, _, number, *_ = [*line.split(":"), "", "", ""]
                if number.isdecimal() and len(number) <= _DIGITS:
                    found.setdefault(known, int(number))
            self._numbers[table] = {"root": 0, **found}
        return self._numbers[table].get(name)

    def _has_attributes_of_lower(self, dir_fd: int, name: str, path: str) -> bool:
        lower = self._lower(path)
        with files.opened(dir_fd, name) as ours:
            try:
                with files.directory(lower.parent) as folder, files.opened(folder, lower.name) as theirs:
                    return attributes.same_rights(ours, theirs)
            except OSError:  # the lower has none there
                return attributes.same_rights(ours, None)

    def missing(self, files_of_package: Iterable[PackageFile]) -> list[str]:
        """Return the paths of a package's files that the lower lacks.

        Files that a user may remove (%config, %ghost), and files outside of the upper, as in /var, do not count.
        """
        return [
            file.path
            for file in files_of_package
            if not (file.kept or file.is_ghost or self.is_elsewhere(file.path))
            and any(tree == self.upper for tree, _ in self.places(file.path))
            and not os.path.lexists(f"{self.lower}/{file.path}")
        ]

    def is_in_lower(self, path: str) -> bool:
        """Say whether the lower has a file at a path."""
        return os.path.lexists(self._lower(path))

    def is_link(self, path: str) -> bool:
        """Say whether the lower has a symbolic link at a path."""
        return os.path.islink(self._lower(path))

    def files_below(self, folder: str) -> list[str]:
        """Return the paths of the upper's files in a directory, and below it."""
        found = []
        for here, fd in walk(self.upper, PurePath(folder[1:])):
            found += [path for name in os.listdir(fd) if self.has(path := f"/{here / name}")]
        return sorted(found)

    def find(self, pattern: str) -> list[str]:
        """Return the paths, sorted, of the upper's files that match a pattern, see glob(7)."""
        found = glob.glob(pattern.lstrip("/"), root_dir=self.upper)  # may follow a link out of it: `has` does not
        return [f"/{path}" for path in sorted(found) if self.has(f"/{path}")]
