# SPDX-License-Identifier: GPL-2.0-or-later
"""After the host changed: what becomes of the overlay's packages, and of their files. Decisions only; `upper` acts."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import PurePosixPath
from typing import NamedTuple

from . import header
from .package import Package, PackageFile
from .plan import Upper

KEY = "gpg-pubkey"
"""The name of all packages that are keys."""


class Decision(NamedTuple):
    """What becomes of the headers. Every name is a header file's."""

    upper: Upper
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

    def key(file: str) -> str:
        package = header.package_of(file)
        return header.label(file) if package in several or package == KEY else header.name_and_arch(file)

    own, removed = _grouped(merged - base, key), _grouped(base - merged, key)
    hosts = _grouped(host, key)
    changed = {key(file) for file in base ^ host}
    hidden = {file for name, files in removed.items() if name not in changed for file in files}
    retired: set[str] = set()
    unsound: set[str] = set()
    for name in changed:
        ours, theirs = own.get(name, set()), hosts.get(name, set())
        if ours and theirs:
            if any(all(is_newer(one, other) for other in theirs) for one in ours):
                hidden |= theirs
            elif bad := {file for file in theirs if not is_sound(file)}:
                hidden |= theirs
                unsound |= bad
            else:
                retired |= ours
        elif name in removed and not ours:
            hidden |= theirs
    upper = Upper(files=merged - base - host - retired, whiteouts=frozenset(hidden))
    return Decision(upper, frozenset(retired), frozenset(unsound))


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


class Clash(NamedTuple):
    """What the overlay has in the place of a file of the host's."""

    owner: Package
    state: int
    """Of the host's file in a header that tells the truth in the overlay."""


def conflicts(
    kept: Iterable[Package], others: Mapping[str, Package], is_other_kind: Callable[[str], bool]
) -> dict[str, dict[str, Clash]]:
    """Return which paths of the host's packages `others` another file of the overlay's own packages `kept` is at.

    The result maps a name in `others` to paths, and each path to what is there instead. `is_other_kind`
    says whether one of upper and lower has a directory there, and the other one something else.
    """
    ours: dict[str, tuple[PackageFile, Package]] = {}
    above: dict[str, Package] = {}
    for package in kept:
        for file in package.files:
            if not file.is_ghost:
                ours[file.path] = file, package
                above |= dict.fromkeys(_folders(file.path), package)
    found: dict[str, dict[str, Clash]] = {}
    for name, package in others.items():
        for file in package.files:
            clash = _at(file, ours, above, is_other_kind)
            if clash is not None:
                found.setdefault(name, {})[file.path] = clash
    return found


def _at(
    file: PackageFile,
    ours: Mapping[str, tuple[PackageFile, Package]],
    above: Mapping[str, Package],
    is_other_kind: Callable[[str], bool],
) -> Clash | None:
    if file.is_ghost:
        return None
    if file.path in ours:
        our, package = ours[file.path]
        both_directories = our.is_directory and file.is_directory
        return None if both_directories or our.is_same(file) else Clash(package, header.REPLACED)
    if not file.is_directory and file.path in above and is_other_kind(file.path):
        return Clash(above[file.path], header.REPLACED)
    for folder in _folders(file.path):
        if folder in ours and not ours[folder][0].is_directory and is_other_kind(folder):
            return Clash(ours[folder][1], header.NOT_INSTALLED)
    return None


def _folders(path: str) -> Iterator[str]:
    """Yield the directories that a path lies in."""
    return map(str, list(PurePosixPath(path).parents)[:-1])


class Operations(NamedTuple):
    """What makes the files of an upper follow its headers, in this order. All are safe to repeat."""

    remove: list[PackageFile]
    """Files of retired packages: to go if they are still what the package installed; directories if empty."""
    show: list[str]
    """Paths that no package is the reason to hide any more."""
    merge: list[str]
    """Directories that packages of the overlay made anew: they would hide what the host puts into them."""
    clear: list[str]
    """Paths of the host's files and links: a directory there goes if it holds nothing, that is whiteouts at most."""
    hide: list[str]
    """Paths that only hidden packages of the host own."""
    sweep: bool
    """Whether whiteouts that hide nothing go: the overlay removed packages whose headers nobody has any more."""
    drop: list[str]
    """Files that the lower has as well, and that are made anew."""


def operations(
    *,
    retired: Iterable[Package],
    kept: Iterable[Package],
    freed: Iterable[tuple[Package, Iterable[str]]],
    hidden: Iterable[Package],
    arrived: Iterable[Package],
    is_visible: Callable[[str], bool],
    is_other_kind: Callable[[str], bool],
    sweep: bool = False,
    drop: Iterable[str] = (),
) -> Operations:
    """Plan the operations on files.

    `kept` are the overlay's own packages that stay; `freed` are those of the host's that the overlay hid, and the paths
    that they were the reason to hide; `hidden` are those that it hides from now on; `arrived` are those that come to be
    seen. `is_visible` says whether a package of the host that is not hidden owns a path, `is_other_kind` whether one of
    upper and lower has a directory there and the other one something else.
    """
    retired, kept, arrived = list(retired), list(kept), list(arrived)
    ours = {file.path for package in kept for file in package.files}
    hide = {file.path for package in hidden for file in package.files} - ours
    hide = {path for path in hide if not is_visible(path)}
    free = {file.path for package in retired for file in package.files}
    known = {package.name for package in retired}
    for package, paths in freed:
        known.add(package.name)
        free |= set(paths)
    made = {file.path for package in kept for file in package.files if file.is_directory}
    # What leads to a package that comes back may have been made by the overlay's, though nobody owns it.
    made |= {
        folder
        for package in arrived
        if package.name in known
        for file in package.files
        for folder in _folders(file.path)
    }
    return Operations(
        remove=[file for package in retired for file in package.files if file.path not in ours],
        show=sorted(free - ours - hide),
        merge=sorted(made),
        clear=sorted(
            file.path
            for package in arrived
            for file in package.files
            if not file.is_directory and file.path not in ours and is_other_kind(file.path)
        ),
        hide=sorted(hide),
        sweep=sweep,
        drop=sorted(set(drop) - ours),
    )
