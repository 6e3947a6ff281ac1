# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes an rpm database without installing anything: imports headers, and erases them."""

import os
from collections.abc import Iterable
from pathlib import Path

from .. import process
from ..errors import ToyError, UnusableDatabase
from .connection import UNCHECKED, at
from .librpm import rpm


def import_command(path: Path) -> list[str]:
    """Return the command that imports header files from its stdin into a database."""
    return ["rpmdb", "--dbpath", os.fspath(path), "--importdb"]


def import_headers(path: Path, files: int) -> str:
    """Import header files into a database, and return the last line that rpmdb writes to stderr.

    `files` is a descriptor of the header files, one after the other; it is closed here. rpmdb(8) leaves out a header
    that it does not like, or has no space for, and succeeds: the caller reads the database back and compares. There is
    no --initdb for a new one: that would fsync after every header. Raises ToyError if rpmdb fails.
    """
    try:
        return process.run(import_command(path), stdin=files)
    except process.Failed as error:
        what = f"rpmdb --importdb into {path} failed: {error.why}"
        raise ToyError(what, f"see if there is space: df -h {path.parent}") from None


def erase(path: Path, numbers: Iterable[int]) -> None:
    """Erase the headers with these hdrNums from a database; no file is removed, and no scriptlet or trigger runs.

    Raises UnusableDatabase if that cannot be done.
    """
    ts = rpm.TransactionSet()
    ts.setVSFlags(UNCHECKED)
    ts.setFlags(
        rpm.RPMTRANS_FLAG_JUSTDB
        | rpm.RPMTRANS_FLAG_NOSCRIPTS
        | rpm.RPMTRANS_FLAG_NOTRIGGERS
        | rpm.RPMTRANS_FLAG_NOPLUGINS
    )
    with at(path):
        for number in numbers:
            ts.addErase(number)
        if ts.run(lambda *_: None, None):
            raise UnusableDatabase(
                f"rpm cannot erase from its database in {path}", f"see: rpmdb --dbpath {path} --verifydb"
            )
