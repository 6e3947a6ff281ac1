# SPDX-License-Identifier: GPL-2.0-or-later
"""The state of a machine and its host, from which `planner` plans. Nothing is written here.

Values are read once, when a state is made. What only some packages and paths are asked about is in `Facts`: it is read
when it is asked for, and remembered.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple, Protocol

from ..database import parse
from ..database.reader import ForeignDatabase, Reader
from ..database.rpmdb import Database
from ..errors import DamagedHeader
from ..headers import contents, header
from ..headers.changes import UpperSet
from ..headers.header import Header
from ..headers.package import Package, PackageFile
from ..overlay.upper import UpperView
from . import host_set
from .sets import Sets


class Tree(Protocol):
    """The files of an overlay over its lower tree, as `overlay.upper.UpperView` knows them."""

    def touches(self, path: str) -> bool: ...  # noqa: D102
    def find(self, pattern: str) -> list[str]: ...  # noqa: D102
    def is_in_lower(self, path: str) -> bool: ...  # noqa: D102
    def is_other_kind(self, path: str) -> bool: ...  # noqa: D102
    def is_whiteout(self, path: str) -> bool: ...  # noqa: D102
    def hidden_by(self, path: str) -> str | None: ...  # noqa: D102
    def shadowed_by(self, path: str) -> str | None: ...  # noqa: D102
    def other_mode(self, path: str) -> int | None: ...  # noqa: D102
    def missing(self, files_of_package: Iterable[PackageFile]) -> list[str]: ...  # noqa: D102


class Facts(Protocol):
    """What can be asked about packages and paths."""

    @property
    def tree(self) -> Tree:
        """The files of the overlay."""

    @property
    def multiversion(self) -> AbstractSet[str]:
        """What the host's libzypp lists as such: package names, and "provides:" capabilities."""

    def package(self, file: str) -> Package:
        """Return a header file's package, with those of its files that lie in the overlay. Raises DamagedHeader."""

    def amended(self, file: str, states: Mapping[str, int]) -> Header:
        """Return a header of the host's in which these files are in other states. Raises DamagedHeader."""

    def is_newer(self, one: Package, other: Package) -> bool:
        """Say whether rpm takes the version of `one` for newer."""

    def owners_on_host(self, path: str) -> AbstractSet[str]:
        """Return the header files of the host's packages that own a path."""

    def is_owned(self, path: str) -> bool:
        """Say whether a package in the overlay's database owns a path."""

    def has_below(self, directory: str) -> bool:
        """Say whether one has a file in a directory or below it, or the directory itself."""

    def files_at(self, path: str) -> Sequence[PackageFile]:
        """Return what the packages in the overlay's database have at a path."""

    def broken(self, *, gone: AbstractSet[str], come: AbstractSet[str], stand_ins: Mapping[str, bytes]) -> list[str]:
        """Return the dependencies that break in the overlay, and not on the host, by a change of header files.

        `stand_ins` are the blobs of those that nobody has.
        """


class State(NamedTuple):
    """A machine and its host at one moment. Every name is a header file's."""

    machine: str
    """The machine's name."""
    recorded: frozenset[str] | None
    """The base on record, if one could be read."""
    base: AbstractSet[str]
    """The host's set that `upper` lies over: the base on record, or that of a plan which was carried out since."""
    host: frozenset[str]
    """The host's set as it is now."""
    upper: UpperSet
    """The overlay's part of the header set."""
    hidden: frozenset[str]
    """Those of the host's that the machine keeps, since it hides them."""
    installed: AbstractSet[str] | None
    """What the overlay's database holds, which has not followed a plan yet; None if there is no database."""
    facts: Facts


class ReadFacts:
    """Facts that are read from header sets, databases and trees."""

    def __init__(
        self,
        sets: Sets,
        tree: UpperView,
        host_database: Database,
        reader: Reader,
        overlay_database: ForeignDatabase | None,
        installed: AbstractSet[str],
    ) -> None:
        """Take what to read; `overlay_database` is the overlay's, if there is one, and holds `installed`."""
        self.tree = tree
        self.multiversion = host_set.multiversion(tree.lower)
        self._sets = sets
        self._host_database = host_database
        self._reader = reader
        self._overlay_database = overlay_database
        self._installed = installed
        self._in_upper = sets.upper.list().files
        self._packages: dict[str, Package] = {}

    def _blob(self, file: str) -> bytes:
        sets = self._sets
        source = sets.upper if file in self._in_upper else sets.host if file in sets.host_files else sets.hidden
        return source.read_blob(file)

    def package(self, file: str) -> Package:
        """See `Facts`. What is the host's own, as in homes, no package has brought to the overlay."""
        if file not in self._packages:
            # librpm meets in a process of its own what root in the overlay may have made.
            found = (self._reader.package if file in self._in_upper else parse.package)(self._blob(file))
            ours = tuple(owned for owned in found.files if not self.tree.is_elsewhere(owned.path))
            self._packages[file] = found._replace(files=ours)
        return self._packages[file]

    def amended(self, file: str, states: Mapping[str, int]) -> Header:
        """See `Facts`."""
        is_foreign = file in self._in_upper
        return (self._reader if is_foreign else parse).with_file_states(self._blob(file), states)

    def is_newer(self, one: Package, other: Package) -> bool:
        """See `Facts`."""
        return parse.is_newer(one, other)

    def owners_on_host(self, path: str) -> AbstractSet[str]:
        """See `Facts`."""
        return {file for file, _ in header.file_names(self._host_database.owners(path))}

    def is_owned(self, path: str) -> bool:
        """See `Facts`."""
        return self._overlay_database is not None and self._overlay_database.is_owned(path)

    def has_below(self, directory: str) -> bool:
        """See `Facts`."""
        return self._overlay_database is not None and self._overlay_database.has_below(directory)

    def files_at(self, path: str) -> list[PackageFile]:
        """See `Facts`."""
        owners = [] if self._overlay_database is None else self._overlay_database.owners(path)
        return [file for owner in owners for file in owner.files if file.path == path]

    def broken(self, *, gone: AbstractSet[str], come: AbstractSet[str], stand_ins: Mapping[str, bytes]) -> list[str]:
        """See `Facts`."""
        database = self._overlay_database
        if database is None:
            return []
        numbers = contents.numbers_of(database, gone & self._installed, among=self._installed)
        blobs = (stand_ins[file] if file in stand_ins else self._blob(file) for file in sorted(come))
        return host_set.unknown(database.broken_by(erase=numbers, install=blobs), Path(self.tree.lower))


def require_true(sets: Sets, database: Database, changed: AbstractSet[str]) -> None:
    """Hold the host's set against the host's database, as to the packages of these header files.

    Raises DamagedHeader for a file that only one of them has.
    """
    for file in sorted(_differing(sets, database, set(map(header.package_of, changed)))):
        raise DamagedHeader(sets.host.path / file, "the host's set is not what its rpm database is")


def _differing(sets: Sets, database: Database, packages: AbstractSet[str]) -> Iterator[str]:
    in_set = {file for file in sets.host_files if header.package_of(file) in packages}
    yield from in_set ^ contents.files_of(database, packages).keys()
