# SPDX-License-Identifier: GPL-2.0-or-later
"""dump and merge: make a header set match its database, and a database match a header set."""

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

from . import header, plan, rpmdb
from .errors import DamagedHeader, ToyError
from .header import Header
from .headerset import HeaderSet
from .rpmdb import Database, Unusable
from .stamp import Stamp


class Depth(enum.Enum):
    """How far a dump looks for differences."""

    EVERYTHING = enum.auto()
    """Every package, and the content of every file."""
    CHANGED = enum.auto()
    """The packages that changed since the set was stamped."""
    PASSING = enum.auto()
    """The package names with more or fewer files than headers: cheap, for use while rpm is at work.

    rpm still marks files of other packages as replaced after its %filetriggerin has run, so this leaves the
    stamp alone, and the next dump looks at everything since it.
    """


class Dumped(NamedTuple):
    """What a dump did, by file name."""

    added: list[str]
    removed: list[str]
    mended: list[str]
    """Files that were there, but not what their name says; or of a set whose stamp said that it is as it should be."""


def dump(database: Database, headers: HeaderSet, *, depth: Depth = Depth.EVERYTHING) -> Dumped:
    """Make the header set match the database, writing only what differs.

    Raises ToyError if either cannot be read, or if the database has lost all its packages: the set may be
    what is left of them.
    """
    while True:
        stamp = database.stamp()
        try:
            earlier = headers.stamp
            done = _dump(database, headers, stamp, depth)
        except ToyError:
            if database.stamp() == stamp:
                raise
            continue  # rpm was at work meanwhile
        if depth is not Depth.PASSING:
            headers.stamp = stamp
            if earlier == stamp:
                return Dumped([], [], sorted({*done.added, *done.removed, *done.mended}))
        return done


def _dump(database: Database, headers: HeaderSet, stamp: Stamp, depth: Depth) -> Dumped:
    packages = _by_package(database)
    present = _by_name(headers.list().files)
    if present and not packages:
        raise _emptied(database, headers)
    everything = packages.keys() | present.keys()
    suspects = _unequal(packages, present)
    if depth is Depth.EVERYTHING:
        suspects = everything
    elif depth is Depth.CHANGED and stamp != headers.stamp:
        changed = _changed(database, packages, stamp, headers.stamp)
        suspects = everything if changed is None else suspects | changed
    done = Dumped([], [], [])
    for package in sorted(suspects):
        wanted = dict(header.file_names(database.headers(packages.get(package, ()))))
        have = present.get(package, set())
        difference = plan.difference(have=have, want=wanted.keys())
        for file in difference.add:
            headers.write(file, wanted[file].blob)
        for file in difference.remove:
            headers.remove(file)
        done.added.extend(difference.add)
        done.removed.extend(difference.remove)
        if depth is Depth.EVERYTHING:
            done.mended.extend(_mend(headers, {file: wanted[file] for file in wanted.keys() & have}))
    return done


def _emptied(database: Database, headers: HeaderSet) -> Unusable:
    return Unusable(
        f"the rpm database in {database.path} is empty, the header set {headers.path} is not",
        f"if the database was lost, restore it: cat {headers.path}/*.hdr | rpmdb --importdb",
    )


def _by_package(database: Database) -> dict[str, list[int]]:
    """Return the hdrNums of each package, by its name as it stands in file names."""
    packages: dict[str, list[int]] = {}
    for name, numbers in database.packages().items():
        packages.setdefault(header.package(name), []).extend(numbers)
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
    paths = [path for number in added for path in database.paths(number)]
    if 2 * len(paths) > sum(map(len, packages.values())):
        return None  # a look-up costs twice what a header does
    # A package that takes over another's file has rpm mark it as replaced in the other's header.
    sharing = {header.package(owner.name) for path in paths for owner in database.owners(path)}
    return sharing | {name for name, numbers in packages.items() if not set(added).isdisjoint(numbers)}


def _mend(headers: HeaderSet, wanted: Mapping[str, Header]) -> Iterator[str]:
    for file in sorted(wanted):
        try:
            headers.read(file)
        except DamagedHeader:
            headers.write(file, wanted[file].blob)
            yield file


def preserve(database: Database, upper: HeaderSet, *, base: AbstractSet[str]) -> AbstractSet[str]:
    """Put what the overlay changed in its database into the set of its upper, which is not mounted.

    `base` is the host's set that the database was merged with. Returns the files of the database's headers.
    Raises ToyError if either cannot be read, or if the database has lost all its packages.
    """
    listing = upper.check()
    packages = _by_package(database)
    if base and not packages:
        raise _emptied(database, upper)
    stamp = database.stamp()
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
    return merged


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


def files_of(database: Database, packages: AbstractSet[str] | None = None) -> dict[str, int]:
    """Return the file name of every header in a database, and its hdrNum.

    With `packages`, names as they stand in file names, only theirs.
    """
    groups = _by_package(database)
    wanted = groups.keys() if packages is None else groups.keys() & packages
    return _files_of(database, [number for name in sorted(wanted) for number in groups[name]])


def _files_of(database: Database, numbers: Sequence[int]) -> dict[str, int]:
    names = header.file_names(database.headers(numbers))
    return {file: number for (file, _), number in zip(names, numbers, strict=True)}


class Start(NamedTuple):
    """A database that another one may be made from."""

    path: Path
    files: AbstractSet[str]
    """Of its headers."""
    stamp: Stamp | None
    """The one it has if that holds."""


def merge(new: Callable[[], Path], contents: Mapping[str, HeaderSet], *, starts: Iterable[Start] = ()) -> Path:
    """Make a database that holds the headers in these files, and read back what is new in it. Returns where it is.

    It is made from the one in `starts` that is nearest to it, or if that cannot be, from nothing; `new` returns an
    empty directory, another one each time. Raises DamagedHeader for a file that is not what its name says, ToyError if
    rpm did not take them all.
    """
    nearest = min(starts, key=lambda start: len(contents.keys() ^ start.files), default=None)
    if nearest is not None and len(contents.keys() ^ nearest.files) < len(contents):
        path = new()
        try:
            _continue(path, contents, nearest)
        except DamagedHeader:
            raise
        except ToyError:
            pass  # it is being written to, say
        else:
            return path
    path = new()
    _build(path, contents)
    return path


def _continue(path: Path, contents: Mapping[str, HeaderSet], start: Start) -> None:
    """Copy a database, erase from it and import into it. Raises ToyError if it cannot become what is wanted so."""
    rpmdb.copy(start.path, path)
    difference = plan.difference(have=start.files, want=contents.keys())
    with Database.open(path) as database:
        before = database.stamp()
        numbers = files_of(database, set(map(header.package_of, difference.remove)))
    erased = {numbers[file] for file in difference.remove if file in numbers}
    if before != start.stamp or len(erased) != len(difference.remove):
        raise Unusable(f"{start.path} is not what it was taken for", "see: toy dump")
    if erased:
        rpmdb.erase(path, erased)
    if difference.add:
        rpmdb.import_headers(path, (contents[file].read(file) for file in difference.add))
    if difference:
        with Database.open(path) as database:
            stays = {number: tid for number, tid in before.transactions.items() if number not in erased}
            added = database.stamp().transactions
            is_continued = all(added.pop(number, None) == tid for number, tid in stays.items())
            if not is_continued or _files_of(database, list(added)).keys() != set(difference.add):
                raise Unusable(f"{path} did not become what it should", "see if there is space: df -h")


def _build(path: Path, contents: Mapping[str, HeaderSet]) -> None:
    """Build a database from nothing."""
    said = rpmdb.import_headers(path, (contents[file].read(file) for file in sorted(contents)))
    with Database.open(path) as database:
        built = files_of(database).keys()
    for file in sorted(contents.keys() - built):
        if any(header.same_content(file, other) for other in built):
            raise DamagedHeader(contents[file].path / file, "it is the header of another package")
        raise ToyError(
            f"rpmdb --importdb into {path} left out {file}: {said or 'it did not say why'}",
            "see if there is space: df -h",
        )
    for file in sorted(built - contents.keys()):
        raise ToyError(
            f"rpmdb --importdb put {file} into {path}, which nobody asked for", "report this as a bug of toy"
        )
