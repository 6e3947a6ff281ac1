# SPDX-License-Identifier: GPL-2.0-or-later
"""Says which header files an rpm database holds, and under which hdrNums.

The modules in this folder use databases only through the protocols here, which `database.rpmdb` and `database.reader`
implement.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple, Protocol

from ..errors import UnusableDatabase
from . import header
from .header import Header, HeaderFile, QuotedName
from .headerset import HeaderSet
from .stamp import Stamp


class Readable(Protocol):
    """A database that is open for reading, see `database.rpmdb.Database`."""

    path: Path

    def packages(self) -> dict[str, list[int]]: ...  # noqa: D102
    def stamp(self) -> Stamp: ...  # noqa: D102
    def headers(self, numbers: Iterable[int]) -> Iterator[Header]: ...  # noqa: D102
    def files(self, numbers: Sequence[int]) -> dict[HeaderFile, int]: ...  # noqa: D102


class Dumpable(Readable, Protocol):
    """A database that `dump` makes a header set from."""

    def sharing(self, number: int) -> set[str]: ...  # noqa: D102
    def named(self, name: str) -> Iterator[Header]: ...  # noqa: D102
    def owners(self, path: str) -> Iterator[Header]: ...  # noqa: D102


class Content(NamedTuple):
    """A database, and which header files it holds."""

    path: Path
    files: AbstractSet[HeaderFile]
    """The names of its header files."""
    stamp: Stamp | None
    """The stamp that the database has while it holds these files; None if that is not known."""


def files_of(database: Readable, packages: AbstractSet[QuotedName] | None = None) -> dict[HeaderFile, int]:
    """Return the hdrNum of every header in a database, by its file name; with `packages`, only of their headers."""
    groups = by_package(database, packages)
    return database.files([number for name in sorted(groups) for number in groups[name]])


def numbers_of(database: Readable, files: AbstractSet[HeaderFile], *, among: AbstractSet[HeaderFile]) -> list[int]:
    """Return the hdrNums of header files, ascending; `among` are all header files that the database holds.

    The header of a package that is installed only once is not read: its file is known from the name.
    """
    wanted_by_name = by_name(files)
    groups = by_package(database, wanted_by_name)
    all_files = by_name({file for file in among if header.package_of(file) in wanted_by_name})
    found = []
    for name, wanted in wanted_by_name.items():
        numbers = groups.get(name, [])
        if not len(numbers) == len(all_files[name]) == 1:
            of_files = database.files(numbers)
            numbers = [of_files[file] for file in wanted & of_files.keys()]
        found += numbers
    return sorted(found)


def by_package(database: Readable, among: Container[QuotedName] | None = None) -> dict[QuotedName, list[int]]:
    """Return the hdrNums of each package, by its name as it stands in file names; with `among`, only of these."""
    packages: dict[QuotedName, list[int]] = {}
    for name, numbers in database.packages().items():
        package = header.package(name)
        if among is None or package in among:
            packages.setdefault(package, []).extend(numbers)
    return packages


def by_name(files: AbstractSet[HeaderFile]) -> dict[QuotedName, set[HeaderFile]]:
    """Return the header files of each package, by its name as it stands in file names."""
    packages: dict[QuotedName, set[HeaderFile]] = {}
    for file in files:
        packages.setdefault(header.package_of(file), set()).add(file)
    return packages


def unequal(packages: Mapping[QuotedName, list[int]], present: Mapping[QuotedName, set[HeaderFile]]) -> set[QuotedName]:
    """Return the packages that have more or fewer files (`present`) than headers in the database (`packages`)."""
    return {
        name for name in packages.keys() | present.keys() if len(packages.get(name, ())) != len(present.get(name, ()))
    }


def emptied(database: Readable, headers: HeaderSet) -> UnusableDatabase:
    """Return the error for a database that has lost all its packages: the set may be what is left of them."""
    return UnusableDatabase(
        f"the rpm database in {database.path} is empty, the header set {headers.path} is not",
        f"if the database was lost, restore it: cat {headers.path}/*.hdr | rpmdb --importdb",
    )
