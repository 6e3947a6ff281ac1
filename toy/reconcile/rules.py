# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules for packages: which of the overlay's stay or give way to the host's, and which of the host's are hidden.

Packages are names of header files here. This only decides.
"""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from ..headers import header
from ..headers.changes import UpperSet
from ..headers.header import HeaderFile, QuotedName
from ..headers.package import Package

KEY = "gpg-pubkey"
"""The name of all packages that are keys."""


class Decision(NamedTuple):
    """What becomes of the headers."""

    upper: UpperSet
    """The overlay's part of the header set, over the host's set as it is now."""
    retired: Mapping[HeaderFile, AbstractSet[HeaderFile]]
    """The overlay's own packages that give way, each with those of the host's that it gives way to."""
    unsound: Mapping[HeaderFile, AbstractSet[HeaderFile]]
    """The host's packages of which some files are missing, each with those of the overlay's that stay therefore."""
    returned: Mapping[HeaderFile, AbstractSet[HeaderFile]]
    """The host's new packages that show, each with those that the overlay removed and that are a part of it."""


def decide(
    *,
    base: AbstractSet[HeaderFile],
    host: AbstractSet[HeaderFile],
    merged: AbstractSet[HeaderFile],
    is_newer: Callable[[HeaderFile, HeaderFile], bool],
    is_sound: Callable[[HeaderFile], bool],
    several: AbstractSet[QuotedName],
    obsoleted: Mapping[HeaderFile, AbstractSet[HeaderFile]],
) -> Decision:
    """Merge the host's changes, from `base` to `host`, with the overlay's, from `base` to `merged`.

    A package that only one side changed is as that side has it. If both changed it: of an own package of the overlay
    and the host's, the newer one stays, or the host's if they are equal; a package that the overlay removed stays
    removed, also by another name, unless the host's new package is more than what was removed. `is_newer` says whether
    the package of one header file is newer than that of another; `is_sound` whether the host has all files of a
    package. `several` are the packages (as they stand in file names) of which any number of versions can be installed:
    like keys, different versions of them are no rivals. `obsoleted` are, for each package of the overlay, each new one
    of the host, and each that the host has no longer, those that rpm would erase if it installed that one.
    """
    own, removed = merged - base, base - merged
    touched = set(map(header.package_of, base ^ host))
    hosts = {file for file in host if header.package_of(file) in touched}
    key = _key(own | removed | base ^ host | hosts, several)
    own_by_key, removed_by_key, hosts_by_key = _grouped(own, key), _grouped(removed, key), _grouped(hosts, key)
    changed = set(map(key, base ^ host))
    hidden = {file for rivals, files in removed_by_key.items() if rivals not in changed for file in files}
    retired: dict[HeaderFile, AbstractSet[HeaderFile]] = {}
    unsound: dict[HeaderFile, AbstractSet[HeaderFile]] = {}
    older_than: dict[HeaderFile, AbstractSet[HeaderFile]] = {}
    for rivals in changed:
        ours = own_by_key.get(rivals, set())
        # Of several versions, those of the host's that the overlay showed before stay.
        theirs = hosts_by_key.get(rivals, set()) - (merged - own)
        if ours and theirs:
            if any(all(is_newer(one, other) for other in theirs) for one in ours):
                older_than |= dict.fromkeys(theirs, ours)
                hidden |= theirs
            elif bad := {file for file in theirs if not is_sound(file)}:
                hidden |= theirs - ours  # the very same header file may be on both sides
                unsound |= dict.fromkeys(bad, ours)
            else:
                retired |= dict.fromkeys(ours, theirs)
        elif rivals in removed_by_key and not ours:
            hidden |= theirs
    shown = set(map(header.package_of, merged))
    replaced = {other for file in own for other in obsoleted.get(file, frozenset())}
    by_user = {file for file in removed - replaced if header.package_of(file) not in shown}
    renamed = _renamed(host - base, base - host, obsoleted)
    for new in sorted(host - base - hidden):
        ours = (obsoleted.get(new, frozenset()) & own) - retired.keys()
        older = renamed[new]
        if ours and not is_sound(new):
            hidden.add(new)
            unsound[new] = ours
        elif ours:
            retired |= {file: {new} for file in ours}
        elif older and older <= by_user and header.package_of(new) not in shown:
            hidden.add(new)  # by another name, it is what the overlay removed
    hidden -= {file for file, ours in older_than.items() if ours <= retired.keys()}
    for file in own - retired.keys():
        # Some of what it obsoletes, the overlay may have all the same.
        hidden |= {new for new in obsoleted.get(file, set()) & (host - base) if header.package_of(new) not in shown}
    upper = UpperSet(files=own - host - retired.keys(), whiteouts=frozenset(hidden))
    returned = {new: older & by_user for new, older in renamed.items() if new not in hidden and older & by_user}
    return Decision(upper, retired, unsound, returned)


def _renamed(
    new: AbstractSet[HeaderFile],
    old: AbstractSet[HeaderFile],
    obsoleted: Mapping[HeaderFile, AbstractSet[HeaderFile]],
) -> dict[HeaderFile, set[HeaderFile]]:
    """Return, for each of the `new` packages, the `old` ones that have its name now, or are a part of it.

    One of the two obsoletes the other: which one depends on whether the host went on or back.
    """
    found = {file: {*obsoleted.get(file, frozenset()) & old} for file in new}
    for file in old:
        for other in obsoleted.get(file, frozenset()) & new:
            found[other].add(file)
    return found


def is_multiversion(package: Package, listed: AbstractSet[str]) -> bool:
    """Say whether any number of versions of a package can be installed; `listed` is libzypp's `multiversion`."""
    return not listed.isdisjoint({package.name, *(f"provides:{name}" for name in package.provides)})


def _key(files: AbstractSet[HeaderFile], several: AbstractSet[QuotedName]) -> Callable[[HeaderFile], str]:
    """Return a function that maps a header file to a key, which is the same for packages that are rivals.

    The key is name and architecture, or the name alone for a package that became noarch or ceased to be. Of gpg keys
    and the packages `several`, the version is a part of it.
    """
    architectures: dict[QuotedName, set[str]] = {}
    for file in files:
        architectures.setdefault(header.package_of(file), set()).add(header.arch_of(file))

    def key(file: HeaderFile) -> str:
        package = header.package_of(file)
        if package in several or package == KEY:
            return header.label(file)
        known = architectures[package]
        return package if "noarch" in known and len(known) == 2 else f"{package}.{header.arch_of(file)}"

    return key


def _grouped(files: Iterable[HeaderFile], key: Callable[[HeaderFile], str]) -> dict[str, set[HeaderFile]]:
    groups: dict[str, set[HeaderFile]] = {}
    for file in files:
        groups.setdefault(key(file), set()).add(file)
    return groups


def amended(
    own: AbstractSet[HeaderFile], removed: AbstractSet[HeaderFile], load: Callable[[HeaderFile], Package]
) -> dict[HeaderFile, HeaderFile]:
    """Return the stand-ins: which of the overlay's own header files stands for which removed one of the host's.

    Both are of one installation of a package; in the overlay, some of the package's files are another package's.
    """
    by_label = _grouped(removed, header.label)
    return {
        file: other
        for file in sorted(own)
        for other in sorted(by_label.get(header.label(file), ()))
        if load(file).installation == load(other).installation
    }


def perhaps_standing_in(upper: UpperSet) -> set[HeaderFile]:
    """Return the overlay's own header files that may be stand-ins: the overlay hides one of the same label."""
    hidden = set(map(header.label, upper.whiteouts))
    return {file for file in upper.files if header.label(file) in hidden}
