# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds and opens rpm databases. rpm's macros say where one is; its backend may be another than theirs."""

import contextlib
import os
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path

from ..errors import UnusableDatabase
from ..filesystem import room
from ..machine import database_below
from .librpm import rpm

UNCHECKED = -1  # all of rpm's flags that leave out a verification: headers are taken as they are

_BACKENDS = {"sqlite": "rpmdb.sqlite", "ndb": "Packages.db", "bdb_ro": "Packages"}
"""rpm's backends, and the file by which each is known (rpm, lib/backend/*: .path)."""


def dbpath(root: Path | None = None) -> Path:
    """Return where rpm keeps the database of the running root, or where that of another root is."""
    path = rpm.expandMacro("%{_dbpath}")
    return Path(path if root is None else database_below(os.fspath(root), path))


def unreadable(path: Path) -> UnusableDatabase:
    """Return the error for a database that rpm cannot read, or not all of it."""
    # SQLite writes beside it even to read it.
    see = f"see: rpmdb --dbpath {path} --verifydb"
    return UnusableDatabase(f"cannot read the rpm database in {path}", f"{see}{room.short(os.fspath(path))}")


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Discard what is written to stderr: librpm's ndb says there what it cannot open, whatever the verbosity."""
    stderr, unread = os.dup(2), os.memfd_create("stderr")  # no /dev/null: a root that was entered may have no /dev
    try:
        os.dup2(unread, 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(unread)


@contextlib.contextmanager
def at(path: Path) -> Iterator[None]:
    """Set rpm's macros in the context so that it opens the database in a directory, with the backend that it has."""
    backend = _backend(path)
    if backend is not None:
        rpm.addMacro("_db_backend", backend)
    rpm.addMacro("_dbpath", os.fspath(path))
    try:
        yield
    finally:
        # A database that is open stays open; whoever calls `dbpath` next means the system's.
        rpm.delMacro("_dbpath")
        if backend is not None:
            rpm.delMacro("_db_backend")


def _backend(path: Path) -> str | None:
    """Return the backend of the database in a directory, or None if it is the configured one, or none that we know."""
    configured = rpm.expandMacro("%{_db_backend}")
    present = set(os.listdir(path))
    if _BACKENDS.get(configured) in present:
        return None
    return next((backend for backend, file in _BACKENDS.items() if file in present), None)


def is_database(names: AbstractSet[str]) -> bool:
    """Say whether a directory with these entries has a database in it."""
    if rpm.expandMacro("%{_db_backend}") in _BACKENDS:
        return bool(names & set(_BACKENDS.values()))
    return any(not name.startswith(".") for name in names)  # .rpm.lock stays behind


def connected(path: Path) -> "rpm.TransactionSet":
    """Return a transaction set with the database in a directory open. Raises UnusableDatabase if rpm cannot read it."""
    try:
        ts = rpm.TransactionSet()
        ts.setVSFlags(UNCHECKED)
        with at(path), silenced():
            failed = ts.openDB()
        if failed:
            raise unreadable(path)
    except rpm.error:
        raise unreadable(path) from None
    backend = _backend(path)
    if backend is not None and not any(True for _ in ts.dbIndex("name")):
        # An rpm without the backend takes the database for empty, or makes an empty one of its own beside it.
        ts.closeDB()
        raise UnusableDatabase(
            f"the rpm database in {path} is of the kind {backend}, which this rpm ({rpm.__version__}) cannot read",
            f"have an rpm that can read it convert it: rpmdb --dbpath {path} --rebuilddb",
        )
    return ts
