# SPDX-License-Identifier: GPL-2.0-or-later
"""Tells from a machine's old database which files in its own /var came from the host, where no record says so."""

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import PurePath

from ..errors import ToyError
from ..filesystem import files
from ..headers import contents
from ..headers.changes import UpperSet
from ..headers.contents import Content
from ..headers.header import HeaderFile
from ..headers.package import PackageFile, is_plain
from ..host.mounted import is_in
from ..overlay.upper_files import has_content
from ..overlay.view import UpperView
from .merged_database import open_database
from .parts import Parts


def as_installed(
    parts: Parts,
    before: Content | None,
    *,
    base: AbstractSet[HeaderFile] | None,
    upper: UpperSet,
    aliases: Mapping[str, str],
) -> AbstractSet[str]:
    """Return the paths in /var at which the machine has just what a package of the host's brought: all but the time.

    `before` is the content of the machine's database, `base` the host's packages in it, or None if only the overlay's
    own in `upper` are known. It is what root in the overlay left of that database: so it says what may follow the
    host's, and never what the host's is. Without a database that can be read, nothing is known.
    """
    if before is None:
        return frozenset()
    view, wanted = UpperView(parts.trees), before.files - upper.files if base is None else before.files & base
    found = set()
    with contextlib.suppress(ToyError), open_database(parts.machine, parts.reader) as database:
        numbers = contents.numbers_of(database, wanted, among=before.files)
        folders = {folder for folder in database.outline(numbers).folders if is_in(folder, aliases)}
        for file in database.files_in(numbers, folders):
            for path in _in_var(file.path, aliases):
                if _is_as_installed(parts, view, PurePath(path).relative_to("/var"), file):
                    found.add(path)
    return found


def _in_var(path: str, aliases: Mapping[str, str]) -> Iterator[str]:
    if is_plain(path):
        yield from (f"{lead}{path.removeprefix(alias)}" for alias, lead in aliases.items() if is_in(path, (alias,)))


def _is_as_installed(parts: Parts, view: UpperView, path: PurePath, file: PackageFile) -> bool:
    with (
        contextlib.suppress(FileNotFoundError, files.NotADirectory),
        files.directory(parts.trees.var, path.parent) as fd,
    ):
        status = os.stat(path.name, dir_fd=fd, follow_symlinks=False)
        if file.is_ghost or stat.S_IFMT(status.st_mode) != stat.S_IFMT(file.mode):
            return False
        is_same = (status.st_mode, status.st_uid, status.st_gid) == (file.mode, *view.owner(file))
        return file.is_directory or (is_same and has_content(fd, path.name, file))
    return False
