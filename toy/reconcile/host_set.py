# SPDX-License-Identifier: GPL-2.0-or-later
"""Keeps the host's header set current, and answers what else a reconciliation asks of the host."""

import contextlib
import errno
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from ..database import connection, rpmdb
from ..database.rpmdb import Database
from ..headers import dump
from ..headers.dump import Dumped
from ..headers.header import HeaderFile
from ..headers.headerset import HeaderSet
from ..headers.stamp import Stamp
from ..machine import Machine


def open_database(machine: Machine) -> AbstractContextManager[Database]:
    """Open the host's rpm database. Raises ToyError as `Database.open` does."""
    return Database.open(connection.dbpath(Path(machine.root)))


def current_set(machine: Machine, database: Database, *, everything: bool = False) -> tuple[list[Path], Dumped]:
    """Bring the host's header set up to date with the host's database.

    Returns the lower layers of an overlay, uppermost first, with the set in the first; and what was done to the set.
    If the root cannot be written, and its set is not current, the first is `Machine.host_layer`, with a set that hides
    the root's. As long as the layer's set is current, it is used even if the root's stamp is current too: the root's
    set may have been found not to match its stamp. With `everything`, the content of each header file is checked.
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


def peek(machine: Machine) -> frozenset[HeaderFile] | None:
    """Return the host's header files, from the layer or the root, if a set there is current, or None; write nothing."""
    with open_database(machine) as database:
        stamp = database.stamp()
        for root in map(Path, (machine.host_layer, machine.root)):
            with contextlib.suppress(FileNotFoundError), HeaderSet.open_of_root(root) as headers:
                if headers.read_stamp() == stamp:
                    return headers.list().files
    return None


def unknown(problems: Sequence[str], root: Path) -> list[str]:
    """Return those dependency problems that the database of `root` lacks; without any, that is not opened."""
    if not problems:
        return []
    with Database.open(connection.dbpath(root)) as database:
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
