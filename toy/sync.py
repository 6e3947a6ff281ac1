# SPDX-License-Identifier: GPL-2.0-or-later
"""dump and merge: make a header set match its database, and a database match a header set."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

from . import header, plan, progress, rpmdb, run
from .errors import DamagedHeader, ToyError
from .header import Header
from .headerset import HeaderSet
from .rpmdb import Database, Unusable
from .stamp import Stamp

_FEW = 100
"""Headers that are worth to be imported before it is known whether they are wanted."""


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


class Content(NamedTuple):
    """A database, and what is in it."""

    path: Path
    files: AbstractSet[str]
    """Of its headers."""
    stamp: Stamp | None
    """The one it has if that holds."""


def preserve(database: Database, upper: HeaderSet, *, base: AbstractSet[str]) -> Content:
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


def files_of(database: Database, packages: AbstractSet[str] | None = None) -> dict[str, int]:
    """Return the file name of every header in a database, and its hdrNum.

    With `packages`, names as they stand in file names, only theirs.
    """
    groups = _by_package(database)
    wanted = groups.keys() if packages is None else groups.keys() & packages
    return _files_of(database, [number for name in sorted(wanted) for number in groups[name]])


def of_headers(database: Database, found: Mapping[int, AbstractSet[str]]) -> dict[str, AbstractSet[str]]:
    """Return what was found of some headers, by hdrNum, by file name."""
    return {file: found[number] for file, number in _files_of(database, list(found)).items()}


def _files_of(database: Database, numbers: Sequence[int]) -> dict[str, int]:
    names = header.file_names(database.headers(numbers))
    return {file: number for (file, _), number in zip(names, numbers, strict=True)}


class Early(NamedTuple):
    """A database that is being made before it is known whether it is wanted."""

    path: Path
    files: AbstractSet[str]
    start: Content
    work: run.Started


@contextlib.contextmanager
def beginning(
    new: Callable[[], Path], contents: Mapping[str, HeaderSet], *, starts: Iterable[Content]
) -> Iterator[Early | None]:
    """Have rpm begin with what `merge` would do, if that is no more than to import a few headers into a copy."""
    start = _nearest(contents, starts)
    with contextlib.ExitStack() as stack:
        begun = None
        if start is not None and start.files < contents.keys() and len(contents) - len(start.files) <= _FEW:
            with contextlib.suppress(ToyError):  # merge() says what is the matter, if it is any
                path = new()
                rpmdb.copy(start.path, path)
                blobs = [contents[file].read(file) for file in sorted(contents.keys() - start.files)]
                work = rpmdb.importing(path, blobs)
                stack.enter_context(work)
                begun = Early(path, contents.keys(), start, work)
        yield begun


def merge(
    new: Callable[[], Path],
    contents: Mapping[str, HeaderSet],
    *,
    starts: Iterable[Content] = (),
    early: Early | None = None,
) -> Content:
    """Make a database that holds the headers in these files, and read back what is new in it.

    It is made from the one in `starts` that is nearest to it, or if that cannot be, from nothing; `new` returns an
    empty directory, another one each time. What is `early` counts if it is what is wanted. Raises DamagedHeader for a
    file that is not what its name says, ToyError if rpm did not take them all.
    """
    start = _nearest(contents, starts)
    try:
        if early is not None:
            if early.files == contents.keys() and early.work.succeeded():
                return Content(early.path, early.files, _verified(early.path, early.files, early.start, frozenset()))
            early.work.stop()
        if start is not None:
            path = new()
            return Content(path, contents.keys(), _continue(path, contents, start))
    except DamagedHeader:
        raise
    except ToyError:
        pass  # it is being written to, say
    path = new()
    return Content(path, contents.keys(), _build(path, contents))


def _nearest(contents: Mapping[str, HeaderSet], starts: Iterable[Content]) -> Content | None:
    """Return from which database it is the least work, if that is less than from nothing."""
    nearest = min(starts, key=lambda start: len(contents.keys() ^ start.files), default=None)
    return nearest if nearest and len(contents.keys() ^ nearest.files) < len(contents) else None


def _continue(path: Path, contents: Mapping[str, HeaderSet], start: Content) -> Stamp:
    """Copy a database, erase from it and import into it. Raises ToyError if it cannot become what is wanted so."""
    rpmdb.copy(start.path, path)
    difference = plan.difference(have=start.files, want=contents.keys())
    erased: set[int] = set()
    if difference.remove:
        with Database.open(path) as database:
            numbers = files_of(database, set(map(header.package_of, difference.remove)))
        erased = {numbers[file] for file in difference.remove if file in numbers}
        rpmdb.erase(path, erased)
    if difference.add:
        rpmdb.import_headers(path, (contents[file].read(file) for file in difference.add))
    return _verified(path, contents.keys(), start, erased)


def _verified(path: Path, files: AbstractSet[str], start: Content, erased: AbstractSet[int]) -> Stamp:
    """Return the stamp of a database that was continued. Raises ToyError if it did not become what it should."""
    difference = plan.difference(have=start.files, want=files)
    with Database.open(path) as database:
        stamp = database.stamp()
        added = stamp.transactions
        stays = {} if start.stamp is None else start.stamp.transactions
        is_continued = erased <= stays.keys() and len(erased) == len(difference.remove)
        for number, tid in stays.items():
            is_continued &= number in erased or added.pop(number, None) == tid
        if not is_continued or _files_of(database, list(added)).keys() != set(difference.add):
            raise Unusable(f"{path} did not become what it should", "see if there is space: df -h")
    return stamp


def _build(path: Path, contents: Mapping[str, HeaderSet]) -> Stamp:
    """Build a database from nothing."""
    files = progress.shown(sorted(contents), len(contents), "building the rpm database, packages")
    said = rpmdb.import_headers(path, (contents[file].read(file) for file in files))
    with Database.open(path) as database:
        stamp = database.stamp()
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
    return stamp
