# SPDX-License-Identifier: GPL-2.0-or-later
"""dump: make a header set match its database; and what of an overlay's database is its own."""

from collections.abc import Container, Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

from . import header, plan, progress
from .errors import DamagedHeader, ToyError
from .header import Header
from .headerset import HeaderSet
from .rpmdb import Database, Readable, Unusable
from .stamp import Stamp


class Content(NamedTuple):
    """A database, and what is in it."""

    path: Path
    files: AbstractSet[str]
    """Of its headers."""
    stamp: Stamp | None
    """The one it has if that holds."""


class Dumped(NamedTuple):
    """What a dump did, by file name."""

    added: list[str]
    removed: list[str]
    mended: list[str]
    """Files that were there, but not what their name says; or of a set whose stamp said that it is as it should be."""


def dump(database: Database, headers: HeaderSet, *, everything: bool = True) -> Dumped:
    """Make the header set match the database, writing only what differs.

    With `everything`, each package is looked at, and the content of each file; without, the packages that changed
    since the set was stamped. Raises ToyError if either cannot be read, or if the database has lost all its packages:
    the set may be what is left of them.
    """
    while True:
        stamp = database.stamp()
        try:
            earlier = headers.stamp
            done = _dump(database, headers, stamp, everything=everything)
        except ToyError:
            if database.stamp() == stamp:
                raise
            continue  # rpm was at work meanwhile
        headers.stamp = stamp
        if earlier == stamp:
            return Dumped([], [], sorted({*done.added, *done.removed, *done.mended}))
        return done


def add(database: Database, headers: HeaderSet, path: str) -> None:
    """Add the header files of the packages that a file is of, whatever the size of the database.

    For use while rpm is at work: it marks other packages' files as replaced after its %filetriggerin has run, so the
    stamp stays, and the next dump looks at everything since it.
    """
    for name in {owner.name for owner in database.owners(path)}:
        for file, found in header.file_names(database.named(name)):
            if not headers.has(file):
                headers.write(file, found.blob)


def _dump(database: Database, headers: HeaderSet, stamp: Stamp, *, everything: bool) -> Dumped:
    packages = _by_package(database)
    present = _by_name(headers.list().files)
    if present and not packages:
        raise _emptied(database, headers)
    every = packages.keys() | present.keys()
    suspects = every if everything else _unequal(packages, present)
    if not everything and stamp != headers.stamp:
        changed = _changed(database, packages, stamp, headers.stamp)
        suspects = every if changed is None else suspects | changed
    done = Dumped([], [], [])
    for package in progress.shown(sorted(suspects), len(suspects), "writing header files of packages"):
        wanted = dict(header.file_names(database.headers(packages.get(package, ()))))
        have = present.get(package, set())
        difference = plan.difference(have=have, want=wanted.keys())
        for file in difference.add:
            headers.write(file, wanted[file].blob)
        for file in difference.remove:
            headers.remove(file)
        done.added.extend(difference.add)
        done.removed.extend(difference.remove)
        if everything:
            done.mended.extend(_mend(headers, {file: wanted[file] for file in wanted.keys() & have}))
    return done


def _emptied(database: Readable, headers: HeaderSet) -> Unusable:
    return Unusable(
        f"the rpm database in {database.path} is empty, the header set {headers.path} is not",
        f"if the database was lost, restore it: cat {headers.path}/*.hdr | rpmdb --importdb",
    )


def _by_package(database: Readable, among: Container[str] | None = None) -> dict[str, list[int]]:
    """Return the hdrNums of each package, by its name as it stands in file names; with `among`, only of these."""
    packages: dict[str, list[int]] = {}
    for name, numbers in database.packages().items():
        package = header.package(name)
        if among is None or package in among:
            packages.setdefault(package, []).extend(numbers)
    return packages


def _by_name(files: AbstractSet[str]) -> dict[str, set[str]]:
    """Return the header files of each package, by its name as it stands in file names."""
    packages: dict[str, set[str]] = {}
    for file in files:
        packages.setdefault(header.package_of(file), set()).add(file)
    return packages


def _unequal(packages: Mapping[str, list[int]], present: Mapping[str, set[str]]) -> set[str]:
    """Return the packages with more or fewer files than headers."""
    return {
        name for name in packages.keys() | present.keys() if len(packages.get(name, ())) != len(present.get(name, ()))
    }


def _changed(
    database: Database, packages: Mapping[str, list[int]], stamp: Stamp, earlier: Stamp | None
) -> set[str] | None:
    """Return the packages that may have changed since the earlier stamp; None means any of them."""
    added = None if earlier is None else stamp.added_since(earlier)
    if added is None:
        return None
    if 4 * len(added) > sum(map(len, packages.values())):
        return None  # to look for what they share would take longer
    # A package that takes over another's file has rpm mark it as replaced in the other's header.
    return {header.package(name) for number in added for name in database.sharing(number)}


def _mend(headers: HeaderSet, wanted: Mapping[str, Header]) -> Iterator[str]:
    for file in sorted(wanted):
        try:
            headers.read(file)
        except DamagedHeader:
            headers.write(file, wanted[file].blob)
            yield file


def preserve(database: Readable, upper: HeaderSet, *, base: AbstractSet[str]) -> Content:
    """Put what the overlay changed in its database into the set of its upper, which is not mounted.

    `base` is the host's set that the database was merged with. Returns what is in the database.
    Raises ToyError if either cannot be read, or if the database has lost all its packages.
    """
    listing = upper.check()
    stamp = database.stamp()
    packages = _by_package(database)
    if base and not packages:
        raise _emptied(database, upper)
    merged: AbstractSet[str] = plan.Upper(listing.files, listing.whiteouts).over(base)
    if upper.opaque or upper.stamp != stamp or _unequal(packages, _by_name(merged)):
        # No dump has seen the last changes, or somebody changed the set: what the database says, counts.
        numbers = files_of(database)
        merged = numbers.keys()
        wanted = plan.carry_over(base=base, host=base, merged=merged)
        for file in sorted(wanted.files - listing.files):
            for found in database.headers([numbers[file]]):
                upper.write(file, found.blob)
        arrange(upper, wanted)
        upper.stamp = stamp
    return Content(database.path, merged, stamp)


def arrange(upper: HeaderSet, wanted: plan.Upper) -> None:
    """Make the set of an upper that is not mounted have these entries, of files it has already."""
    listing = upper.check()
    if upper.opaque or wanted != (listing.files, listing.whiteouts):
        upper.stamp = None
        for file in sorted(wanted.whiteouts - listing.whiteouts):
            upper.hide(file)
        for file in sorted((listing.files | listing.whiteouts) - wanted.files - wanted.whiteouts):
            upper.remove(file)
        upper.opaque = False


def files_of(database: Readable, packages: AbstractSet[str] | None = None) -> dict[str, int]:
    """Return the file name of every header in a database, and its hdrNum.

    With `packages`, names as they stand in file names, only theirs.
    """
    groups = _by_package(database, packages)
    return database.files([number for name in sorted(groups) for number in groups[name]])


def numbers_of(database: Readable, files: AbstractSet[str], *, among: AbstractSet[str]) -> list[int]:
    """Return the hdrNums of header files, ascending, where `among` is all that a database holds.

    Of a package that is installed once, no header needs to be read to know which it is.
    """
    wanted_by_name = _by_name(files)
    groups = _by_package(database, wanted_by_name)
    all_files = _by_name({file for file in among if header.package_of(file) in wanted_by_name})
    found = []
    for name, wanted in wanted_by_name.items():
        numbers = groups.get(name, [])
        if not len(numbers) == len(all_files[name]) == 1:
            of_files = database.files(numbers)
            numbers = [of_files[file] for file in wanted & of_files.keys()]
        found += numbers
    return sorted(found)
