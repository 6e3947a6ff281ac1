# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of an overlay, found in an upper that is not mounted.

Root in the overlay arranges that tree: no symbolic link in it is followed.
"""

import contextlib
import errno
import glob
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath

from . import files
from .package import PackageFile, folders, is_plain

_VAR = PurePath("var")
_ELSEWHERE = (PurePath("dev"), PurePath("proc"), PurePath("root"), PurePath("run"), PurePath("sys"), PurePath("tmp"))
"""Not in the overlay, whatever a package may own there."""


class UpperTree:
    """An upper with its /var apart from it, over a lower tree."""

    def __init__(self, upper: Path, var: Path, lower: Path) -> None:
        self.upper = upper
        self.var = var
        self.lower = lower

    def has(self, path: str) -> bool:
        """Say whether the upper has a file, no directory and no whiteout, at a path."""
        with contextlib.suppress(FileNotFoundError), self.entry(path) as (_, _, status):
            return not stat.S_ISDIR(status.st_mode) and not files.is_whiteout(status)
        return False

    def hidden_by(self, path: str) -> str | None:
        """Return where the whiteout or the opaque directory is that hides the lower's file at a path, if one does."""
        for part in (path, *folders(path)):
            with contextlib.suppress(FileNotFoundError), self.entry(part) as (_, _, status):
                if files.is_whiteout(status) or (part != path and self.is_opaque(part)):
                    return part
                if part == path or not stat.S_ISDIR(status.st_mode):
                    return None
        return None

    def is_whiteout(self, path: str) -> bool:
        """Say whether the upper has a whiteout at a path."""
        with contextlib.suppress(FileNotFoundError), self.entry(path) as (_, _, status):
            return files.is_whiteout(status)
        return False

    def is_opaque(self, path: str) -> bool:
        """Say whether the upper has a directory at a path that hides all of the lower's."""
        with contextlib.suppress(FileNotFoundError), self.entry(path) as (fd, name, status):
            if stat.S_ISDIR(status.st_mode):
                with files.opened(fd, name) as directory:
                    return files.is_opaque(directory)
        return False

    def is_other_kind(self, path: str) -> bool:
        """Say whether one of upper and lower has a directory at a path, and the other one something else."""
        with contextlib.suppress(OSError), self.entry(path) as (_, _, status):
            return stat.S_ISDIR(status.st_mode) != stat.S_ISDIR(os.lstat(self.lower / path.lstrip("/")).st_mode)
        return False

    def missing(self, files_of_package: Iterable[PackageFile]) -> list[str]:
        """Return the paths of those files that the lower does not have, but for what is the user's to remove."""
        return [
            file.path
            for file in files_of_package
            if not file.kept
            and any(tree == self.upper for tree, _ in self.places(file.path))
            and not os.path.lexists(f"{self.lower}/{file.path}")
        ]

    def shadowed_by(self, path: str) -> str | None:
        """Return where the upper has something else in front of the lower's file at a path, if it does."""
        if path.startswith(f"/{_VAR}/"):
            return None  # it has no lower
        for part in (path, *folders(path)):
            with contextlib.suppress(FileNotFoundError), self.entry(part) as (fd, name, status):
                if files.is_whiteout(status):
                    return None
                if self.is_other_kind(part):
                    return part
                if part == path and not stat.S_ISDIR(status.st_mode):
                    return None if files.same(fd, name, self.lower / path.lstrip("/")) else part
                return None
        return None

    def other_mode(self, path: str) -> int | None:
        """Return the mode (st_mode) of the upper's directory at a path, if the lower's has another mode or owner."""
        with contextlib.suppress(OSError), self.entry(path) as (_, _, status):
            lower = os.lstat(self.lower / path.lstrip("/"))
            if (status.st_mode, status.st_uid, status.st_gid) != (lower.st_mode, lower.st_uid, lower.st_gid):
                return status.st_mode if stat.S_ISDIR(lower.st_mode) else None
        return None

    def is_in_lower(self, path: str) -> bool:
        """Say whether the lower has a file at a path."""
        return os.path.lexists(self.lower / path.lstrip("/"))

    def find(self, pattern: str) -> list[str]:
        """Return the paths of files that match a pattern, see glob(7)."""
        found = glob.glob(pattern.lstrip("/"), root_dir=self.upper)  # may leave the upper: `_entry` does not
        return [f"/{path}" for path in sorted(found) if self.has(f"/{path}")]

    def places(self, path: str) -> list[tuple[Path, PurePath]]:
        """Return where a path of a package may lie: a tree, and the place in it.

        That is the path itself; or, if the lower has a symbolic link on the way, where that leads. None is
        anywhere else than in the overlay.
        """
        if not is_plain(path):
            return []
        literal = PurePath(path).relative_to("/")
        folder = os.path.realpath(self.lower / literal.parent)
        resolved = PurePath(folder).relative_to(self.lower) / literal.name
        places = []
        for place in dict.fromkeys((literal, resolved)):
            if place.is_relative_to(_VAR):
                places.append((self.var, place.relative_to(_VAR)))
            elif not any(place.is_relative_to(other) for other in _ELSEWHERE):
                places.append((self.upper, place))
        return [place for place in places if place[1].name]

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
