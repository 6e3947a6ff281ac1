# SPDX-License-Identifier: GPL-2.0-or-later
"""An rpm database that is open for reading."""

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from ..errors import UnusableDatabase
from ..filesystem import room
from ..headers import header
from ..headers.header import Header, HeaderFile
from ..headers.stamp import Stamp
from .connection import connected, is_database, silenced, unreadable
from .librpm import parsed, rpm, to_header

_BATCH = 100


def batches(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yield hdrNums in batches, small enough for the headers of a batch to be in memory together."""
    for first in range(0, len(numbers), _BATCH):
        yield numbers[first : first + _BATCH]


class _Checked(Protocol):
    def packages(self) -> dict[str, list[int]]: ...
    def broken_among(self, numbers: Sequence[int]) -> list[str]: ...


def broken(database: _Checked) -> list[str]:
    """Return rpm's dependency problems of all packages in a database, one line each."""
    every = [number for numbers in database.packages().values() for number in numbers]
    return sorted({problem for batch in batches(every) for problem in database.broken_among(batch)})


class Database:
    """An rpm database, open for reading.

    A header's hdrNum is its number in one database; rpm gives each only once, except that
    `rpmdb --rebuilddb` numbers all headers anew.
    """

    def __init__(self, path: Path, transaction_set: "rpm.TransactionSet") -> None:
        self.path = path
        self._ts = transaction_set
        self._packages: dict[str, list[int]] | None = None
        self._shared: dict[str, bool] = {}

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: Path) -> Iterator["Database"]:
        """Open the database in the directory `path`. Raises UnusableDatabase if there is none or it cannot be read."""
        try:
            present = set(os.listdir(path))
        except OSError as error:
            raise UnusableDatabase(f"no rpm database: {path}: {error.strerror}", "see: rpm --eval %_dbpath") from None
        if not is_database(present):  # rpm would make an empty one, and believe it
            raise UnusableDatabase(f"no rpm database in {path}", "see: rpm --eval %_dbpath")
        if room.is_short(os.fspath(path)):
            from . import mapped  # it takes 5 ms to import

            mapped.expect(path)
        ts = connected(path)
        try:
            yield cls(path, ts)
        finally:
            ts.closeDB()

    def _index(self, tag: str) -> Iterator[tuple["str | int", list[int]]]:
        with silenced():
            index = self._ts.dbIndex(tag)
        for key in index:
            yield key, [number for number, _ in index.instances()]

    def packages(self) -> dict[str, list[int]]:
        """Return the hdrNums of each package name, as of the last `stamp`; no header is read."""
        if self._packages is None:
            self._packages = {str(name): numbers for name, numbers in self._index("name")}
        return self._packages

    def stamp(self) -> Stamp:
        """Return the stamp of the database as it is now; no header is read."""
        self._shared = {}
        self._packages = None  # SQLite takes its time for a whole index if what it knows of its tables is outdated
        packages = self.packages()
        transactions = dict.fromkeys((number for numbers in packages.values() for number in numbers), 0)
        for tid, installed in self._index("installtid"):
            transactions |= dict.fromkeys(installed, int(tid))
        return Stamp.of(packages, transactions)

    def headers(self, numbers: Iterable[int]) -> Iterator[Header]:
        """Yield the headers with these hdrNums. Raises ToyError if one cannot be read."""
        for number in numbers:
            found = None
            for found in self._ts.dbMatch(rpm.RPMDBI_PACKAGES, number):
                yield to_header(found)
            if found is None:
                raise unreadable(self.path)

    def sharing(self, number: int) -> set[str]:
        """Return the names of the packages that have a file at a path of the one with this hdrNum, itself among them.

        It is quick since few directories are shared by packages, and few files of a package are in those.
        """
        names: set[str] = set()
        for found in self._ts.dbMatch(rpm.RPMDBI_PACKAGES, number):
            names.add(found["name"])
            folders = found["dirnames"]
            shared = {index for index, folder in enumerate(folders) if self._is_shared(folder)}
            for index, base in zip(found["dirindexes"], found["basenames"], strict=False):
                if index in shared:
                    owners = self._ts.dbMatch("basenames", folders[index] + base)
                    if owners.count() > 1:
                        names.update(owner["name"] for owner in owners)
        return names

    def _is_shared(self, folder: str) -> bool:
        """Say whether several packages have files in a directory, as of the last `stamp`."""
        if folder not in self._shared:  # kept, since it takes long for directories that all packages have
            self._shared[folder] = self._ts.dbMatch("dirnames", folder).count() > 1
        return self._shared[folder]

    def files(self, numbers: Sequence[int]) -> dict[HeaderFile, int]:
        """Return these hdrNums by the file names of their headers."""
        names = header.file_names(self.headers(numbers))
        return {file: number for (file, _), number in zip(names, numbers, strict=True)}

    def with_file_triggers(self) -> Iterator[Header]:
        """Yield the headers of packages that have file triggers."""
        tags = ("filetriggername", "transfiletriggername")
        yield from self.headers(sorted({number for tag in tags for _, found in self._index(tag) for number in found}))

    def around(self, directory: str) -> Iterator[Header]:
        """Yield the headers of packages with a file in a directory, below it, or in a directory that it lies in."""
        numbers: set[int] = set()
        inside = directory.rstrip("/") + "/"
        index = self._ts.dbIndex("dirnames")
        for key in map(str, index):  # tens of thousands
            if key.startswith(inside) or inside.startswith(key):
                numbers.update(number for number, _ in index.instances())
        return self.headers(sorted(numbers))

    def has_below(self, directory: str) -> bool:
        """Say whether any package has a file in a directory or below it, or the directory itself."""
        inside = f"{directory}/"
        return any(str(key).startswith(inside) for key, _ in self._index("dirnames")) or self.is_owned(directory)

    def broken_by(self, *, erase: Iterable[int], install: Iterable[bytes]) -> list[str]:
        """Return rpm's dependency problems, one line each, if these hdrNums were erased and these blobs installed.

        Nothing is installed or erased. Problems that exist already are left out.
        """
        return self._broken(erase, install, are_there=False)

    def broken_among(self, numbers: Sequence[int]) -> list[str]:
        """Return rpm's dependency problems of the packages with these hdrNums, one line each."""
        return self._broken((), (found.blob for found in self.headers(numbers)), are_there=True)

    def _broken(self, erase: Iterable[int], install: Iterable[bytes], *, are_there: bool) -> list[str]:
        ts = connected(self.path)  # a new one: what is added to a transaction set stays in it
        try:
            for number in erase:
                ts.addErase(number)
            for blob in install:
                # From 4.20 on, rpm refuses to add a key like a package; and nothing depends on one.
                with contextlib.suppress(rpm.error):
                    ts.addInstall(parsed(blob), None, "i")
            ts.check()
            return sorted(
                str(problem).replace("(installed) ", "")
                for problem in ts.problems() or ()
                # A package that is installed already conflicts with itself here; with others, they conflict with it.
                if not (are_there and problem.type == rpm.RPMPROB_CONFLICT and problem.pkgNEVR == problem.altNEVR)
            )
        except rpm.error as error:  # a check that fails is no reason to stop
            return [f"rpm could not check the dependencies: {error}"]
        finally:
            ts.closeDB()

    def named(self, name: str) -> Iterator[Header]:
        """Yield the headers of all packages with a name."""
        return map(to_header, self._ts.dbMatch("name", name))

    def is_owned(self, path: str) -> bool:
        """Say whether a package owns a file."""
        return any(True for _ in self._ts.dbMatch("basenames", os.fsencode(path)))

    def owners(self, path: str) -> Iterator[Header]:
        """Yield the headers of the packages that own a file."""
        return map(to_header, self._ts.dbMatch("basenames", os.fsencode(path)))
