# SPDX-License-Identifier: GPL-2.0-or-later
"""dump: makes a header set match an rpm database, writing only what differs."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from .. import progress
from ..errors import DamagedHeader, ToyError
from . import changes, header
from .contents import Dumpable, by_name, by_package, emptied, unequal
from .header import Header, HeaderFile, QuotedName
from .headerset import HeaderSet
from .stamp import Stamp


class Dumped(NamedTuple):
    """What a dump did, by file name."""

    added: list[HeaderFile]
    removed: list[HeaderFile]
    mended: list[HeaderFile]
    """Files whose content did not match their name; if the stamp said that the set was current, every changed file."""


def dump(database: Dumpable, headers: HeaderSet, *, everything: bool = True) -> Dumped:
    """Make the header set match the database, writing only what differs.

    With `everything`, each package is looked at, and the content of each file; without, only the packages that changed
    since the set was stamped. Raises ToyError if database or set cannot be read, or if the database has lost all its
    packages: the set may be what is left of them.
    """
    while True:
        stamp = database.stamp()
        try:
            earlier = headers.read_stamp()
            done = _dump(database, headers, stamp, earlier, everything=everything)
        except ToyError:
            if database.stamp() == stamp:
                raise
            continue  # the database changed meanwhile
        headers.write_stamp(stamp)
        if earlier == stamp:
            return Dumped([], [], sorted({*done.added, *done.removed, *done.mended}))
        return done


def add(database: Dumpable, headers: HeaderSet, path: str) -> None:
    """Add the missing header files of the packages that own `path`; the size of the database does not matter.

    For use while rpm is at work: it marks other packages' files as replaced after its %filetriggerin has run. So the
    stamp stays as it is, and the next dump looks at everything that changed since then.
    """
    for name in {owner.name for owner in database.owners(path)}:
        for file, found in header.file_names(database.named(name)):
            if not headers.has(file):
                headers.write(file, found.blob)


def _dump(database: Dumpable, headers: HeaderSet, stamp: Stamp, earlier: Stamp | None, *, everything: bool) -> Dumped:
    packages = by_package(database)
    present = by_name(headers.list().files)
    if present and not packages:
        raise emptied(database, headers)
    every = packages.keys() | present.keys()
    suspects = every if everything else unequal(packages, present)
    if not everything and stamp != earlier:
        changed = _changed(database, packages, stamp, earlier)
        suspects = every if changed is None else suspects | changed
    done = Dumped([], [], [])
    for package in progress.shown(sorted(suspects), len(suspects), "writing header files of packages"):
        wanted = dict(header.file_names(database.headers(packages.get(package, ()))))
        have = present.get(package, set())
        difference = changes.difference(have=have, want=wanted.keys())
        for file in difference.add:
            headers.write(file, wanted[file].blob)
        for file in difference.remove:
            headers.remove(file)
        done.added.extend(difference.add)
        done.removed.extend(difference.remove)
        if everything:
            done.mended.extend(_mend(headers, {file: wanted[file] for file in wanted.keys() & have}))
    return done


def _changed(
    database: Dumpable, packages: Mapping[QuotedName, list[int]], stamp: Stamp, earlier: Stamp | None
) -> set[QuotedName] | None:
    """Return the packages that may have changed since the earlier stamp; None means any of them."""
    added = None if earlier is None else stamp.added_since(earlier)
    if added is None:
        return None
    if 4 * len(added) > sum(map(len, packages.values())):
        return None  # to look up which files they share would take longer
    # Where a package takes over another's file, rpm marks that as replaced in the other's header.
    return {header.package(name) for number in added for name in database.sharing(number)}


def _mend(headers: HeaderSet, wanted: Mapping[HeaderFile, Header]) -> Iterator[HeaderFile]:
    for file in sorted(wanted):
        try:
            headers.read(file)
        except DamagedHeader:
            headers.write(file, wanted[file].blob)
            yield file


def mended(file: HeaderFile) -> str:
    """Return the line for the user about a header file in `Dumped.mended`."""
    return f"header file {file} did not match the rpm database; the header set matches it now"
