# SPDX-License-Identifier: GPL-2.0-or-later
"""Keeps the host's header set current, and answers what else a reconciliation asks of the host."""

import contextlib
import errno
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from ..database import rpmdb
from ..database.rpmdb import Database
from ..headers import dump
from ..headers.dump import Dumped
from ..headers.headerset import HeaderSet
from ..headers.stamp import Stamp
from ..machine import Machine


def open_database(machine: Machine) -> AbstractContextManager[Database]:
    """Open the host's rpm database. Raises ToyError as `Database.open` does."""
    return Database.open(rpmdb.dbpath(Path(machine.root)))


def current_set(machine: Machine, database: Database, *, everything: bool = False) -> tuple[list[Path], Dumped]:
    """Bring the host's header set up to date with the host's database.

    Returns the lower layers of an overlay, uppermost first, with the set in the first; and what was done.
    Where the root cannot be written and its set is not current, that is a layer whose set hides the root's. While that
    is current, it counts: the root's may have been found to be other than its stamp says.
    """
    root, layer = Path(machine.root), Path(machine.host_layer)
    in_layer = None if everything else _stamp(layer)
    if in_layer is not None and in_layer == database.stamp():
        return [layer, root], Dumped([], [], [])
    try:
        with HeaderSet.open_of_root(root, create=True) as headers:
            return [root], dump.dump(database, headers, everything=everything)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
    layer.mkdir(exist_ok=True)
    with HeaderSet.open(layer, create=True) as headers:
        headers.set_opaque(True)
        return [layer, root], dump.dump(database, headers, everything=everything)


def _stamp(root: Path) -> Stamp | None:
    with contextlib.suppress(FileNotFoundError), HeaderSet.open(root) as headers:
        return headers.read_stamp()
    return None


def peek(machine: Machine) -> frozenset[str] | None:
    """Return the files of the host's header set as `current_set` would, if it is current; nothing is written."""
    with open_database(machine) as database:
        stamp = database.stamp()
        for root in map(Path, (machine.host_layer, machine.root)):
            with contextlib.suppress(FileNotFoundError), HeaderSet.open_of_root(root) as headers:
                if headers.read_stamp() == stamp:
                    return headers.list().files
    return None


def unknown(problems: Sequence[str], root: Path) -> list[str]:
    """Return those problems with dependencies that a root does not have itself. Without any, it is not looked at."""
    if not problems:
        return []
    with Database.open(rpmdb.dbpath(root)) as database:
        known = set(rpmdb.broken(database))
    return [problem for problem in problems if problem not in known]


def multiversion(root: Path) -> frozenset[str]:
    """Return what libzypp's configuration in a root lists as `multiversion`: names, and "provides:" capabilities."""
    listed: list[str] = []
    with contextlib.suppress(OSError):
        for line in (root / "etc/zypp/zypp.conf").read_text().splitlines():
            name, _, value = line.partition("=")
            if name.strip() == "multiversion":
                listed += value.replace(",", " ").split()
    for path in sorted((root / "etc/zypp/multiversion.d").glob("*")):
        with contextlib.suppress(OSError):
            listed += path.read_text().split()
    return frozenset(listed)
