# SPDX-License-Identifier: GPL-2.0-or-later
"""The verb `toy dump`, which rpm's triggers and zypper's plugin call: brings a root's header set up to date.

`headers.dump` does the work; this module chooses the root, and words errors for the caller.
"""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from .database import connection
from .database.rpmdb import Database
from .errors import Attempt, ToyError, quoted
from .headers.dump import add, dump, mended
from .headers.headerset import HeaderSet
from .machine import HEADERS


def dump_root(root: str | None, *, everything: bool, say: Callable[[str], None]) -> None:
    """Make the header set of a root, by default the one we run in, match its rpm database.

    Without `everything`, only what changed since the last dump is looked at, and another root in which no package
    brings a header set is left without one: the plugin of a running host calls this for each new snapshot, and in one
    without toy, nobody would keep the set current.
    """
    if root is not None:
        from . import debug, failure  # now, since that root may have no toy, or another version

        debug.load()
        _change_root(root)
    try:
        if root is not None and not everything and not _is_kept():
            return
        with _open() as (database, headers):
            for file in dump(database, headers, everything=everything).mended:
                say(mended(file))
            for line in headers.foreign() if everything else ():
                say(line if root is None else f"in {root}: {line}")
    except (ToyError, OSError) as error:
        if root is not None:
            raise _within(root, failure.explained(error)) from error
        if isinstance(error, OSError) and error.errno == errno.EROFS:
            raise _read_only() from error
        raise


def add_packages_of(path: str) -> None:
    """Add the headers of the packages that own a file to the set of the root we run in, while rpm is at work."""
    with _open() as (database, headers):
        add(database, headers, path)


def _is_kept() -> bool:
    """Say whether the root we run in has a header set, or a package that owns its directory."""
    path = f"/{HEADERS}"
    if os.path.lexists(path):
        return True
    with Database.open(connection.dbpath()) as database:
        return database.is_owned(path)


def _change_root(root: str) -> None:
    """Change into a root for good. rpm's configuration stays the host's: it was read when rpm was imported."""
    try:
        os.chroot(root)
    except OSError as error:
        raise ToyError(
            f"cannot enter the root {root}: {error.strerror}", "give the directory of a root: toy dump --root DIR"
        ) from None
    os.chdir("/")


@contextlib.contextmanager
def _open() -> Iterator[tuple[Database, HeaderSet]]:
    with (
        Attempt("bring the header set in line with the rpm database"),
        Database.open(connection.dbpath()) as database,
        HeaderSet.open_of_root(Path("/"), create=True) as headers,
    ):
        yield database, headers


def _within(root: str, error: ToyError) -> ToyError:
    """Return an error about paths in another root, worded for a user who is outside of it."""
    return ToyError(f"in {root}: {error.what}", f"in there, by chroot {quoted(root)}: {error.next_step}")


def _read_only() -> ToyError:
    """Return the error for a header set that does not match its database and cannot be written."""
    is_snapshot = os.path.isdir("/.snapshots")
    command = "transactional-update run toy dump" if is_snapshot else "mount -o remount,rw / && toy dump"
    return ToyError("the root is read-only, so its header set was not updated", f"to update it: {command}")
