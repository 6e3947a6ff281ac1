# SPDX-License-Identifier: GPL-2.0-or-later
"""Packages and their files as values: what a header says that matters for the files on disk."""

import os
import stat
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

_LONGEST = 255
"""Most bytes of the name of a file: NAME_MAX, see limits.h(0p)."""


def is_plain(path: str) -> bool:
    """Say whether a path from a header is absolute and plain: without ".", "..", null bytes and names too long."""
    return (
        path.startswith("/")
        and not path.startswith("//")
        and all(not name or is_name(name) for name in path.split("/"))
    )


def is_name(name: str) -> bool:
    """Say whether a file may have a name: it is not "", "." or "..", has no null byte, and is not too long.

    Text from JSON may have halves of characters, which no name has.
    """
    if name in ("", ".", "..") or "\0" in name:
        return False
    if name.isascii():
        return len(name) <= _LONGEST
    try:
        return len(os.fsencode(name)) <= _LONGEST
    except UnicodeEncodeError:
        return False


def folders(path: str) -> Iterator[str]:
    """Yield the directories that a path lies in, innermost first and without the root."""
    while (path := os.path.dirname(path)).strip("/"):
        yield path


class PackageFile(NamedTuple):
    """A file as its package installed it."""

    path: str
    mode: int
    """Type and permissions, as in st_mode."""
    digest: str
    """ALGORITHM:HEX of a regular file, with the algorithm's name as hashlib has it; else empty."""
    target: str
    """The target of a symbolic link; else empty."""
    kept: bool
    """Whether it is the user's rather than the package's: %config."""
    owner: str
    """USER:GROUP."""
    is_ghost: bool = False
    """Whether the package owns it, but did not bring it: %ghost. Mode, digest and target are those of the build then.

    Plans that were stored before there was this field lack it.
    """

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return stat.S_ISDIR(self.mode)

    def is_same(self, other: "PackageFile") -> bool:
        """Whether two packages that own one path have the same file there; `kept` does not count."""
        return self._replace(kept=False) == other._replace(kept=False)


class Outline(NamedTuple):
    """Where several packages have files."""

    folders: AbstractSet[str]
    """The directories that their files lie in."""
    links: Mapping[str, str]
    """The targets of their symbolic links, by path."""


Condition = tuple[str, int, str]
"""Which packages are meant: name, flags (rpm, include/rpm/rpmds.h: rpmsenseFlags), [EPOCH:]VERSION[-RELEASE] or ""."""


KINDS = (
    *("transfiletriggerun", "triggerprein", "triggerin", "filetriggerin", "triggerun", "filetriggerun"),
    *("triggerpostun", "filetriggerpostun", "transfiletriggerin", "transfiletriggerpostun"),
)
"""The kinds of triggers, as in a spec file, in the order in which rpm runs them if a package replaces another one."""


class Trigger(NamedTuple):
    """A script of a package that runs when other packages, or files of theirs, come or go."""

    kind: str
    """One of `KINDS`."""
    conditions: tuple[Condition, ...]
    """For which packages; of a trigger for files, each name is what their paths begin with, and the rest is nothing."""
    priority: int
    """Those with higher ones run first; only triggers for files have others than 0."""
    program: str
    script: str

    @property
    def is_for_files(self) -> bool:
        """Whether it is for files rather than for packages."""
        return "file" in self.kind

    @property
    def is_removal(self) -> bool:
        """Whether it is for what goes."""
        return self.kind.endswith("un")

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What the paths begin with that it is for."""
        return tuple(name for name, _, _ in self.conditions if self.is_for_files)


class Package(NamedTuple):
    """A package, from its header."""

    name: str
    arch: str
    """Empty for gpg-pubkey."""
    evr: tuple[str, str, str]
    """Epoch ("0" if there is none), version, release, as rpm compares them."""
    provides: frozenset[str]
    """The names of its Provides."""
    obsoletes: tuple[Condition, ...]
    """What it obsoletes."""
    files: tuple[PackageFile, ...]
    """Its files that are installed."""
    absent: frozenset[str]
    """Paths of its files that were left out, or that another package has replaced."""
    installation: str
    """The digest that `header.installation` returns."""
    triggers: tuple[Trigger, ...]

    @property
    def version(self) -> str:
        """[EPOCH:]VERSION-RELEASE, for people."""
        epoch, version, release = self.evr
        return f"{'' if epoch == '0' else f'{epoch}:'}{version}-{release}"

    @property
    def label(self) -> str:
        """NAME [EPOCH:]VERSION-RELEASE, for people."""
        return f"{self.name} {self.version}"
