# SPDX-License-Identifier: GPL-2.0-or-later
"""Adopts what was done in a machine: puts the changes in its rpm database into its header set.

The database has the changes even if a launch was killed, so adoption comes before anything is read for a plan.
"""

from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

from ..database.reader import Reader
from ..errors import DamagedHeader
from ..headers import contents, preserve
from ..headers.contents import Content, Readable
from ..headers.header import HeaderFile
from ..headers.headerset import HeaderSet
from ..machine import Machine
from . import behind
from .header_sets import HeaderSets
from .journal import Journal
from .merged_database import open_database, reader_of


class Adopted(NamedTuple):
    """The content of a machine's database, and the base that it was merged with."""

    database: Content | None
    """None if the machine has no database."""
    base: AbstractSet[HeaderFile] | None
    """The header files of the host's set then; None if there is neither a record nor a database to guess them from."""


def adopt(machine: Machine, journal: Journal, sets: HeaderSets, reader: Reader) -> Adopted:
    """Put the changes made in a machine's database into its header set; return the database's content and the base.

    Raises ToyError if set or database cannot be read, or the database has lost all its packages.
    """
    base: AbstractSet[HeaderFile] | None = journal.base()
    if not journal.has_database():
        return Adopted(None, base)
    with open_database(machine, reader) as database:
        if base is None:
            base = _guessed_base(sets, database)
        found = preserve.preserve(database, sets.upper, base=base)
    sets.keep_hidden(base - found.files)
    sets.forget_hidden(base - found.files)
    return Adopted(found, base)


def adopted_before(journal: Journal, sets: HeaderSets) -> Adopted | None:
    """Return what `adopt` would, from base and header set alone, or None if base, stamp or database are missing.

    For a machine whose set and database nobody touched since the last launch.
    """
    base, stamp = journal.base(), sets.upper.read_stamp()
    if base is None or stamp is None or not journal.has_database():
        return None
    return Adopted(Content(journal.path, sets.upper.check().upper_set().over(base), stamp), base)


def _guessed_base(sets: HeaderSets, database: Readable) -> AbstractSet[HeaderFile]:
    """Return the base that the overlay's database must have been merged with, if there is no record of it."""
    listing, merged = sets.upper.check(), contents.files_of(database).keys()
    if sets.upper.read_stamp() == database.stamp():  # then the upper's set says what is the overlay's own
        return merged - listing.files | listing.whiteouts
    return sets.host_files & (merged | listing.whiteouts)


def keep(machine: Machine, layer: Path) -> None:
    """Adopt, after a launch, what was done in it, and remember what lies behind links of the host's.

    `layer` is the lower layer with the host's set. Raises as `adopt`.
    """
    with HeaderSets.open(machine, layer) as sets, reader_of(machine, is_held=True) as reader:
        database = adopt(machine, Journal(machine), sets, reader).database
        if database is not None:
            behind.remember(machine, database, sets.upper.list().files, reader)


def mend(machine: Machine, damaged: DamagedHeader) -> list[HeaderFile]:
    """Write a header file of the overlay anew, if its database still has the header. Returns the files written."""
    if not Journal(machine).has_database():
        return []
    with (
        HeaderSet.open_upper(Path(machine.overlay), Path(machine.root)) as upper,
        reader_of(machine, is_held=True) as reader,
        open_database(machine, reader) as database,
    ):
        file = HeaderFile(damaged.file)
        number = contents.files_of(database).get(file)
        if number is None or file not in upper.list().files:
            return []
        for found in database.headers([number]):
            upper.write(file, found.blob)
    return [file]
