# SPDX-License-Identifier: GPL-2.0-or-later
"""Says which header files an rpm database holds, and under which hdrNums.

This folder knows databases only by the protocols in this module. `database.rpmdb` and `database.reader` implement
them.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple, Protocol

from ..errors import UnusableDatabase
from . import header
from .header import Header
from .headerset import HeaderSet
from .stamp import Stamp


class Readable(Protocol):
    """A database that is open for reading, see `database.rpmdb.Database`."""

    path: Path

    def packages(self) -> dict[str, list[int]]: ...  # noqa: D102
    def stamp(self) -> Stamp: ...  # noqa: D102
    def headers(self, numbers: Iterable[int]) -> Iterator[Header]: ...  # noqa: D102
    def files(self, numbers: Sequence[int]) -> dict[str, int]: ...  # noqa: D102


class Dumpable(Readable, Protocol):
    """A database that `dump` makes a header set from."""

    def sharing(self, number: int) -> set[str]: ...  # noqa: D102
    def named(self, name: str) -> Iterator[Header]: ...  # noqa: D102
    def owners(self, path: str) -> Iterator[Header]: ...  # noqa: D102


class Content(NamedTuple):
    """A database, and what is in it."""

    path: Path
    files: AbstractSet[str]
    """Of its headers."""
    stamp: Stamp | None
    """The one it has if that holds."""


def files_of(database: Readable, packages: AbstractSet[str] | None = None) -> dict[str, int]:
    """Return the file name of every header in a database, and its hdrNum.

    With `packages`, names as they stand in file names, only theirs.
    """
    groups = by_package(database, packages)
    return database.files([number for name in sorted(groups) for number in groups[name]])


def numbers_of(database: Readable, files: AbstractSet[str], *, among: AbstractSet[str]) -> list[int]:
    """Return the hdrNums of header files, ascending, where `among` is all that a database holds.

    Of a package that is installed once, no header needs to be read to know which it is.
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


def by_package(database: Readable, among: Container[str] | None = None) -> dict[str, list[int]]:
    """Return the hdrNums of each package, by its name as it stands in file names; with `among`, only of these."""
    packages: dict[str, list[int]] = {}
    for name, numbers in database.packages().items():
        package = header.package(name)
        if among is None or package in among:
            packages.setdefault(package, []).extend(numbers)
    return packages


def by_name(files: AbstractSet[str]) -> dict[str, set[str]]:
    """Return the header files of each package, by its name as it stands in file names."""
    packages: dict[str, set[str]] = {}
    for file in files:
        packages.setdefault(header.package_of(file), set()).add(file)
    return packages


def unequal(packages: Mapping[str, list[int]], present: Mapping[str, set[str]]) -> set[str]:
    """Return the packages with more or fewer files than headers."""
    return {
        name for name in packages.keys() | present.keys() if len(packages.get(name, ())) != len(present.get(name, ()))
    }


def emptied(database: Readable, headers: HeaderSet) -> UnusableDatabase:
    """Return the error for a database that has lost all its packages: the set may be what is left of them."""
    return UnusableDatabase(
        f"the rpm database in {database.path} is empty, the header set {headers.path} is not",
        f"if the database was lost, restore it: cat {headers.path}/*.hdr | rpmdb --importdb",
    )
