# SPDX-License-Identifier: GPL-2.0-or-later
"""merge: make a database that holds what a header set does, from the nearest one there is."""

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

from . import header, plan, progress, rpmdb, run, seen
from .errors import DamagedHeader, ToyError
from .headerset import HeaderSet
from .rpmdb import Database, Unusable
from .stamp import Stamp
from .sync import Content, files_of, files_of_numbers

_FEW = 100
"""Headers that are worth to be imported before it is known whether they are wanted."""


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
                _copy(start.path, path)
                blobs = [contents[file].read(file) for file in sorted(contents.keys() - start.files)]
                work = _importing(path, blobs)
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
    _copy(start.path, path)
    difference = plan.difference(have=start.files, want=contents.keys())
    erased: set[int] = set()
    if difference.remove:
        with Database.open(path) as database:
            numbers = files_of(database, set(map(header.package_of, difference.remove)))
        erased = {numbers[file] for file in difference.remove if file in numbers}
        rpmdb.erase(path, erased)
    if difference.add:
        _import(path, (contents[file].read(file) for file in difference.add))
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
        if not is_continued or files_of_numbers(database, list(added)).keys() != set(difference.add):
            raise Unusable(f"{path} did not become what it should", "see if there is space: df -h")
    return stamp


def _build(path: Path, contents: Mapping[str, HeaderSet]) -> Stamp:
    """Build a database from nothing."""
    files = progress.shown(sorted(contents), len(contents), "building the rpm database, packages")
    said = _import(path, (contents[file].read(file) for file in files))
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


def _files(path: Path) -> list[str]:
    """Return what makes up a database; SQLite makes its -shm anew."""
    with os.scandir(path) as entries:
        return sorted(
            entry.path
            for entry in entries
            if entry.is_file(follow_symlinks=False) and entry.name[0] != "." and not entry.name.endswith("-shm")
        )


_TICK = 20_000_000
"""Nanoseconds after which a file that changes once more gets another time: kernels count in steps of up to 10 ms."""


def _copy(source: Path, target: Path) -> None:
    """Copy a database into an empty directory, sharing its blocks where the file system can.

    It is as the original was at one moment, whoever has that open. Raises ToyError if somebody wrote to it meanwhile:
    rpm's lock would rather make rpm fail than wait.
    """
    paths = _files(source)
    if _is_fresh(paths, time.time_ns()):
        time.sleep(_TICK / 10**9)
    before, began = seen.looks(paths), time.time_ns()
    run.run(["cp", "--reflink=auto", "--preserve=mode", "--", *paths, os.fspath(target)])
    if _is_fresh(paths, began) or _files(source) != paths or seen.looks(paths) != before:
        raise Unusable(f"the rpm database in {source} is being written to", "try again when that is done")


def _is_fresh(paths: Iterable[str], now: int) -> bool:
    """Say whether a file might change once more without getting another time.

    An empty one would get another size: SQLite's -wal gets a new time when somebody has read the database.
    """
    statuses = map(os.stat, paths)
    return any(status.st_size and now - status.st_mtime_ns in range(_TICK) for status in statuses)


def _importing(path: Path, contents: Iterable[bytes]) -> run.Started:
    """Have what `_import` does done meanwhile."""
    return run.Started(["rpmdb", "--dbpath", os.fspath(path), "--importdb"], contents)


def _import(path: Path, contents: Iterable[bytes]) -> str:
    """Import the contents of header files into a database, if need be a new one. Returns what rpm said, if anything.

    rpmdb(8) passes over a header that it does not like, or has no space for, and says that all is well: the caller
    reads the database back and compares.
    """
    # No --initdb for a new one: that would fsync after every header.
    return run.feed(["rpmdb", "--dbpath", os.fspath(path), "--importdb"], contents)
