# SPDX-License-Identifier: GPL-2.0-or-later
"""The verb `toy dump`, which rpm's triggers and zypper's plugin call: brings a root's header set up to date.

`headers.dump` does the work; here is in which root, and what an error means to whoever called.
"""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from .database import rpmdb
from .database.rpmdb import Database
from .errors import Attempt, ToyError, quoted
from .headers.dump import add, dump
from .headers.headerset import HeaderSet
from .machine import HEADERS


def dump_root(root: str | None, *, everything: bool, say: Callable[[str], None]) -> None:
    """Make the header set of a root, by default the one we run in, match its rpm database.

    Unless `everything` is to be looked at, only what changed since the last dump is; and in another root, then, no set
    is begun that nobody would keep up: the plugin of a running host calls this for a new snapshot that is without toy.
    """
    if root is not None:
        from . import failure  # there may be no toy in that root, or another one

        _change_root(root)
    try:
        if root is not None and not everything and not _is_kept():
            return
        with _open() as (database, headers):
            for file in dump(database, headers, everything=everything).mended:
                say(f"header file {file} was not what the rpm database has; mended")
            headers.check()
    except (ToyError, OSError) as error:
        if root is not None:
            raise _within(root, failure.explained(error)) from error
        if isinstance(error, OSError) and error.errno == errno.EROFS:
            raise _read_only() from error
        raise


def add_packages_of(path: str) -> None:
    """Add the package that a file is of to the set of the root we run in, while rpm is at work."""
    with _open() as (database, headers):
        add(database, headers, path)


def _is_kept() -> bool:
    """Say whether the root we run in has a header set, or a package that should have brought one."""
    path = f"/{HEADERS}"
    if os.path.lexists(path):
        return True
    with Database.open(rpmdb.dbpath()) as database:
        return database.is_owned(path)


def _change_root(root: str) -> None:
    """Have every path be that root's. rpm's configuration was read when rpm was imported, and is the host's."""
    try:
        os.chroot(root)
    except OSError as error:
        raise ToyError(f"{root}: {error.strerror}", "give the directory of a root: toy dump --root DIR") from None
    os.chdir("/")


@contextlib.contextmanager
def _open() -> Iterator[tuple[Database, HeaderSet]]:
    with (
        Attempt("bring the header set in line with the rpm database"),
        Database.open(rpmdb.dbpath()) as database,
        HeaderSet.open_of_root(Path("/"), create=True) as headers,
    ):
        yield database, headers


def _within(root: str, error: ToyError) -> ToyError:
    """Return an error whose paths are another root's, for one who is not in there."""
    return ToyError(f"in {root}: {error.what}", f"in there, by chroot {quoted(root)}: {error.next_step}")


def _read_only() -> ToyError:
    """Return the error for a set that is not what its database is, and cannot be written."""
    is_snapshot = os.path.isdir("/.snapshots")
    command = "transactional-update run toy dump" if is_snapshot else "mount -o remount,rw /"
    return ToyError(
        "the root cannot be written, so its header set stays as it is; a launch does without", f"to write it: {command}"
    )
