# SPDX-License-Identifier: GPL-2.0-or-later
"""Opens the rpm database of a machine for reading. Root in the overlay can put anything in its place."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ..database import foreign
from ..database.reader import ForeignDatabase, Reader
from ..errors import ToyError, UnusableDatabase, made_anew
from ..machine import Machine


def reader_of(machine: Machine, *, is_held: bool = False) -> Reader:
    """Return a reader of a machine's database, as it is when the reader begins, and of its headers.

    With `is_held`, the machine is locked and not mounted, so the reader needs no copy of the database.
    """
    return Reader(foreign.place(machine.rpmdb, is_still=is_held)) if os.path.isdir(machine.rpmdb) else Reader()


@contextlib.contextmanager
def open_database(machine: Machine, reader: Reader) -> Iterator[ForeignDatabase]:
    """Open the merged database. Raises ToyError if it is unusable, also if that turns out while it is open."""
    try:
        yield reader.open(Path(machine.rpmdb))
    except UnusableDatabase as error:
        raise ToyError(error.what, made_anew(machine.rpmdb)) from error
