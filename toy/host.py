# SPDX-License-Identifier: GPL-2.0-or-later
"""The host: the tree below the overlay, and its header set."""

import contextlib
import errno
from pathlib import Path

from . import rpmdb, sync
from .headerset import HeaderSet
from .rpmdb import Database
from .sync import Dumped

ROOT = Path("/")


def current_set(layer: Path, *, everything: bool = False) -> tuple[list[Path], Dumped]:
    """Bring the host's header set up to date.

    Returns the lower layers of an overlay, uppermost first, with the set in the first; and what was done.
    Where the root cannot be written and its set is not current, that is `layer`, whose set hides the root's.
    """
    with Database.open(rpmdb.dbpath()) as database:
        try:
            with HeaderSet.open(ROOT, create=True) as headers:
                return [ROOT], sync.dump(database, headers, everything=everything)
        except OSError as error:
            if error.errno != errno.EROFS:
                raise
        layer.mkdir(exist_ok=True)
        with HeaderSet.open(layer, create=True) as headers:
            headers.opaque = True
            return [layer, ROOT], sync.dump(database, headers, everything=everything)


def peek(layer: Path) -> frozenset[str] | None:
    """Return the files of the host's header set as `current_set` would, if it is current; nothing is written."""
    with Database.open(rpmdb.dbpath()) as database:
        stamp = database.stamp()
        for root in (layer, ROOT):
            with contextlib.suppress(FileNotFoundError), HeaderSet.open(root) as headers:
                if headers.stamp == stamp:
                    return headers.list().files
    return None


def multiversion() -> frozenset[str]:
    """Return what libzypp's configuration lists as `multiversion`: package names, and "provides:" capabilities."""
    listed: list[str] = []
    with contextlib.suppress(OSError):
        for line in (ROOT / "etc/zypp/zypp.conf").read_text().splitlines():
            name, _, value = line.partition("=")
            if name.strip() == "multiversion":
                listed += value.replace(",", " ").split()
    for path in sorted((ROOT / "etc/zypp/multiversion.d").glob("*")):
        with contextlib.suppress(OSError):
            listed += path.read_text().split()
    return frozenset(listed)
