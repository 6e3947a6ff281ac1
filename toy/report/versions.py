# SPDX-License-Identifier: GPL-2.0-or-later
"""Which packages an overlay has otherwise than its host, from header files and packages as values. Reads nothing."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from ..headers import header
from ..headers.changes import UpperSet
from ..headers.header import HeaderFile, QuotedName
from ..headers.package import Package
from ..reconcile import rules
from .status import Versions


class _Installed(NamedTuple):
    """The versions of one package that one side has."""

    name: str
    arch: str
    versions: list[str]

    @property
    def said(self) -> str:
        return ", ".join(self.versions)


def versions(
    own: AbstractSet[HeaderFile], removed: AbstractSet[HeaderFile], packages: Mapping[HeaderFile, Package]
) -> tuple[list[Versions], list[Versions]]:
    """Return which packages the overlay added, and which it removed.

    `own` are its header files, `removed` those of the host's that it hides. `packages` has the packages of those that
    could be read; of the others, name, architecture and version are as the header file's name has them.
    """
    ours, theirs = _installed(own, packages), _installed(removed, packages)
    added = [
        Versions(found.name, found.arch, overlay=found.said, host=theirs[key].said if key in theirs else None)
        for key, found in ours.items()
    ]
    gone = [
        Versions(found.name, found.arch, overlay=None, host=found.said)
        for key, found in theirs.items()
        if key not in ours
    ]
    return added, gone


def versions_by_names(upper: UpperSet) -> tuple[list[Versions], list[Versions]]:
    """Return what `versions` does of an overlay's part of a header set, from the names of its header files alone."""
    stand_ins = rules.perhaps_standing_in(upper)
    labels = set(map(header.label, stand_ins))
    hidden = frozenset(file for file in upper.whiteouts if header.label(file) not in labels)
    return versions(upper.files - stand_ins, hidden, {})


def _installed(
    files: AbstractSet[HeaderFile], packages: Mapping[HeaderFile, Package]
) -> dict[tuple[QuotedName, str], _Installed]:
    """Return what is installed by name and architecture, both as header files' names have them."""
    found: dict[tuple[QuotedName, str], _Installed] = {}
    for file in sorted(files):
        name, arch = header.package_of(file), header.arch_of(file)
        if file in packages:
            package = packages[file]
            installed = _Installed(package.name, package.arch, [package.version])
        else:
            version = header.label(file).removeprefix(f"{name}-").removesuffix(f".{arch}")
            installed = _Installed(name, arch, [version])
        found.setdefault((name, arch), installed._replace(versions=[])).versions.extend(installed.versions)
    return found
