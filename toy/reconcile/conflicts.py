# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds the files that packages of the host and of the overlay both own. The overlay's is the one that shows."""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from ..headers import header
from ..headers.package import Package, PackageFile, folders


class Conflict(NamedTuple):
    """What the overlay has in the place of a file of the host's."""

    owner: Package
    state: int
    """Of the host's file in a header that tells the truth in the overlay."""


def find_conflicts(
    kept: Iterable[Package], others: Mapping[str, Package], is_other_kind: Callable[[str], bool]
) -> dict[str, dict[str, Conflict]]:
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
                for folder in folders(file.path):
                    if folder in above:
                        break  # and so are all that it lies in
                    above[folder] = package
    blocked: dict[str, bool] = {}  # directories of which a part is a file of ours
    found: dict[str, dict[str, Conflict]] = {}
    for name, package in others.items():
        for file in package.files:
            folder = os.path.dirname(file.path)
            if folder not in blocked:
                blocked[folder] = any(
                    part in ours and not ours[part][0].is_directory for part in (folder, *folders(folder))
                )
            if file.path not in ours and file.path not in above and not blocked[folder]:
                continue
            conflict = _at(file, ours, above, is_other_kind)
            if conflict is not None:
                found.setdefault(name, {})[file.path] = conflict
    return found


def _at(
    file: PackageFile,
    ours: Mapping[str, tuple[PackageFile, Package]],
    above: Mapping[str, Package],
    is_other_kind: Callable[[str], bool],
) -> Conflict | None:
    if file.is_ghost:
        return None
    if file.path in ours:
        our, package = ours[file.path]
        both_directories = our.is_directory and file.is_directory
        return None if both_directories or our.is_same(file) else Conflict(package, header.REPLACED)
    if not file.is_directory and file.path in above and is_other_kind(file.path):
        return Conflict(above[file.path], header.REPLACED)
    for folder in folders(file.path):
        if folder in ours and not ours[folder][0].is_directory and is_other_kind(folder):
            return Conflict(ours[folder][1], header.NOT_INSTALLED)
    return None
