# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules for packages: which of the overlay's stay or give way to the host's, and which of the host's are hidden.

Packages are names of header files here. This only decides.
"""

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from ..headers import header
from ..headers.changes import UpperSet
from ..headers.package import Package

KEY = "gpg-pubkey"
"""The name of all packages that are keys."""


class Decision(NamedTuple):
    """What becomes of the headers. Every name is a header file's."""

    upper: UpperSet
    """The overlay's part of the header set, over the host's set as it is now."""
    retired: AbstractSet[str]
    """The overlay's own that give way to the host's."""
    unsound: AbstractSet[str]
    """The host's that the overlay's own do not give way to, since their files are not there."""


def decide(
    *,
    base: AbstractSet[str],
    host: AbstractSet[str],
    merged: AbstractSet[str],
    is_newer: Callable[[str, str], bool],
    is_sound: Callable[[str], bool] = lambda _: True,
    several: AbstractSet[str] = frozenset(),
) -> Decision:
    """Merge what the host changed since `base` and what the overlay changed in it, which led to `merged`.

    A package that only one side changed is as that side has it. Where both did: of an own package of the overlay
    and the host's, the newer one stays, the host's if they are equal; what the overlay removed stays removed.
    `is_newer` compares two header files by their packages' versions; `is_sound` says whether the host has a package's
    files. `several` are the packages (as they stand in file names) of which any number of versions can be installed;
    like keys, they are nobody's rival.
    """
    own, removed = merged - base, base - merged
    touched = set(map(header.package_of, base ^ host))
    hosts = {file for file in host if header.package_of(file) in touched}
    key = _key(own | removed | base ^ host | hosts, several)
    own_by_key, removed_by_key, hosts_by_key = _grouped(own, key), _grouped(removed, key), _grouped(hosts, key)
    changed = set(map(key, base ^ host))
    hidden = {file for name, files in removed_by_key.items() if name not in changed for file in files}
    retired: set[str] = set()
    unsound: set[str] = set()
    for name in changed:
        ours = own_by_key.get(name, set())
        # Of several versions, those of the host's that the overlay showed before stay.
        theirs = hosts_by_key.get(name, set()) - (merged - own)
        if ours and theirs:
            if any(all(is_newer(one, other) for other in theirs) for one in ours):
                hidden |= theirs
            elif bad := {file for file in theirs if not is_sound(file)}:
                hidden |= theirs
                unsound |= bad
            else:
                retired |= ours
        elif name in removed_by_key and not ours:
            hidden |= theirs
    upper = UpperSet(files=own - host - retired, whiteouts=frozenset(hidden))
    return Decision(upper, frozenset(retired), frozenset(unsound))


def _key(files: AbstractSet[str], several: AbstractSet[str]) -> Callable[[str], str]:
    """Return what makes packages rivals: name and architecture, whereby a package may come to be noarch or cease to."""
    architectures: dict[str, set[str]] = {}
    for file in files:
        architectures.setdefault(header.package_of(file), set()).add(header.arch_of(file))

    def key(file: str) -> str:
        package = header.package_of(file)
        if package in several or package == KEY:
            return header.label(file)
        known = architectures[package]
        return package if "noarch" in known and len(known) == 2 else f"{package}.{header.arch_of(file)}"

    return key


def _grouped(files: Iterable[str], key: Callable[[str], str]) -> dict[str, set[str]]:
    groups: dict[str, set[str]] = {}
    for file in files:
        groups.setdefault(key(file), set()).add(file)
    return groups


def amended(own: AbstractSet[str], removed: AbstractSet[str], load: Callable[[str], Package]) -> dict[str, str]:
    """Return which of the overlay's own header files stands for which removed one of the host's.

    Such a pair is one installation: in the overlay, some of the package's files are another package's.
    """
    by_label = _grouped(removed, header.label)
    return {
        file: other
        for file in sorted(own)
        for other in sorted(by_label.get(header.label(file), ()))
        if load(file).installation == load(other).installation
    }


def perhaps_standing_in(upper: UpperSet) -> set[str]:
    """Return those of the overlay's own headers that may stand for one of the host's that it hides."""
    hidden = set(map(header.label, upper.whiteouts))
    return {file for file in upper.files if header.label(file) in hidden}
