# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds the files of an overlay in an upper that is not mounted.

Root in the overlay arranges that tree: no symbolic link in it is followed.
"""

import contextlib
import errno
import glob
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

from ..filesystem import files, whiteout
from ..headers.package import PackageFile, is_plain
from ..host import homes
from ..host.mounted import ELSEWHERE
from ..machine import Machine

_VAR = "var"

_Place = tuple[Path, PurePath]
"""A tree, and a place in it."""


class Trees(NamedTuple):
    """Where the files of a machine lie."""

    upper: Path
    var: Path
    """Its /var, apart from the upper."""
    lower: Path
    homes: Sequence[str]
    """The paths of the homes that are the host's own."""

    @classmethod
    def of(cls, machine: Machine) -> "Trees":
        """Return those of a machine, with the homes that are there now."""
        return cls(Path(machine.overlay), Path(machine.var), Path(machine.root), homes.names())


class UpperFiles:
    """An upper over a lower tree that does not change."""

    def __init__(self, trees: Trees) -> None:
        self.upper = trees.upper
        self.var = trees.var
        self.lower = trees.lower
        self._elsewhere = tuple(f"{path}/" for path in (*(f"/{name}" for name in ELSEWHERE), *trees.homes))
        self._folders: dict[str, list[str]] = {}
        """Directories, and where they lead: a package has many files in one."""

    def places(self, path: str) -> list[_Place]:
        """Return where a path of a package may lie: a tree, and the place in it.

        That is the path itself; or, if the lower has a symbolic link on the way, where that leads. None is
        anywhere else than in the overlay.
        """
        return [place for where in self._paths(path) if (place := self._place(where)) is not None]

    def is_elsewhere(self, path: str) -> bool:
        """Say whether a path of a package is not in the overlay, or leads out of it: its file is the host's own."""
        paths = self._paths(path)
        return not paths or any(map(self._leads_out, paths))

    def _lower(self, path: str) -> Path:
        return self.lower / path.lstrip("/")

    def _paths(self, path: str) -> list[str]:
        """Return a path, and where it leads; none of a path that makes no sense."""
        folder, _, name = path.rstrip("/").rpartition("/")
        if folder not in self._folders:
            self._folders[folder] = self._lead(f"{folder}/")
        if name in ("", ".", "..") or "\0" in name or not path.startswith("/"):
            return []
        return [where + name for where in self._folders[folder]]

    def _lead(self, folder: str) -> list[str]:
        """Return what `_paths` does of a directory, with a slash at the end."""
        if not is_plain(folder):
            return []
        resolved = os.path.relpath(os.path.realpath(f"{self.lower}{folder}"), self.lower)
        both = (folder, os.path.normpath(f"/{resolved}"))
        return list(dict.fromkeys(f"{where.rstrip('/')}/" for where in both))

    def _place(self, path: str) -> _Place | None:
        """Return the place of a path without symbolic links, or None if it is in neither tree."""
        if self._leads_out(path):
            return None
        top, _, below = path[1:].partition("/")
        return (self.var, PurePath(below)) if top == _VAR else (self.upper, PurePath(path[1:]))

    def _leads_out(self, path: str) -> bool:
        """Say whether a path without symbolic links is in neither tree. Each file of a package is asked about."""
        return path == f"/{_VAR}" or f"{path}/".startswith(self._elsewhere)

    @contextlib.contextmanager
    def entry(self, path: str) -> Iterator[tuple[int, str, os.stat_result]]:
        """Yield directory, name and status of what the upper has at a path. Raises FileNotFoundError if nothing."""
        for tree, where in self.places(path):
            try:
                with contextlib.ExitStack() as stack:
                    fd = stack.enter_context(files.directory(tree, where.parent))
                    status = os.stat(where.name, dir_fd=fd, follow_symlinks=False)
                    keep = stack.pop_all()
            except (FileNotFoundError, files.NotADirectory):
                continue
            with keep, files.naming(tree / where):
                yield fd, where.name, status
                return
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)

    def is_opaque(self, path: str) -> bool:
        """Say whether the upper has a directory at a path that hides all of the lower's."""
        with contextlib.suppress(FileNotFoundError), self.entry(path) as (fd, name, status):
            if stat.S_ISDIR(status.st_mode):
                with files.opened(fd, name) as directory:
                    return whiteout.is_opaque(directory)
        return False


class UpperView(UpperFiles):
    """Answers about an upper that does not change meanwhile: each place in it is looked at once."""

    def __init__(self, trees: Trees) -> None:
        super().__init__(trees)
        self._statuses: dict[str, os.stat_result | None] = {}
        self._present: dict[str, bool] = {"/": True}
        """Which directories there may be something in: in most of them, there is not."""
        self._touched: dict[str, bool] = {}
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

    def touches(self, path: str) -> bool:
        """Say whether the upper may have anything to do with the lower's file at a path.

        It does not with most of a package's files, in directories that it has not: each is looked at once.
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

    def is_whiteout(self, path: str) -> bool:
        """Say whether the upper has a whiteout at a path."""
        status = self._status(path)
        return status is not None and whiteout.is_whiteout(status)

    def hidden_by(self, path: str) -> str | None:
        """Return where the whiteout or the opaque directory is that hides the lower's file at a path, if one does."""
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
        """Return where the upper has something else in front of the lower's file at a path, if it does."""
        if path.startswith(f"/{_VAR}/"):
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
            return None if files.same(fd, name, self._lower(path)) else path

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

    def other_mode(self, path: str) -> int | None:
        """Return the mode (st_mode) of the upper's directory at a path, if the lower's has another mode or owner."""
        status = self._status(path)
        with contextlib.suppress(OSError):
            if status is not None:
                lower = os.lstat(self._lower(path))
                if (status.st_mode, status.st_uid, status.st_gid) != (lower.st_mode, lower.st_uid, lower.st_gid):
                    return status.st_mode if stat.S_ISDIR(lower.st_mode) else None
        return None

    def missing(self, files_of_package: Iterable[PackageFile]) -> list[str]:
        """Return the paths of those files that the lower does not have, but for what is the user's to remove."""
        return [
            file.path
            for file in files_of_package
            if not (file.kept or self.is_elsewhere(file.path))
            and any(tree == self.upper for tree, _ in self.places(file.path))
            and not os.path.lexists(f"{self.lower}/{file.path}")
        ]

    def is_in_lower(self, path: str) -> bool:
        """Say whether the lower has a file at a path."""
        return os.path.lexists(self._lower(path))

    def find(self, pattern: str) -> list[str]:
        """Return the paths of files that match a pattern, see glob(7)."""
        found = glob.glob(pattern.lstrip("/"), root_dir=self.upper)  # may leave the upper: `entry` does not
        return [f"/{path}" for path in sorted(found) if self.has(f"/{path}")]
