# SPDX-License-Identifier: GPL-2.0-or-later
"""The verb that rpm and zypper call: bring a root's header set in line with its rpm database."""

import os
from collections.abc import Callable
from pathlib import Path

from . import rpmdb, sync
from .errors import ToyError
from .headerset import HeaderSet
from .machine import HEADERS
from .rpmdb import Database


def dump(root: str | None, *, everything: bool, say: Callable[[str], None]) -> None:
    """Make the header set of a root, by default the one we run in, match its rpm database.

    Unless `everything` is to be looked at, only what changed since the last dump is; and in another root, then, no set
    is begun that nobody would keep up: the plugin of a running host calls this for a new snapshot that is without toy.
    """
    if root is not None:
        # rpm's configuration was read when rpm was imported, and is the host's; from here on every path is the root's.
        try:
            os.chroot(root)
        except OSError as error:
            raise ToyError(f"{root}: {error.strerror}", "give the directory of a root: toy dump --root DIR") from None
        os.chdir("/")
    with Database.open(rpmdb.dbpath()) as database:
        if root is not None and not everything and not _is_kept(database):
            return
        with HeaderSet.open_of_root(Path("/"), create=True) as headers:
            for file in sync.dump(database, headers, everything=everything).mended:
                say(f"header file {file} was not what the rpm database has; mended")
            headers.check()


def _is_kept(database: Database) -> bool:
    """Say whether the root we run in has a header set, or a package that should have brought one."""
    path = f"/{HEADERS}"
    return os.path.lexists(path) or database.is_owned(path)


def add(path: str) -> None:
    """Add the package that a file is of to the set of the root we run in, while rpm is at work."""
    with Database.open(rpmdb.dbpath()) as database, HeaderSet.open_of_root(Path("/"), create=True) as headers:
        sync.add(database, headers, path)
