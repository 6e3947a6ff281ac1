# SPDX-License-Identifier: GPL-2.0-or-later
"""The state of a machine and its host, from which `planner` plans, as values and questions.

What is here reads nothing. `facts` answers the questions on a real host, and tests answer them from tables.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple, Protocol

from ..headers.changes import UpperSet
from ..headers.header import Header, HeaderFile
from ..headers.package import Condition, Outline, Package, PackageFile
from .moved import Moved
from .retired import Retired


class Tree(Protocol):
    """The files of an overlay over its lower tree, as `overlay.view.UpperView` knows them."""

    def touches(self, path: str) -> bool: ...  # noqa: D102
    def find(self, pattern: str) -> list[str]: ...  # noqa: D102
    def is_in_lower(self, path: str) -> bool: ...  # noqa: D102
    def is_link(self, path: str) -> bool: ...  # noqa: D102
    def lead(self, folder: str) -> str: ...  # noqa: D102
    def has(self, path: str) -> bool: ...  # noqa: D102
    def has_folder(self, folder: str) -> bool: ...  # noqa: D102
    def turned_into_links(self, new: AbstractSet[str]) -> Mapping[str, str]: ...  # noqa: D102
    def files_below(self, folder: str) -> Iterable[str]: ...  # noqa: D102
    def is_other_kind(self, path: str) -> bool: ...  # noqa: D102
    def is_whiteout(self, path: str) -> bool: ...  # noqa: D102
    def hidden_by(self, path: str) -> str | None: ...  # noqa: D102
    def shadowed_by(self, path: str) -> str | None: ...  # noqa: D102
    def other_mode(self, path: str) -> int | None: ...  # noqa: D102
    def is_as_installed(self, file: PackageFile) -> bool: ...  # noqa: D102
    def missing(self, files_of_package: Iterable[PackageFile]) -> list[str]: ...  # noqa: D102


class Facts(Protocol):
    """What can be asked about packages and paths."""

    @property
    def tree(self) -> Tree:
        """The files of the overlay."""

    @property
    def multiversion(self) -> AbstractSet[str]:
        """What the host's libzypp lists as multiversion: package names, and "provides:" capabilities."""

    @property
    def auto_installed(self) -> AbstractSet[str]:
        """The names of the packages that zypper installed in the overlay since others need them, not by request."""

    def package(self, file: HeaderFile) -> Package:
        """Return a header file's package, with those of its files that lie in the overlay. Raises DamagedHeader."""

    def amended(self, file: HeaderFile, states: Mapping[str, int]) -> Header:
        """Return the header in a header file of the host's, with other states of the files at these paths.

        Raises DamagedHeader.
        """

    def is_newer(self, one: Package, other: Package) -> bool:
        """Say whether rpm takes the version of `one` for newer than that of `other`."""

    def obsoletes(self, one: HeaderFile, other: HeaderFile) -> bool:
        """Say whether rpm would erase the package of `other` if it installed that of `one`, by another name."""

    def owners_on_host(self, path: str) -> AbstractSet[HeaderFile]:
        """Return the header files of the host's packages that own a path."""

    def is_owned(self, path: str) -> bool:
        """Say whether a package in the overlay's database owns a path."""

    def has_below(self, directory: str) -> bool:
        """Say whether a package in the overlay's database owns a directory, or anything below it."""

    def files_at(self, path: str) -> Sequence[PackageFile]:
        """Return the files that packages in the overlay's database own at a path."""

    def look_again(self) -> None:
        """Forget what is known of the files of the overlay, after they changed."""

    def outline(self, gone: AbstractSet[HeaderFile]) -> Outline:
        """Return the outline of packages in the overlay's database, or of their stand-ins there."""

    def paths_of(self, gone: AbstractSet[HeaderFile], prefixes: AbstractSet[str]) -> Sequence[str]:
        """Return the paths that begin with a prefix, of packages in the overlay's database, or of their stand-ins."""

    def with_file_triggers(self) -> AbstractSet[HeaderFile]:
        """Return the header files of the host's packages that have file triggers."""

    def meets(self, file: HeaderFile, condition: Condition) -> bool:
        """Say whether the package of a header file is one that a trigger's condition is for."""

    def files_of(self, gone: AbstractSet[HeaderFile]) -> Iterable[PackageFile]:
        """Return the files of packages in the overlay's database, or of their stand-ins there.

        Those in directories that the upper lacks may be left out.
        """

    def broken(
        self, *, gone: AbstractSet[HeaderFile], come: AbstractSet[HeaderFile], stand_ins: Mapping[HeaderFile, bytes]
    ) -> list[str]:
        """Return the dependencies that break in the overlay, and not on the host, if header files go and come.

        `stand_ins` are the blobs of those that are in no set yet.
        """


class State(NamedTuple):
    """A machine and its host at one moment. Every name is a header file's."""

    machine: str
    """The machine's name."""
    recorded: frozenset[HeaderFile] | None
    """The base on record, if one could be read."""
    base: AbstractSet[HeaderFile]
    """The host's set that `upper` lies over: the base on record, or that of a plan which was carried out since."""
    host: frozenset[HeaderFile]
    """The host's set as it is now."""
    upper: UpperSet
    """The overlay's part of the header set."""
    hidden: frozenset[HeaderFile]
    """The host's header files of which the machine keeps copies, since it hides them."""
    retired: Mapping[str, Retired]
    """The overlay's packages that gave way to the host's before, by name or, of several versions, `header.label`."""
    moved: Moved
    """What moved since the host has links in the place of directories."""
    installed: AbstractSet[HeaderFile] | None
    """What the overlay's database holds before a plan is carried out; None if there is no database."""
    facts: Facts
