# SPDX-License-Identifier: GPL-2.0-or-later
"""After the host changed: what becomes of the overlay's packages, and of their files. Decisions only; `upper` acts."""

import stat
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from . import header
from .package import Package, PackageFile
from .plan import Upper


class Decision(NamedTuple):
    """What becomes of the headers. Every name is a header file's."""

    upper: Upper
    """The overlay's part of the header set, over the host's set as it is now."""
    retired: AbstractSet[str]
    """The overlay's own that give way to the host's."""


def decide(
    *,
    base: AbstractSet[str],
    host: AbstractSet[str],
    merged: AbstractSet[str],
    is_newer: Callable[[str, str], bool],
    several: AbstractSet[str] = frozenset(),
) -> Decision:
    """Merge what the host changed since `base` and what the overlay changed in it, which led to `merged`.

    A package that only one side changed is as that side has it. Where both did: of an own package of the overlay
    and the host's, the newer one stays, the host's if they are equal; what the overlay removed stays removed.
    `is_newer` compares two header files by their packages' versions. `several` are the packages (as they stand in
    file names) of which any number of versions can be installed; like keys, they are nobody's rival.
    """

    def key(file: str) -> str:
        package = header.package_of(file)
        return header.label(file) if package in several or package == "gpg-pubkey" else header.name_and_arch(file)

    own, removed = _grouped(merged - base, key), _grouped(base - merged, key)
    hosts = _grouped(host, key)
    changed = {key(file) for file in base ^ host}
    hidden = {file for name, files in removed.items() if name not in changed for file in files}
    retired: set[str] = set()
    for name in changed:
        ours, theirs = own.get(name, set()), hosts.get(name, set())
        if ours and theirs:
            if any(all(is_newer(one, other) for other in theirs) for one in ours):
                hidden |= theirs
            else:
                retired |= ours
        elif name in removed and not ours:
            hidden |= theirs
    return Decision(Upper(files=merged - base - host - retired, whiteouts=frozenset(hidden)), frozenset(retired))


def _grouped(files: Iterable[str], key: Callable[[str], str]) -> dict[str, set[str]]:
    groups: dict[str, set[str]] = {}
    for file in files:
        groups.setdefault(key(file), set()).add(file)
    return groups


class Operations(NamedTuple):
    """What makes the files of an upper follow its headers, in this order. All are safe to repeat."""

    remove: list[PackageFile]
    """Files of retired packages: to go if they are still what the package installed; directories if empty."""
    show: list[str]
    """Paths that no package is the reason to hide any more."""
    merge: list[str]
    """Directories of the overlay's own packages: made anew there, they would hide what the host puts into them."""
    hide: list[str]
    """Paths that only hidden packages of the host own."""


def operations(
    *,
    retired: Iterable[Package],
    kept: Iterable[Package],
    was_hidden: Iterable[Package],
    hidden: Iterable[Package],
    is_visible: Callable[[str], bool],
) -> Operations:
    """Plan the operations on files.

    `kept` are the overlay's own packages that stay, `was_hidden` and `hidden` the host's that the overlay hid before
    and hides from now on. `is_visible` says whether a package of the host that is not hidden owns a path.
    """
    retired, kept = list(retired), list(kept)
    ours = {file.path for package in kept for file in package.files}
    hide = {file.path for package in hidden for file in package.files} - ours
    hide = {path for path in hide if not is_visible(path)}
    freed = {file.path for package in (*retired, *was_hidden) for file in package.files}
    return Operations(
        remove=[file for package in retired for file in package.files if file.path not in ours],
        show=sorted(freed - ours - hide),
        merge=sorted({file.path for package in kept for file in package.files if stat.S_ISDIR(file.mode)}),
        hide=sorted(hide),
    )


def describe(load: Callable[[str], Package], decision: Decision, host: AbstractSet[str]) -> list[str]:
    """Return what a decision means, in lines for people; `load` returns the package of a header file."""
    lines = []
    for file in sorted(decision.retired):
        name = header.name_and_arch(file)
        theirs = [load(other) for other in sorted(host) if header.name_and_arch(other) == name]
        lines.append(f"retired: {load(file).label} (host has {', '.join(package.version for package in theirs)})")
    return lines
