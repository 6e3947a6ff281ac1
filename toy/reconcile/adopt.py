# SPDX-License-Identifier: GPL-2.0-or-later
"""Adopts what was done in a machine: puts the changes in its rpm database into its header set.

The database has the changes even if a launch was killed, so adoption comes before anything is read for a plan.
"""

import contextlib
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

from ..database.reader import Reader
from ..database.rpmdb import Database
from ..errors import DamagedHeader
from ..headers import contents, header, preserve
from ..headers.contents import Content, Readable
from ..headers.header import HeaderFile
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
    pending = journal.pending() if base is None else None
    if not journal.has_database():
        if base is None:
            base = _base_without_database(sets) if pending is None else pending.base  # plans can be repeated
        return Adopted(None, base)
    with open_database(machine, reader) as database:
        if pending is not None:
            is_merged = contents.files_of(database).keys() == pending.upper.over(pending.host)
            base = pending.host if is_merged else pending.base
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
    return Adopted(Content(journal.path, sets.upper.list().upper_set().over(base), stamp), base)


def _guessed_base(sets: HeaderSets, database: Readable) -> AbstractSet[HeaderFile]:
    """Return the base that the overlay's database must have been merged with, if there is no record of it."""
    listing, merged = sets.upper.list(), contents.files_of(database).keys()
    if sets.upper.read_stamp() == database.stamp():  # then the upper's set says what is the overlay's own
        return merged - listing.files | listing.whiteouts
    # What was removed stays so, whatever the host has of it by now: it hides what the base had.
    return (sets.host_files & merged) | listing.whiteouts | sets.hidden.list().files


def _base_without_database(sets: HeaderSets) -> AbstractSet[HeaderFile]:
    """Return the base if only the header sets are left: it had what was removed, and the rest is as the host has it."""
    removed = sets.upper.list().whiteouts
    changed = set(map(header.package_of, removed - sets.host_files))
    return {file for file in sets.host_files if header.package_of(file) not in changed} | removed


def keep(machine: Machine, layer: Path) -> None:
    """Adopt, after a launch, what was done in it, and remember what lies behind links of the host's.

    `layer` is the lower layer with the host's set. Raises as `adopt`.
    """
    with HeaderSets.open(machine, layer) as sets, reader_of(machine, is_held=True) as reader:
        database = adopt(machine, Journal(machine), sets, reader).database
        if database is not None:
            behind.remember(machine, database, sets.upper.list().files, reader)


def mend(machine: Machine, layer: Path, host_database: Database) -> list[HeaderFile]:
    """Write all damaged header files of a machine anew, as far as any set or database has their headers.

    `layer` is the lower layer with the host's set, which matches the host's database. Returns the files written. Of
    what the overlay hides and nobody has any more, the damaged file goes: it says nothing of what is to show again.
    """
    with HeaderSets.open(machine, layer) as sets:
        damaged = [
            (headers, file)
            for headers in (sets.upper, sets.hidden)
            for file in sorted(headers.list().files)
            if not headers.is_whole(file)
        ]
        blobs = _found(machine, sets, host_database, {file for _, file in damaged}) if damaged else {}
        for headers, file in damaged:
            if file in blobs:
                headers.write(file, blobs[file])
            elif headers is sets.hidden:
                headers.remove(file)
    return [file for headers, file in damaged if file in blobs or headers is sets.hidden]


def _found(
    machine: Machine, sets: HeaderSets, host_database: Database, wanted: AbstractSet[HeaderFile]
) -> dict[HeaderFile, bytes]:
    """Return the blobs of header files, as far as host set, host database and overlay database have them."""
    found: dict[HeaderFile, bytes] = {}
    for headers in (sets.host, sets.hidden, sets.upper):
        for file in sorted((wanted - found.keys()) & headers.list().files):
            with contextlib.suppress(DamagedHeader):
                found[file] = headers.read_blob(file)
    _look_up(host_database, wanted, found)
    if wanted - found.keys() and Journal(machine).has_database():
        with reader_of(machine, is_held=True) as reader, open_database(machine, reader) as database:
            _look_up(database, wanted, found)
    return found


def _look_up(database: Readable, wanted: AbstractSet[HeaderFile], found: dict[HeaderFile, bytes]) -> None:
    """Add the blobs of those header files to `found` that it lacks and a database has."""
    numbers = contents.files_of(database, set(map(header.package_of, wanted - found.keys())))
    for file in sorted(numbers.keys() & (wanted - found.keys())):
        (one,) = database.headers([numbers[file]])
        found[file] = one.blob
