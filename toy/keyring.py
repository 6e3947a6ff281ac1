# SPDX-License-Identifier: GPL-2.0-or-later
"""Keys that rpm keeps in files: in a directory of the database's, with %_keyring fs or openpgp.

A key that either side has is trusted in the overlay, like one that is a package of either side's database.
"""

import contextlib
import os
from pathlib import Path, PurePath

from . import files


def follow(database: Path, *sources: Path) -> None:
    """Copy the key files of other databases' directories into that of a database that nobody uses now.

    What is there stays. Nothing is followed out of any of them.
    """
    for source in sources:
        for name in _directories(source):
            for here, fd in files.walk(source, PurePath(name)):
                _copy(fd, database, here)


def _directories(path: Path) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return []


def _copy(source: int, database: Path, here: PurePath) -> None:
    names = sorted(os.listdir(source))
    with contextlib.suppress(files.NotADirectory), files.directory(database, here, create=True) as target:
        present = set(os.listdir(target))
        for name in names:
            # Keys are small; what is no regular file is none.
            with contextlib.suppress(OSError):
                if name not in present and os.stat(name, dir_fd=source, follow_symlinks=False).st_size <= _LARGEST:
                    files.write(target, name, files.read(source, name))


_LARGEST = 1 << 20
"""Bytes of a key: an overlay may bring anything."""
