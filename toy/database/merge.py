# SPDX-License-Identifier: GPL-2.0-or-later
"""merge: makes an rpm database that holds the same headers as a header set.

It starts from a copy of the nearest database, the host's or the machine's last one, and has rpm erase and import the
difference. If that fails, or an empty one is nearer, rpm imports every header into an empty one. rpm is
confined while it does that, and the result is read back before it is used.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Self

from .. import progress
from ..confined import confinement
from ..errors import DamagedHeader, ToyError, UnusableDatabase, typed
from ..filesystem import room
from ..filesystem.room import NoRoom
from ..headers import changes, header
from ..headers.contents import Content, files_of
from ..headers.header import HeaderFile
from ..headers.headerset import HeaderSet
from ..headers.stamp import Stamp
from .copies import Copy, being_written, copy, size
from .reader import Reader

_LOG = 4 << 20
"""Bytes that SQLite's -wal has at most before what is in it goes into the database, unless one header is larger."""


class Builder:
    """Makes databases; as a context, it stops every copy and confined process at the end.

    `new` returns an empty directory for a database, and removes the one that it returned before. `ahead` is a copy of a
    database that was begun in such a directory.
    """

    def __init__(self, new: Callable[[], Path], ahead: Copy | None = None) -> None:
        self._new = new
        self._copy = ahead
        self._early: AbstractSet[HeaderFile] | None = None
        """Header files that rpm is importing into the copy before it is known whether they are wanted."""
        self._reader: Reader | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def begin(self, own: Mapping[HeaderFile, bytes]) -> None:
        """Begin to import these header files into the copy `ahead`, if that is usable: `merge` most likely wants it."""
        if not own or self._copy is None or not self._copy.is_true():
            return
        try:
            path = self._own(Path(self._copy.target))
            self._at_work.begin_import(path, own.values())
            # To read back what became of 2,000 packages takes 15 ms (make bench, xfs, after an update).
            self._at_work.ask_ahead("open", os.fspath(path))
            self._at_work.ask_ahead("stamp")
            self._early = own.keys()
        except (ToyError, OSError):
            self._stop()  # merge() begins anew, and reports the error if there still is one

    def merge(self, contents: Mapping[HeaderFile, HeaderSet], *, starts: Iterable[Content] = ()) -> Content:
        """Make a database that holds just the headers in `contents`, and read back what is new in it.

        `contents` has the header set that each header file is read from. The database is made from the nearest one in
        `starts`, or from nothing if that fails; what `begin` imported is used if it leads to the same. Raises
        DamagedHeader for a file that is not what its name says, NoRoom if the database does not fit into its file
        system, ToyError if rpm did not take all headers.
        """
        start = _nearest(contents, starts)
        try:
            if start is not None:
                path = self._done(contents.keys(), start)
                if path is not None:
                    return Content(path, contents.keys(), self._verified(path, contents.keys(), start, frozenset()))
                path = self._copied(start.path)
                with _fitting(path, contents, contents.keys() - start.files):
                    return Content(path, contents.keys(), self._continue(path, contents, start))
        except (DamagedHeader, NoRoom):
            raise
        except ToyError:
            pass  # `start` is being written to, say: build from nothing
        path = self._own(self._empty())
        with _fitting(path, contents, contents.keys()):
            return Content(path, contents.keys(), self._build(path, contents))

    def close(self, made: Content) -> None:
        """Stop the confined process, and take back the database that `merge` made: it can be put in place then."""
        self._stop()
        confinement.take_back(os.fspath(made.path))

    def _own(self, path: Path) -> Path:
        """Hand a directory over to a new confined process, which is to work in it. Returns the directory."""
        confinement.hand_over(os.fspath(path))
        self._reader = Reader(confinement.Place(writable=os.fspath(path)))
        self._reader.begin()
        return path

    @property
    def _at_work(self) -> Reader:
        assert self._reader is not None
        return self._reader

    def _done(self, files: AbstractSet[HeaderFile], start: Content) -> Path | None:
        """Return the directory of what `begin` made, or None unless that was made from `start` and has these files."""
        if self._copy is None or self._early is None:
            return None
        is_wanted = self._copy.source == os.fspath(start.path) and self._early | start.files == files
        path = Path(self._copy.target)
        # is_true() can still tell: it looks at the original, which rpm's work in the copy does not change.
        return path if is_wanted and self._copy.is_true() and self._at_work.has_imported(path) else None

    def _copied(self, database: Path) -> Path:
        """Return the directory of a copy of a database. Raises ToyError if no consistent copy can be made."""
        source, begun = os.fspath(database), self._copy
        if begun is not None and self._early is None and begun.source == source and begun.is_true():
            self._copy = None
            return self._own(Path(begun.target))
        path = self._empty()
        lack = room.lacking(os.fspath(path), size(source))
        if not copy(source, os.fspath(path)):  # which needs no room if it can share blocks
            raise lack or UnusableDatabase(*being_written(source))
        return self._own(path)

    def _empty(self) -> Path:
        self._stop()
        return self._new()

    def _stop(self) -> None:
        for work in (self._copy, self._reader):
            if work is not None:
                work.stop()
        self._copy = self._early = self._reader = None

    def _continue(self, path: Path, contents: Mapping[HeaderFile, HeaderSet], start: Content) -> Stamp:
        """Erase from a copy of `start`, import into it, return its stamp. Raises ToyError if the result is wrong."""
        difference = changes.difference(have=start.files, want=contents.keys())
        erased: set[int] = set()
        if difference.remove:
            database = self._at_work.open(path)
            numbers = files_of(database, set(map(header.package_of, difference.remove)))
            erased = {numbers[file] for file in difference.remove if file in numbers}
            self._at_work.erase(path, erased)
        if difference.add:
            self._at_work.import_headers(path, (contents[file].read(file) for file in difference.add))
        return self._verified(path, contents.keys(), start, erased)

    def _verified(self, path: Path, files: AbstractSet[HeaderFile], start: Content, erased: AbstractSet[int]) -> Stamp:
        """Return the stamp of a database that was made from `start`. Raises ToyError unless it holds just `files`."""
        difference = changes.difference(have=start.files, want=files)
        database = self._at_work.open(path)
        stamp = database.stamp()
        added = stamp.transactions
        stays = {} if start.stamp is None else start.stamp.transactions
        is_continued = erased <= stays.keys() and len(erased) == len(difference.remove)
        for number, tid in stays.items():
            is_continued &= number in erased or added.pop(number, None) == tid
        if not is_continued or database.files(list(added)).keys() != set(difference.add):
            raise UnusableDatabase(f"{path} did not become what it should", "see if there is space: df -h")
        return stamp

    def _build(self, path: Path, contents: Mapping[HeaderFile, HeaderSet]) -> Stamp:
        """Build a database from nothing, and return its stamp."""
        files = progress.shown(sorted(contents), len(contents), "building the rpm database, packages")
        said = self._at_work.import_headers(path, (contents[file].read(file) for file in files))
        database = self._at_work.open(path)
        stamp = database.stamp()
        built = files_of(database).keys()
        for file in sorted(contents.keys() - built):
            if any(header.same_content(file, other) for other in built):
                raise DamagedHeader(contents[file].path / file, "it is the header of another package")
            raise ToyError(
                f"rpmdb --importdb into {path} left out {file}: {said or 'it did not say why'}",
                f"see if there is space: df -h {path.parent}",
            )
        for file in sorted(built - contents.keys()):
            raise ToyError(
                f"rpmdb --importdb added {file} to {path}, which the header set does not have",
                f"report this as a bug of toy, with: TOY_DEBUG=1 {typed()}",
            )
        return stamp


@contextlib.contextmanager
def _fitting(path: Path, contents: Mapping[HeaderFile, HeaderSet], added: AbstractSet[HeaderFile]) -> Iterator[None]:
    """Raise NoRoom instead if these header files do not fit into the file system of a database, before or afterwards.

    What rpm says of a full disk, if anything, is a signal, or that it left out a header.
    """
    least = sum(contents[file].size(file) for file in added)
    lack = room.lacking(os.fspath(path), least)
    if lack is not None:
        raise lack
    try:
        yield
    except DamagedHeader:
        raise
    except (ToyError, OSError) as error:
        lack = room.lacking(os.fspath(path), 2 * least + _LOG)
        if lack is not None:
            raise lack from error
        raise


def _nearest(contents: Mapping[HeaderFile, HeaderSet], starts: Iterable[Content]) -> Content | None:
    """Return the start that differs least from `contents`, or None if to build from nothing is no more work."""
    nearest = min(starts, key=lambda start: len(contents.keys() ^ start.files), default=None)
    return nearest if nearest and len(contents.keys() ^ nearest.files) < len(contents) else None
